/**
 * The Huffman code of HPACK (RFC 7541 §5.2, Appendix B). It is canonical: codes of one length follow each other in the order of their
 * symbols, so that the lengths say everything. It is decoded half a byte at a time by a table made of them when it is first needed.
 */
import { HpackError } from "./field.js";

/** The length of each symbol's code, in bits, as runs of `length` or `length*count`; the last one ends a string. */
const LENGTHS =
  "13 23 28*7 24 30 28*2 30 28*8 30 28*9 6 10*2 12 13 6 8 11 10*2 8 11 8 6*3 5*3 6*7 7 8 15 6 12 10 13 6 7*22 8 7 8 13 19 13 14 6 15 " +
  "5 6 5 6 5 6*3 5 7*2 6*3 5 6 7 6 5*2 6 7*5 15 11 14 13 28 20 22 20*2 22*3 23 22 23*5 24 23 24*2 22 23 24 23*4 21 22 23 22 23*2 24 " +
  "22 21 20 22*2 23*2 21 23 22*2 24 21 22 23*2 21*2 22 21 23 22 23*2 20 22*3 23 22*2 23 26*2 20 19 22 23 22 25 26*3 27*2 26 24 25 " +
  "19 21 26 27*2 26 27 24 21*2 26*2 28 27*3 20 24 20 21 22 21*2 23 22*2 25*2 24*2 26 23 26 27 26*2 27*5 28 27*5 26 30";
const END_OF_STRING = 256;
const MAX_PADDING_BITS = 7;

/** A state is an inner node of the code's tree; 16 entries for each. An entry: the next state, whether a symbol came, and which. */
const SYMBOL = 1 << 8;
const FAILED = 1 << 9;
const STATE_SHIFT = 10;

interface Tables {
  readonly transitions: Int32Array;
  /** How deep each state lies when only ones led to it; more than {@link MAX_PADDING_BITS} when something else did. */
  readonly padding: Uint8Array;
}

let tables: Tables | undefined;

/** Decodes `bytes` from `start` to `end`. @throws HpackError for padding that may not be */
export function decodeHuffman(bytes: Buffer, start: number, end: number): string {
  const { transitions, padding } = (tables ??= build());
  const out = room(Math.ceil(((end - start) * 8) / 5));
  let length = 0;
  let state = 0;
  for (let at = start; at < end; at += 1) {
    const byte = bytes[at] ?? 0;
    for (let half = byte >> 4, last = false; ; half = byte & 15, last = true) {
      const entry = transitions[state * 16 + half] ?? FAILED;
      if ((entry & FAILED) !== 0) throw new HpackError("a string that ends too early");
      if ((entry & SYMBOL) !== 0) out[length++] = entry & 0xff;
      state = entry >> STATE_SHIFT;
      if (last) break;
    }
  }
  if ((padding[state] ?? 8) > MAX_PADDING_BITS) throw new HpackError("padding that may not be");
  return out.toString("latin1", 0, length);
}

let scratch = Buffer.alloc(0);

function room(bytes: number): Buffer {
  if (scratch.length < bytes) scratch = Buffer.allocUnsafe(Math.max(1024, bytes));
  return scratch;
}

/** An inner node is the number of its state, a leaf ~symbol. */
type Tree = [zero: number, one: number][];

function build(): Tables {
  const tree = treeOf(lengths());
  const transitions = new Int32Array(tree.length * 16);
  for (let state = 0; state < tree.length; state += 1) {
    for (let half = 0; half < 16; half += 1) transitions[state * 16 + half] = step(tree, state, half);
  }
  const padding = new Uint8Array(tree.length).fill(MAX_PADDING_BITS + 1);
  for (let state = 0, depth = 0; state >= 0 && depth <= MAX_PADDING_BITS; depth += 1) {
    padding[state] = depth;
    state = tree[state]?.[1] ?? -1;
  }
  return { transitions, padding };
}

/** Four bits further. No code is shorter than five, so that at most one symbol comes. */
function step(tree: Tree, from: number, half: number): number {
  let state = from;
  let symbol = 0;
  for (let bit = 3; bit >= 0; bit -= 1) {
    const next = tree[state]?.[((half >> bit) & 1) as 0 | 1] ?? 0;
    state = next;
    if (next >= 0) continue;
    if (~next === END_OF_STRING) return FAILED;
    symbol = SYMBOL | ~next;
    state = 0;
  }
  return (state << STATE_SHIFT) | symbol;
}

function treeOf(codeLengths: readonly number[]): Tree {
  const tree: Tree = [[0, 0]];
  const symbols = codeLengths.map((_, symbol) => symbol);
  symbols.sort((a, b) => (codeLengths[a] ?? 0) - (codeLengths[b] ?? 0) || a - b);
  let code = 0;
  let before = 0;
  for (const symbol of symbols) {
    const length = codeLengths[symbol] ?? 0;
    code <<= length - before;
    before = length;
    insert(tree, code, length, symbol);
    code += 1;
  }
  return tree;
}

function insert(tree: Tree, code: number, length: number, symbol: number): void {
  let state = 0;
  for (let bit = length - 1; bit >= 0; bit -= 1) {
    const node = tree[state];
    const side = ((code >> bit) & 1) as 0 | 1;
    if (node === undefined) return;
    if (bit === 0) node[side] = ~symbol;
    else if (node[side] === 0) node[side] = tree.push([0, 0]) - 1;
    state = node[side];
  }
}

function lengths(): number[] {
  return LENGTHS.split(" ").flatMap((run) => {
    const [length = 0, count = 1] = run.split("*").map(Number);
    return Array.from({ length: count }, () => length);
  });
}
