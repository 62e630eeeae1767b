/**
 * UUIDv7 (RFC 9562 §5.7): ids that sort by the time they were made, so that lists and logs read in order.
 *
 * Ids of one generator always grow, also within a millisecond and when the clock goes back: the twelve bits after the time are
 * a counter (§6.2, method 1) that starts at random in its lower half, and an exhausted counter borrows from the next millisecond.
 *
 * @param now milliseconds since 1970
 */
export function createUuid7(now: () => number = Date.now): () => string {
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  let time = -1;
  let counter = 0;
  return () => {
    crypto.getRandomValues(bytes);
    const current = Math.floor(now());
    if (current > time || counter === 0xfff) {
      time = Math.max(current, time + 1);
      counter = view.getUint16(6) & 0x7ff;
    } else {
      counter += 1;
    }
    view.setUint16(0, time / 2 ** 32);
    view.setUint32(2, time);
    view.setUint16(6, 0x7000 | counter);
    view.setUint8(8, 0x80 | (view.getUint8(8) & 0x3f));
    return format(bytes);
  };
}

function format(bytes: Uint8Array): string {
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}
