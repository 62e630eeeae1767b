/** How often a client may do what costs more here than there: many times at once, but not again and again. */
export class Budget {
  private left: number;
  private since = performance.now();

  constructor(
    private readonly burst: number,
    private readonly perSecond: number,
  ) {
    this.left = burst;
  }

  /** @returns whether one more may be */
  take(): boolean {
    if (this.left < 1) {
      const now = performance.now();
      this.left = Math.min(this.burst, this.left + ((now - this.since) / 1000) * this.perSecond);
      this.since = now;
      if (this.left < 1) return false;
    }
    this.left -= 1;
    return true;
  }
}
