import { HpackError } from "./error.js";
import { HeaderField } from "./field.js";
import { decodeHuffman } from "./huffman.js";
import { STATIC_TABLE } from "./static-table.js";

/** How large a table is before SETTINGS_HEADER_TABLE_SIZE says something else (RFC 9113 6.5.2). */
export const DEFAULT_TABLE_BYTES = 4096;

/** The lowest one that was set since the last block, and the last one (RFC 7541 4.2). */
const MAX_SIZE_UPDATES = 2;

const MAX_INTEGER = 2 ** 31 - 1;
const MAX_CONTINUATION_BYTES = 5;

/** Evicted entries leave the array together once they are this many and most of it. */
const COMPACT_ENTRIES = 64;
const EVICTED = new HeaderField("", "");

/** The header blocks of one connection in one direction, in the order they came in (RFC 7541). */
export class HpackDecoder {
  private readonly maxTableBytes: number;
  /** What the peer lets the table grow to: at most maxTableBytes. */
  private limitBytes: number;
  private tableBytes = 0;
  /** The dynamic table from `oldest` on, the newest entry last. */
  private readonly entries: HeaderField[] = [];
  private oldest = 0;

  /** Where the next byte of the block is. */
  private at = 0;

  /** @param options.maxTableBytes what SETTINGS_HEADER_TABLE_SIZE told the peer, default 4096 */
  constructor(options: { readonly maxTableBytes?: number } = {}) {
    this.maxTableBytes = options.maxTableBytes ?? DEFAULT_TABLE_BYTES;
    this.limitBytes = Math.min(this.maxTableBytes, DEFAULT_TABLE_BYTES);
  }

  /**
   * Decodes one whole header block, bytes[start, end). Names and values are latin1, one character for each byte, and not checked.
   * After an error, one that `onField` threw too, the table is not the peer's any more: nothing can be decoded from then on.
   *
   * @param onField is called for each field, in order
   * @throws HpackError
   */
  decode(bytes: Buffer, start: number, end: number, onField: (field: HeaderField) => void): void {
    this.at = start;
    this.readSizeUpdates(bytes, end);
    while (this.at < end) {
      const first = bytes[this.at] ?? 0;
      if (first >= 0x80) {
        onField(this.entry(this.readInteger(bytes, end, 0x7f)));
      } else if (first >= 0x40) {
        const field = this.readLiteral(bytes, end, 0x3f);
        this.add(field);
        onField(field);
      } else if (first >= 0x20) {
        throw new HpackError("a table size update is not at the start of its block, or there are too many");
      } else {
        // Without indexing, or never indexed: this matters only to who sends the field on.
        onField(this.readLiteral(bytes, end, 0x0f));
      }
    }
  }

  private readSizeUpdates(bytes: Buffer, end: number): void {
    for (let updates = 0; updates < MAX_SIZE_UPDATES && this.at < end; updates++) {
      if (((bytes[this.at] ?? 0) & 0xe0) !== 0x20) return;
      const size = this.readInteger(bytes, end, 0x1f);
      if (size > this.maxTableBytes) {
        throw new HpackError(`a table size update asks for ${size} bytes of at most ${this.maxTableBytes}`);
      }
      this.limitBytes = size;
      this.evict(size);
    }
  }

  private readLiteral(bytes: Buffer, end: number, prefix: number): HeaderField {
    const index = this.readInteger(bytes, end, prefix);
    const name = index === 0 ? this.readString(bytes, end) : this.entry(index).name;
    return new HeaderField(name, this.readString(bytes, end));
  }

  private readString(bytes: Buffer, end: number): string {
    if (this.at >= end) throw truncated();
    const huffman = (bytes[this.at] ?? 0) >= 0x80;
    const length = this.readInteger(bytes, end, 0x7f);
    const start = this.at;
    if (length > end - start) throw truncated();
    this.at = start + length;
    return huffman ? decodeHuffman(bytes, start, this.at) : bytes.toString("latin1", start, this.at);
  }

  /** RFC 7541 5.1. @param prefix the bits of the first byte that are the integer's; that byte is there */
  private readInteger(bytes: Buffer, end: number, prefix: number): number {
    let at = this.at;
    let value = (bytes[at++] ?? 0) & prefix;
    if (value === prefix) {
      let scale = 1;
      for (let count = 1; ; count++, scale *= 0x80) {
        if (at >= end) throw truncated();
        const byte = bytes[at++] ?? 0;
        value += (byte & 0x7f) * scale;
        if (byte < 0x80) break;
        if (count === MAX_CONTINUATION_BYTES) throw new HpackError("an integer has too many bytes");
      }
      if (value > MAX_INTEGER) throw new HpackError("an integer is too large");
    }
    this.at = at;
    return value;
  }

  private entry(index: number): HeaderField {
    if (index < STATIC_TABLE.length) {
      const field = STATIC_TABLE[index];
      if (field !== undefined && index !== 0) return field;
    } else {
      // The array may have evicted entries before the oldest.
      const position = this.entries.length - 1 - (index - STATIC_TABLE.length);
      const field = position >= this.oldest ? this.entries[position] : undefined;
      if (field !== undefined) return field;
    }
    throw new HpackError(`there is no entry ${index} in the table`);
  }

  /** One that is larger than the table empties it and is not kept (RFC 7541 4.4). */
  private add(field: HeaderField): void {
    this.evict(Math.max(0, this.limitBytes - field.size));
    if (field.size > this.limitBytes) return;
    this.entries.push(field);
    this.tableBytes += field.size;
  }

  /** Takes the oldest entries out until the table has at most `bytes`. */
  private evict(bytes: number): void {
    while (this.tableBytes > bytes) {
      this.tableBytes -= this.entries[this.oldest]?.size ?? 0;
      this.entries[this.oldest++] = EVICTED;
    }
    if (this.oldest >= COMPACT_ENTRIES && 2 * this.oldest >= this.entries.length) {
      this.entries.splice(0, this.oldest);
      this.oldest = 0;
    }
  }
}

function truncated(): HpackError {
  return new HpackError("the block ends in the middle of a field");
}
