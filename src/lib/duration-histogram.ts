/**
 * How often something took how long, as plain numbers that somebody reads when asked for metrics: a measurement pays for a few
 * additions, not for a metrics library.
 */
export class DurationHistogram {
  /** How many took no longer than each of the bounds, and longer than the one before; the last: longer than all of them. */
  readonly counts: Float64Array;
  /** What they took together, in seconds. */
  seconds = 0;

  /** @param bounds upper bounds, in seconds, growing */
  constructor(readonly bounds: readonly number[]) {
    this.counts = new Float64Array(bounds.length + 1);
  }

  observe(ms: number): void {
    const seconds = ms / 1000;
    this.seconds += seconds;
    let bucket = 0;
    while (seconds > (this.bounds[bucket] ?? Infinity)) bucket += 1;
    this.counts[bucket] = (this.counts[bucket] ?? 0) + 1;
  }
}
