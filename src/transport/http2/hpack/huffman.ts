import { HpackError } from "./error.js";

/**
 * How many bits the code of each symbol has (RFC 7541, Appendix B), as base 36 digits: 256 byte values and, last, EOS. The code is
 * canonical, codes of one length count up in the order of their symbols, so the lengths say all of it.
 */
const CODE_LENGTHS =
  "dnsssssssoussussssssssusssssssss6aacd68baa8b8666555666666678f6ca" +
  "d67777777777777777777777878djde6f56565666577666567655677777fbeds" +
  "kmkkmmmnmnnnnnonoomnonnnnlmnmnnomlkmmnnlnmmolmnnllmlnmnnkmmmnmmn" +
  "qqkjmnmpqqqrrqopjlqrrqrollqqsrrrkoklmllnmmppooqnqrqqrrrrrsrrrrrq" +
  "u";
const LONGEST_CODE_BITS = 30;
const EOS = 256;
/** A code of n symbols is a tree of n - 1 inner nodes. */
const NODES = EOS;

/** The tail of a string that is no code is at most this many bits, all of them ones (RFC 7541 5.2). */
const MAX_PADDING_BITS = 7;

/** An entry of the table: the symbol in the low byte, what to do with it, and above it where the next nibble is looked up. */
const EMITS = 0x100;
const FAILS = 0x200;
const NEXT_SHIFT = 10;

/** The shortest code has 5 bits. */
const MAX_EXPANSION = 8 / 5;

/** Strings of headers are short; what decodes to more gets memory of its own. */
const SCRATCH_BYTES = 16 * 1024;

/** A state machine that takes four bits a step: entry `node << 4 | nibble`. */
let table: Uint32Array | undefined;
let scratch: Buffer | undefined;

/**
 * Decodes a Huffman-coded string to latin1.
 *
 * @throws HpackError if the padding is longer than 7 bits or not all ones, or if there is an EOS
 */
export function decodeHuffman(bytes: Buffer, start: number, end: number): string {
  const steps = (table ??= buildTable());
  const most = Math.ceil((end - start) * MAX_EXPANSION);
  const out = most <= SCRATCH_BYTES ? (scratch ??= Buffer.allocUnsafeSlow(SCRATCH_BYTES)) : Buffer.allocUnsafe(most);
  let length = 0;
  let state = 0;
  // An EOS is seen at the end: what failed stays so.
  let seen = 0;
  for (let i = start; i < end; i++) {
    const byte = bytes[i] ?? 0;
    const high = steps[state | (byte >> 4)] ?? FAILS;
    if ((high & EMITS) !== 0) out[length++] = high;
    const low = steps[(high >> NEXT_SHIFT) | (byte & 15)] ?? FAILS;
    if ((low & EMITS) !== 0) out[length++] = low;
    state = low >> NEXT_SHIFT;
    seen |= high | low;
  }
  if ((seen & FAILS) !== 0) throw new HpackError("a Huffman-coded string has an EOS");
  // The nodes that only ones lead to have the number of these ones (see buildTree).
  if (state >> 4 > MAX_PADDING_BITS) throw new HpackError("a Huffman-coded string ends in the middle of a symbol");
  return out.toString("latin1", 0, length);
}

/** Two children for each node: the number of a node, or the complement of a symbol. */
function buildTree(): Int16Array {
  const tree = new Int16Array(2 * NODES);
  let nodes = 1;
  const insert = (symbol: number, code: number, bits: number): void => {
    let node = 0;
    for (let bit = bits - 1; bit > 0; bit--) {
      const child = 2 * node + ((code >> bit) & 1);
      // Nothing leads back to the root, so 0 says that nothing is there.
      node = tree[child] ||= nodes++;
    }
    tree[2 * node + (code & 1)] = ~symbol;
  };
  // EOS is the longest code, all ones. It goes first: node n, up to 29, is the one that n ones lead to.
  insert(EOS, 2 ** LONGEST_CODE_BITS - 1, LONGEST_CODE_BITS);
  let code = 0;
  for (let bits = 1; bits <= LONGEST_CODE_BITS; bits++, code <<= 1) {
    const digit = bits.toString(36);
    for (let s = CODE_LENGTHS.indexOf(digit); s !== -1 && s < EOS; s = CODE_LENGTHS.indexOf(digit, s + 1)) {
      insert(s, code++, bits);
    }
  }
  return tree;
}

function buildTable(): Uint32Array {
  const tree = buildTree();
  const steps = new Uint32Array(NODES << 4);
  for (let i = 0; i < steps.length; i++) {
    let node = i >> 4;
    let emitted = 0;
    // A symbol is at least 5 bits, so that four bits end at most one.
    for (let bit = 3; bit >= 0; bit--) {
      node = tree[2 * node + ((i >> bit) & 1)] ?? 0;
      if (node < 0) {
        emitted = ~node === EOS ? FAILS : EMITS | ~node;
        node = 0;
      }
    }
    steps[i] = (node << (4 + NEXT_SHIFT)) | emitted;
  }
  return steps;
}
