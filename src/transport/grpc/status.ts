/**
 * How a call ends on the wire: `grpc-status`, `grpc-message` and `grpc-status-details-bin` (gRPC over HTTP/2, "Responses").
 */
import { create, toBinary } from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import type { OutgoingHttpHeaders } from "node:http2";
import { StatusSchema } from "../../../gen/google/rpc/status_pb.js";
import { toNodeHeaders } from "./headers.js";

/**
 * What a status may take, in bytes. Trailers are one header block, and one of more than 64 KiB is not sent: the client would be left without
 * any status.
 */
const MAX_MESSAGE_BYTES = 8 * 1024;
const MAX_DETAILS_BYTES = 36 * 1024;

/** The trailers of a call that went well. */
export const OK_TRAILERS: Readonly<OutgoingHttpHeaders> = Object.freeze({ "grpc-status": "0" });

/**
 * The trailers of a call that failed: the status, and what the handler and the error add to it.
 *
 * @param added the trailers of the handler, if it wrote any
 */
export function failureTrailers(error: ConnectError, added: Headers | undefined): OutgoingHttpHeaders {
  const trailers = toNodeHeaders(joined(added, error.metadata));
  trailers["grpc-status"] = String(error.code);
  trailers["grpc-message"] = percentEncode(error.rawMessage, MAX_MESSAGE_BYTES);
  const details = statusDetails(error);
  // An error that came from another server may still have that one's.
  if (details === undefined) delete trailers["grpc-status-details-bin"];
  else trailers["grpc-status-details-bin"] = details;
  return trailers;
}

function joined(first: Headers | undefined, second: Headers): Headers {
  if (first === undefined) return second;
  const both = new Headers(first);
  for (const [name, value] of second) both.append(name, value);
  return both;
}

/**
 * Percent-encodes as gRPC says ("Percent-Byte"): only what is not printable ASCII, and the percent sign. `encodeURIComponent`
 * escapes more, and clients that follow the letter would show it. Blanks at the ends would not survive HTTP.
 */
export function percentEncode(message: string, maxBytes: number): string {
  const encoded = wellFormed(message)
    .replace(/[^\x20-\x24\x26-\x7e]+/g, encodeURIComponent)
    .replace(/^ | $/g, "%20");
  return encoded.length <= maxBytes ? encoded : cut(encoded, maxBytes);
}

/** Cuts between characters: neither inside of an escape nor between the escapes of one character. */
function cut(encoded: string, maxBytes: number): string {
  const whole = encoded.slice(0, maxBytes).replace(/%[0-9A-F]?$/, "");
  return whole.replace(/(?:%[C-F][0-9A-F])(?:%[89AB][0-9A-F])*$/, "").trimEnd();
}

/** Half a surrogate pair cannot be encoded. */
function wellFormed(text: string): string {
  return /[\ud800-\udfff]/.test(text) ? Buffer.from(text).toString() : text;
}

/** As many of the details as fit, from the first on; undefined when that is none. */
function statusDetails({ code, rawMessage, details }: ConnectError): string | undefined {
  const packed = details.map((detail) =>
    "desc" in detail
      ? anyPack(detail.desc, create(detail.desc, detail.value))
      : { typeUrl: `type.googleapis.com/${detail.type}`, value: detail.value },
  );
  const message = rawMessage.slice(0, MAX_MESSAGE_BYTES);
  for (; packed.length > 0; packed.pop()) {
    const bytes = toBinary(StatusSchema, create(StatusSchema, { code, message, details: packed }));
    if (bytes.length <= MAX_DETAILS_BYTES) return Buffer.from(bytes).toString("base64").replace(/=+$/, "");
  }
  return undefined;
}

/** What a handler hears of a client that closed its stream, with whatever HTTP/2 error code: it left, and that is all there is to it. */
export function closeReason(resetCode: number): ConnectError {
  return new ConnectError(`http/2 stream closed with error code 0x${resetCode.toString(16)}`, Code.Canceled);
}
