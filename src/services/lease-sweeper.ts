import type { Clock } from "../lib/clock.js";
import type { Expired, Storage } from "../storage/storage.js";

export interface LeaseSweeperOptions {
  readonly clock: Clock;
  /** The time between two sweeps, in milliseconds. */
  readonly intervalMs: number;
  /** Told after each sweep that changed something. */
  readonly onExpired?: (expired: Expired) => void;
  /** Told when the mass-expiry brake takes hold, and with 0 when it lets go. */
  readonly onBrake?: (braked: number) => void;
  /** Told of the first of several sweeps in a row that failed; the next one comes all the same. */
  readonly onFailure?: (thrown: unknown) => void;
  /** Told when a sweep went well again. */
  readonly onRecovery?: () => void;
}

/** Looks for leases that ran out. Every replica runs one: the storage decides, so that two do no harm. */
export class LeaseSweeper {
  private timer: NodeJS.Timeout | undefined;
  private stopped = true;
  private suspectedCount = 0;
  private lostCount = 0;
  private brakedNow = 0;
  private failing = false;
  /** When the last sweep that reached the storage ended, by the monotonic clock. */
  private sweptAt: number;

  constructor(
    private readonly storage: Pick<Storage, "expireLeases">,
    private readonly options: LeaseSweeperOptions,
  ) {
    this.sweptAt = options.clock.monotonic();
  }

  /** How many agents this replica found SUSPECT, and LOST. */
  get suspected(): number {
    return this.suspectedCount;
  }

  get lost(): number {
    return this.lostCount;
  }

  /** How many the mass-expiry brake keeps at SUSPECT now. */
  get braked(): number {
    return this.brakedNow;
  }

  start(): void {
    this.stopped = false;
    this.sweptAt = this.options.clock.monotonic();
    this.schedule();
  }

  stop(): void {
    this.stopped = true;
    clearTimeout(this.timer);
  }

  /** Sweeps once, now. Never throws. */
  async sweep(): Promise<void> {
    const { clock, intervalMs, onExpired, onBrake, onFailure, onRecovery } = this.options;
    // What goes beyond the interval is time in which nobody could have renewed: this process stood still, or its storage was away.
    const stalledMs = Math.max(0, clock.monotonic() - this.sweptAt - intervalMs);
    try {
      const expired = await this.storage.expireLeases({ stalledMs });
      this.sweptAt = clock.monotonic();
      if (this.failing) onRecovery?.();
      this.failing = false;
      this.suspectedCount += expired.suspected;
      this.lostCount += expired.lost;
      if (expired.suspected > 0 || expired.lost > 0) onExpired?.(expired);
      if (expired.braked > 0 !== this.brakedNow > 0) onBrake?.(expired.braked);
      this.brakedNow = expired.braked;
    } catch (thrown) {
      if (this.stopped || this.failing) return;
      this.failing = true;
      onFailure?.(thrown);
    }
  }

  private schedule(): void {
    this.timer = setTimeout(() => {
      void this.sweep().then(() => {
        if (!this.stopped) this.schedule();
      });
    }, this.options.intervalMs).unref();
  }
}
