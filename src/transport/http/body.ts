import { OpsCoreError } from "../../errors/index.js";
import type { HttpRequest } from "./messages.js";

export interface BodyReader {
  /** The whole body. */
  gotBody(body: Buffer): void;
  /** It is too large. What is still sent is thrown away. */
  bodyFailed(failure: OpsCoreError): void;
}

const EMPTY = Buffer.alloc(0);

/**
 * Reads the body of a request. Tells its reader once, at most: nothing more is said of a client that leaves.
 *
 * @param maxBytes the largest body
 */
export function readBody(request: HttpRequest, maxBytes: number, reader: BodyReader): void {
  const declared = request.headers["content-length"];
  if (declared !== undefined && Number(declared) > maxBytes) {
    request.resume();
    reader.bodyFailed(tooLarge(maxBytes));
    return;
  }
  // Nearly every body is one chunk, which is then used as it is.
  let body: Buffer = EMPTY;
  let chunks: Buffer[] | undefined;
  let size = 0;
  const onData = (chunk: Buffer): void => {
    size += chunk.length;
    if (size > maxBytes) {
      request.off("data", onData).off("end", onEnd).resume();
      reader.bodyFailed(tooLarge(maxBytes));
    } else if (size === chunk.length) {
      body = chunk;
    } else {
      (chunks ??= [body]).push(chunk);
    }
  };
  const onEnd = (): void => reader.gotBody(chunks === undefined ? body : Buffer.concat(chunks, size));
  request.on("data", onData).on("end", onEnd);
}

function tooLarge(limit: number): OpsCoreError {
  return new OpsCoreError("TOO_LARGE", `the request is larger than ${limit} bytes`, { limit: String(limit) });
}
