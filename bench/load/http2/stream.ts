/** One call's half of a connection: cuts the answer's bytes into messages. */

const ENVELOPE_HEADER_BYTES = 5;

/** Takes what comes back for one call. */
export interface Answers {
  /** A message, which stands in `bytes` from `start` to `end` and is gone after the call. */
  message(bytes: Buffer, start: number, end: number): void;
  /** The stream is over. Whether it ended well shows in the messages; a status is not read. */
  ended(): void;
}

export class Stream {
  private rest: Buffer | undefined;

  constructor(
    readonly id: number,
    private readonly answers: Answers,
    /** How many bytes may be sent on it. */
    public sendWindow: number,
  ) {}

  data(bytes: Buffer, start: number, end: number): void {
    if (this.rest !== undefined) {
      const joined = Buffer.concat([this.rest, bytes.subarray(start, end)]);
      this.rest = undefined;
      this.cut(joined, 0, joined.length);
    } else this.cut(bytes, start, end);
  }

  ended(): void {
    this.answers.ended();
  }

  private cut(bytes: Buffer, start: number, end: number): void {
    let at = start;
    while (end - at >= ENVELOPE_HEADER_BYTES) {
      const first = at + ENVELOPE_HEADER_BYTES;
      const next = first + bytes.readUInt32BE(at + 1);
      if (next > end) break;
      this.answers.message(bytes, first, next);
      at = next;
    }
    // What is kept must outlive the chunk that it came in.
    if (at < end) this.rest = Buffer.from(bytes.subarray(at, end));
  }
}

/** A message in its envelope. */
export function envelope(message: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(ENVELOPE_HEADER_BYTES + message.length);
  bytes[0] = 0;
  bytes.writeUInt32BE(message.length, 1);
  bytes.set(message, ENVELOPE_HEADER_BYTES);
  return bytes;
}
