/**
 * Length-prefixed messages (gRPC over HTTP/2, "Length-Prefixed-Message"): one byte of flags, four bytes of length, the message.
 */
import { Code, ConnectError } from "@connectrpc/connect";
import { OpsCoreError } from "../../errors/index.js";

export const ENVELOPE_HEADER_BYTES = 5;
const FLAG_COMPRESSED = 1;

/** Puts a message into an envelope. */
export function wrap(message: Uint8Array): Buffer {
  const envelope = Buffer.allocUnsafe(ENVELOPE_HEADER_BYTES + message.byteLength);
  envelope.set(message, ENVELOPE_HEADER_BYTES);
  return fillHeader(envelope);
}

/** Makes an envelope of a message that has room for the header before it. */
export function fillHeader(envelope: Buffer): Buffer {
  envelope[0] = 0;
  envelope.writeUInt32BE(envelope.length - ENVELOPE_HEADER_BYTES, 1);
  return envelope;
}

/** The message of a chunk that is exactly one envelope; undefined when it is anything else, which is no fault yet. */
export function unwrapWhole(chunk: Buffer, maxBytes: number): Buffer | undefined {
  const length = chunk.length - ENVELOPE_HEADER_BYTES;
  if (length < 0 || length > maxBytes || chunk[0] !== 0 || chunk.readUInt32BE(1) !== length) return undefined;
  return chunk.subarray(ENVELOPE_HEADER_BYTES);
}

/**
 * Cuts what arrives into messages, wherever the chunks end. The messages are views of the chunks where that is possible.
 */
export class EnvelopeReader {
  private rest: Buffer[] = [];
  private restBytes = 0;
  /** How many bytes must be there before looking again makes sense. */
  private wanted = ENVELOPE_HEADER_BYTES;

  constructor(
    private readonly maxBytes: number,
    private readonly onMessage: (message: Buffer) => void,
  ) {}

  /** Whether the last envelope is complete. */
  get isComplete(): boolean {
    return this.restBytes === 0;
  }

  /**
   * @throws ConnectError INTERNAL for flags that nobody agreed on; OpsCoreError TOO_LARGE, as soon as the length is known
   */
  push(chunk: Buffer): void {
    const bytes = this.gather(chunk);
    if (bytes === undefined) return;
    let at = 0;
    while (bytes.length - at >= ENVELOPE_HEADER_BYTES) {
      const length = bytes.readUInt32BE(at + 1);
      this.check(bytes[at] ?? 0, length);
      const end = at + ENVELOPE_HEADER_BYTES + length;
      if (end > bytes.length) {
        this.wanted = ENVELOPE_HEADER_BYTES + length;
        break;
      }
      this.onMessage(bytes.subarray(at + ENVELOPE_HEADER_BYTES, end));
      at = end;
      this.wanted = ENVELOPE_HEADER_BYTES;
    }
    if (at === bytes.length) return;
    this.rest = [at === 0 ? bytes : bytes.subarray(at)];
    this.restBytes = bytes.length - at;
  }

  /** Joins a chunk with what was left, once that is enough to go on. */
  private gather(chunk: Buffer): Buffer | undefined {
    if (this.restBytes === 0) return chunk;
    this.rest.push(chunk);
    this.restBytes += chunk.length;
    if (this.restBytes < this.wanted) return undefined;
    const bytes = Buffer.concat(this.rest, this.restBytes);
    this.rest = [];
    this.restBytes = 0;
    return bytes;
  }

  private check(flags: number, length: number): void {
    if (flags === FLAG_COMPRESSED) {
      throw new ConnectError("received a compressed message without grpc-encoding", Code.Internal);
    }
    if (flags !== 0) throw new ConnectError(`received unknown envelope flags ${flags}`, Code.Internal);
    if (length > this.maxBytes) throw tooLarge(length, this.maxBytes);
  }
}

export function tooLarge(length: number, maxBytes: number): OpsCoreError {
  return new OpsCoreError("TOO_LARGE", `a message of ${length} bytes is larger than ${maxBytes}`, {
    limit: String(maxBytes),
  });
}
