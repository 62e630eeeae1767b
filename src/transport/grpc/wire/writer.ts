/**
 * Writes protobuf's wire format (protobuf.dev/programming-guides/encoding) into one buffer that grows and is used again.
 */
const INITIAL_BYTES = 64 * 1024;
/** A longer text is written by Node; a shorter one is quicker byte by byte than a call out of JavaScript. */
const SHORT_TEXT = 40;
const TWO_32 = 0x1_0000_0000;

export class Writer {
  /** The end of what was written. */
  at = 0;
  private bytes = Buffer.allocUnsafeSlow(INITIAL_BYTES);
  private capacity = INITIAL_BYTES;

  /** Begins anew, after so many bytes that the user fills in later. */
  reset(reserved: number): void {
    this.at = reserved;
    if (this.capacity > INITIAL_BYTES * 16) this.resize(INITIAL_BYTES);
  }

  /** A copy of what was written, with what was reserved before it. */
  copy(): Buffer {
    const copy = Buffer.allocUnsafe(this.at);
    this.bytes.copy(copy, 0, 0, this.at);
    return copy;
  }

  /** An unsigned number of up to 53 bits. */
  varint(value: number): void {
    this.reserve(10);
    const { bytes } = this;
    let rest = value;
    while (rest >= TWO_32) {
      bytes[this.at++] = (rest & 0x7f) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    while (rest > 0x7f) {
      bytes[this.at++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    bytes[this.at++] = rest;
  }

  /** A signed 64-bit number; a negative one takes ten bytes. */
  int64(value: bigint): void {
    const number = Number(value);
    if (number >= 0 && number <= Number.MAX_SAFE_INTEGER) {
      this.varint(number);
      return;
    }
    this.reserve(10);
    let rest = BigInt.asUintN(64, value);
    while (rest > 0x7fn) {
      this.bytes[this.at++] = Number(rest & 0x7fn) | 0x80;
      rest >>= 7n;
    }
    this.bytes[this.at++] = Number(rest);
  }

  double(value: number): void {
    this.reserve(8);
    this.at = this.bytes.writeDoubleLE(value, this.at);
  }

  /** A text with its length before it. */
  text(value: string): void {
    const { length } = value;
    this.reserve(length * 3 + 5);
    if (length <= SHORT_TEXT && this.ascii(value)) return;
    const byteLength = Buffer.byteLength(value);
    this.varint(byteLength);
    this.at += this.bytes.write(value, this.at, byteLength, "utf8");
  }

  /**
   * Something with its length before it, which is known only afterwards: one byte is left for it, and what was written moves up in
   * the rare case that it takes more.
   */
  delimited<T>(write: (writer: Writer, value: T) => void, value: T): void {
    this.reserve(1);
    const start = ++this.at;
    write(this, value);
    const length = this.at - start;
    if (length < 0x80) {
      this.bytes[start - 1] = length;
      return;
    }
    const extra = length < 0x4000 ? 1 : length < 0x20_0000 ? 2 : length < 0x1000_0000 ? 3 : 4;
    this.reserve(extra);
    this.bytes.copyWithin(start + extra, start, this.at);
    this.at = start - 1;
    this.varint(length);
    this.at += length;
  }

  /** Writes a short text if it is ASCII; writes nothing that counts if it is not. */
  private ascii(value: string): boolean {
    const { bytes } = this;
    const { length } = value;
    const start = this.at;
    bytes[start] = length;
    for (let i = 0; i < length; i++) {
      const unit = value.charCodeAt(i);
      if (unit > 0x7f) return false;
      bytes[start + 1 + i] = unit;
    }
    this.at = start + 1 + length;
    return true;
  }

  private reserve(count: number): void {
    if (this.at + count > this.capacity) this.resize(Math.max(this.capacity * 2, this.at + count));
  }

  private resize(capacity: number): void {
    const bytes = Buffer.allocUnsafeSlow(capacity);
    this.bytes.copy(bytes, 0, 0, this.at);
    this.bytes = bytes;
    this.capacity = capacity;
  }
}
