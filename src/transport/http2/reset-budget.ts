/**
 * A client may cancel many watches at once, and that is no attack; one that opens and resets streams as fast as it can is (CVE-2023-44487),
 * and so is one that has us reset them (CVE-2025-8671).
 */
const BURST = 10_000;
const PER_SECOND = 1_000;

/** How many streams a client may still reset. */
export class ResetBudget {
  private left = BURST;
  private since = performance.now();

  /** @returns whether one more may be */
  take(): boolean {
    if (this.left >= 1) {
      this.left -= 1;
      return true;
    }
    const now = performance.now();
    this.left = Math.min(BURST, this.left + ((now - this.since) / 1000) * PER_SECOND);
    this.since = now;
    if (this.left < 1) return false;
    this.left -= 1;
    return true;
  }
}
