const HEADER_BYTES = 5;

/** Counts the envelopes that end in each chunk of a stream. */
export function countEnvelopes(): (chunk: Buffer) => number {
  let rest: Buffer = Buffer.alloc(0);
  return (chunk) => {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let count = 0;
    let at = 0;
    while (bytes.length - at >= HEADER_BYTES) {
      const next = at + HEADER_BYTES + bytes.readUInt32BE(at + 1);
      if (next > bytes.length) break;
      count += 1;
      at = next;
    }
    rest = bytes.subarray(at);
    return count;
  };
}
