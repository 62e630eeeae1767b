/**
 * UUIDv7 (RFC 9562 §5.7): ids that sort by the time they were made, so that lists and logs read in order.
 *
 * Ids of one generator always grow, also within a millisecond and when the clock goes back: the twelve bits after the time are
 * a counter (§6.2, method 1) that starts at random in its lower half, and an exhausted counter borrows from the next millisecond.
 *
 * @param now milliseconds since 1970
 */
export function createUuid7(now: () => number = Date.now): () => string {
  const random = new Uint8Array(10);
  let time = -1;
  let counter = 0;
  return () => {
    crypto.getRandomValues(random);
    const [high = 0, low = 0] = random;
    const current = Math.floor(now());
    if (current > time || counter === 0xfff) {
      time = Math.max(current, time + 1);
      counter = ((high << 8) | low) & 0x7ff;
    } else {
      counter += 1;
    }
    const tail = Buffer.from(random.buffer, 2).toString("hex");
    const variant = ((parseInt(tail.slice(0, 2), 16) & 0x3f) | 0x80).toString(16);
    const head = time.toString(16).padStart(12, "0");
    return [
      head.slice(0, 8),
      head.slice(8),
      `7${counter.toString(16).padStart(3, "0")}`,
      `${variant}${tail.slice(2, 4)}`,
      tail.slice(4),
    ].join("-");
  };
}
