import { HeaderField, HpackError } from "./field.js";
import { decodeHuffman } from "./huffman.js";
import { STATIC_TABLE } from "./static-table.js";

const DEFAULT_TABLE_BYTES = 4096;
/** The table's array is cut when so many of its entries are gone. */
const COMPACT_AT = 256;
const MAX_INTEGER = 0x7fff_ffff;

/** Decodes the header blocks of one connection (RFC 7541), which build on each other. */
export class HpackDecoder {
  private readonly maxTableBytes: number;
  /** What the encoder has last said that the table may take. */
  private tableLimit: number;
  /** The dynamic table, oldest first, from `head` on. */
  private entries: HeaderField[] = [];
  private head = 0;
  private tableBytes = 0;

  // What is being decoded.
  private bytes: Buffer = Buffer.alloc(0);
  private at = 0;
  private end = 0;

  /** @param maxTableBytes what the dynamic table may take, as our SETTINGS_HEADER_TABLE_SIZE says */
  constructor({ maxTableBytes = DEFAULT_TABLE_BYTES }: { readonly maxTableBytes?: number } = {}) {
    this.maxTableBytes = maxTableBytes;
    this.tableLimit = maxTableBytes;
  }

  /**
   * Decodes the block in `bytes` from `start` to `end`.
   *
   * @param onField called for each field, in order
   * @throws HpackError for a block that is none
   */
  decode(bytes: Buffer, start: number, end: number, onField: (field: HeaderField) => void): void {
    this.bytes = bytes;
    this.at = start;
    this.end = end;
    let begun = false;
    while (this.at < this.end) {
      const first = bytes[this.at] ?? 0;
      if (first >= 0x80) {
        onField(this.entry(this.integer(7)));
      } else if (first >= 0x40) {
        const field = this.literal(6);
        this.insert(field);
        onField(field);
      } else if (first >= 0x20) {
        if (begun) throw new HpackError("the size of the table changes in the middle of a block");
        this.resize(this.integer(5));
        continue;
      } else {
        onField(this.literal(4));
      }
      begun = true;
    }
  }

  private literal(prefixBits: number): HeaderField {
    const index = this.integer(prefixBits);
    const name = index === 0 ? this.string() : this.entry(index).name;
    return new HeaderField(name, this.string());
  }

  private entry(index: number): HeaderField {
    const field =
      index < STATIC_TABLE.length
        ? STATIC_TABLE[index]
        : this.entries.length - this.head > index - STATIC_TABLE.length
          ? this.entries[this.entries.length - 1 - (index - STATIC_TABLE.length)]
          : undefined;
    if (field === undefined) throw new HpackError("an index beyond the tables");
    return field;
  }

  private insert(field: HeaderField): void {
    this.evict(this.tableLimit - field.size);
    if (field.size > this.tableLimit) return;
    this.entries.push(field);
    this.tableBytes += field.size;
  }

  private resize(limit: number): void {
    if (limit > this.maxTableBytes) throw new HpackError("a table larger than was allowed");
    this.tableLimit = limit;
    this.evict(limit);
  }

  /** Drops the oldest entries until the others take at most `limit` bytes. */
  private evict(limit: number): void {
    while (this.tableBytes > Math.max(0, limit)) this.tableBytes -= this.entries[this.head++]?.size ?? 0;
    if (this.head < COMPACT_AT) return;
    this.entries = this.entries.slice(this.head);
    this.head = 0;
  }

  /** RFC 7541 §5.1. */
  private integer(prefixBits: number): number {
    const mask = (1 << prefixBits) - 1;
    let value = this.byte() & mask;
    if (value < mask) return value;
    for (let shift = 0; ; shift += 7) {
      const byte = this.byte();
      // Four bytes of seven bits, and then no more than fits.
      value += (byte & 0x7f) * 2 ** shift;
      if (shift > 28 || value > MAX_INTEGER) throw new HpackError("too large a number");
      if (byte < 0x80) return value;
    }
  }

  private string(): string {
    const isHuffman = (this.bytes[this.at] ?? 0) >= 0x80;
    const length = this.integer(7);
    const start = this.at;
    if (length > this.end - start) throw new HpackError("a string that is cut off");
    this.at = start + length;
    return isHuffman ? decodeHuffman(this.bytes, start, this.at) : this.bytes.toString("latin1", start, this.at);
  }

  private byte(): number {
    if (this.at >= this.end) throw new HpackError("a block that is cut off");
    return this.bytes[this.at++] ?? 0;
  }
}
