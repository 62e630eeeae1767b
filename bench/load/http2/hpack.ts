/**
 * Header blocks as a client sends them (RFC 7541): what was sent before is one byte the next time. No Huffman coding.
 */

export type Field = readonly [name: string, value: string];

/** Entries of the static table that a gRPC request uses. */
const STATIC: ReadonlyMap<string, number> = new Map([
  [":method: POST", 3],
  [":scheme: http", 6],
]);
const STATIC_ENTRIES = 61;
/** What a table may hold unless its decoder says otherwise, and what an entry takes beside its text, in bytes. */
const MAX_TABLE_BYTES = 4096;
const ENTRY_BYTES = 32;

const INDEXED = 0x80;
const LITERAL_AND_REMEMBER = 0x40;

/** The header table of one connection. Its blocks must be sent in the order in which they were made. */
export class HeaderTable {
  private readonly remembered = new Map<string, number>();
  private bytes = 0;

  /** How many fields are remembered. */
  get size(): number {
    return this.remembered.size;
  }

  /** @throws when there are more different fields than the table holds, which no load needs */
  encode(fields: readonly Field[]): Buffer {
    const block: number[] = [];
    for (const [name, value] of fields) this.add(block, name, value);
    return Buffer.from(block);
  }

  private add(block: number[], name: string, value: string): void {
    const key = `${name}: ${value}`;
    const index = STATIC.get(key) ?? this.indexOf(key);
    if (index !== undefined) {
      integer(block, INDEXED, 7, index);
      return;
    }
    this.bytes += name.length + value.length + ENTRY_BYTES;
    if (this.bytes > MAX_TABLE_BYTES) throw new Error(`no room for the header ${name}`);
    this.remembered.set(key, this.remembered.size);
    block.push(LITERAL_AND_REMEMBER);
    text(block, name);
    text(block, value);
  }

  /** The newest entry comes first. */
  private indexOf(key: string): number | undefined {
    const at = this.remembered.get(key);
    return at === undefined ? undefined : STATIC_ENTRIES + this.remembered.size - at;
  }
}

function text(block: number[], value: string): void {
  integer(block, 0, 7, value.length);
  block.push(...Buffer.from(value, "latin1"));
}

/** RFC 7541 §5.1 */
function integer(block: number[], flags: number, prefixBits: number, value: number): void {
  const max = 2 ** prefixBits - 1;
  if (value < max) {
    block.push(flags | value);
    return;
  }
  block.push(flags | max);
  let rest = value - max;
  for (; rest >= 128; rest = Math.floor(rest / 128)) block.push((rest % 128) | 128);
  block.push(rest);
}
