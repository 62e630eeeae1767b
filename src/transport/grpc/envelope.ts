/**
 * Length-prefixed messages (gRPC over HTTP/2, "Length-Prefixed-Message"): one byte of flags, four bytes of length, the message.
 */
import { Code, ConnectError } from "@connectrpc/connect";
import { OpsCoreError } from "../../errors/index.js";

export const ENVELOPE_HEADER_BYTES = 5;
const FLAG_COMPRESSED = 1;
/** The least that is set aside for a message that comes in pieces, in bytes. */
const MIN_ROOM = 1024;

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
 * Cuts what arrives into messages, wherever the chunks end.
 *
 * A message that lies in one chunk is a view of it. One that comes in pieces is copied together in a buffer that grows with what
 * has come, not with what was announced: neither an announcement nor a message in single bytes costs more memory than it brings.
 */
export class EnvelopeReader {
  /** The beginning of an envelope; `filled` bytes of it have come. */
  private partial = Buffer.alloc(0);
  private filled = 0;

  constructor(
    private readonly maxBytes: number,
    private readonly onMessage: (message: Buffer) => void,
  ) {}

  /** Whether the last envelope is complete. */
  get isComplete(): boolean {
    return this.filled === 0;
  }

  /**
   * @throws ConnectError INTERNAL for flags that nobody agreed on; OpsCoreError TOO_LARGE, as soon as the length is known. Nothing
   * can be read after that.
   */
  push(chunk: Buffer): void {
    let at = this.filled === 0 ? 0 : this.complete(chunk);
    while (chunk.length - at >= ENVELOPE_HEADER_BYTES) {
      const end = at + this.envelopeBytes(chunk, at);
      if (end > chunk.length) break;
      this.onMessage(chunk.subarray(at + ENVELOPE_HEADER_BYTES, end));
      at = end;
    }
    if (at < chunk.length) this.keep(chunk, at, chunk.length, ENVELOPE_HEADER_BYTES);
  }

  /** Fills up the envelope that has begun. @returns how much of the chunk that took */
  private complete(chunk: Buffer): number {
    let at = 0;
    if (this.filled < ENVELOPE_HEADER_BYTES) {
      at = this.keep(chunk, 0, ENVELOPE_HEADER_BYTES - this.filled, ENVELOPE_HEADER_BYTES);
      if (this.filled < ENVELOPE_HEADER_BYTES) return at;
    }
    const bytes = this.envelopeBytes(this.partial, 0);
    at = this.keep(chunk, at, at + bytes - this.filled, bytes);
    if (this.filled < bytes) return at;
    const message = this.partial.subarray(ENVELOPE_HEADER_BYTES, bytes);
    this.partial = Buffer.alloc(0);
    this.filled = 0;
    this.onMessage(message);
    return at;
  }

  /** Appends `chunk` from `at` to `end`, or to its own end. @returns where it stopped */
  private keep(chunk: Buffer, at: number, end: number, wanted: number): number {
    const stop = Math.min(end, chunk.length);
    const size = this.filled + stop - at;
    if (size > this.partial.length) {
      const room = Math.max(size, Math.min(wanted, Math.max(MIN_ROOM, this.partial.length * 2)));
      const larger = Buffer.allocUnsafe(room);
      larger.set(this.partial.subarray(0, this.filled));
      this.partial = larger;
    }
    chunk.copy(this.partial, this.filled, at, stop);
    this.filled = size;
    return stop;
  }

  /** The size of the envelope whose header stands at `at`, once it is one that may come. */
  private envelopeBytes(bytes: Buffer, at: number): number {
    const flags = bytes[at];
    const length = bytes.readUInt32BE(at + 1);
    if (flags === FLAG_COMPRESSED) {
      throw new ConnectError("received compressed envelope, but do not know how to decompress", Code.Internal);
    }
    if (flags !== 0) throw new ConnectError(`protocol error: unknown envelope flags ${flags ?? ""}`, Code.Internal);
    if (length > this.maxBytes) throw tooLarge(length, this.maxBytes);
    return ENVELOPE_HEADER_BYTES + length;
  }
}

/** Said by the lane for a message that ends before its length. */
export function incomplete(): ConnectError {
  return new ConnectError("protocol error: incomplete envelope", Code.InvalidArgument);
}

function tooLarge(length: number, maxBytes: number): OpsCoreError {
  return new OpsCoreError("TOO_LARGE", `a message of ${length} bytes is larger than ${maxBytes}`, {
    limit: String(maxBytes),
  });
}
