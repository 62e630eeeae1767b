/** Protobuf on the wire, as far as answers are counted without being read. */

const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;

/** How many times a field that is a message or a string stands in the message from `start` to `end`. */
export function countFields(bytes: Buffer, start: number, end: number, field: number): number {
  const wanted = (field << 3) | BYTES;
  let count = 0;
  let at = start;
  while (at < end) {
    // No message here has a field number above 15.
    const tag = bytes[at++] ?? 0;
    if (tag === wanted) count += 1;
    switch (tag & 7) {
      case VARINT:
        while ((bytes[at++] ?? 0) > 127);
        break;
      case FIXED64:
        at += 8;
        break;
      case FIXED32:
        at += 4;
        break;
      case BYTES: {
        let length = 0;
        let scale = 1;
        let byte: number;
        do {
          byte = bytes[at++] ?? 0;
          length += (byte & 127) * scale;
          scale *= 128;
        } while (byte > 127);
        at += length;
        break;
      }
      default:
        throw new Error(`cannot read the answer: tag ${tag}`);
    }
  }
  return count;
}
