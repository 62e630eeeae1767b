export interface SweepLoopOptions {
  /** The time between two sweeps, in milliseconds. */
  readonly intervalMs: number;
  /** Told of the first of several sweeps in a row that failed; the next one comes all the same. */
  readonly onFailure?: ((thrown: unknown) => void) | undefined;
  /** Told when a sweep went well again. */
  readonly onRecovery?: (() => void) | undefined;
}

/** Sweeps again and again, one sweep at a time. */
export class SweepLoop {
  private timer: NodeJS.Timeout | undefined;
  private stopped = true;
  private failing = false;

  constructor(
    private readonly sweep: () => Promise<void>,
    private readonly options: SweepLoopOptions,
  ) {}

  start(): void {
    this.stopped = false;
    this.schedule();
  }

  stop(): void {
    this.stopped = true;
    clearTimeout(this.timer);
  }

  /** Sweeps once, now. Never throws. */
  async once(): Promise<void> {
    try {
      await this.sweep();
      if (this.failing) this.options.onRecovery?.();
      this.failing = false;
    } catch (thrown) {
      if (this.stopped || this.failing) return;
      this.failing = true;
      this.options.onFailure?.(thrown);
    }
  }

  private schedule(): void {
    this.timer = setTimeout(() => {
      void this.once().then(() => {
        if (!this.stopped) this.schedule();
      });
    }, this.options.intervalMs).unref();
  }
}
