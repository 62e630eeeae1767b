import { DurationHistogram } from "../../lib/duration-histogram.js";

/** The upper bounds of the histogram, in seconds. No attempt takes much longer than the last one. */
export const ATTEMPT_BOUNDS: readonly number[] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** What this replica has sent for webhooks, since it started. */
export class WebhookStats {
  /** Attempts that were answered with 2xx. */
  delivered = 0;
  /** Attempts that failed; those that were cut off here are not attempts. */
  failed = 0;
  /** Messages that were given up. */
  dead = 0;
  /** How long attempts took. */
  readonly durations = new DurationHistogram(ATTEMPT_BOUNDS);

  count(isDelivered: boolean, durationMs: number): void {
    if (isDelivered) this.delivered += 1;
    else this.failed += 1;
    this.durations.observe(durationMs);
  }
}
