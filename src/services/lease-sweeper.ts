import type { Clock } from "../lib/clock.js";
import type { Expired, Storage } from "../storage/storage.js";
import { SweepLoop, type SweepLoopOptions } from "./sweep-loop.js";

export interface LeaseSweeperOptions extends SweepLoopOptions {
  readonly clock: Clock;
  /** Told after each sweep that changed something. */
  readonly onExpired?: (expired: Expired) => void;
  /** Told when the mass-expiry brake takes hold, and with 0 when it lets go. */
  readonly onBrake?: (braked: number) => void;
}

/** Looks for leases that ran out. Every replica runs one: the storage decides, so that two do no harm. */
export class LeaseSweeper {
  private readonly loop: SweepLoop;
  private suspectedCount = 0;
  private lostCount = 0;
  private brakedNow = 0;
  /** When the last sweep that reached the storage ended, by the monotonic clock. */
  private sweptAt: number;

  constructor(
    private readonly storage: Pick<Storage, "expireLeases">,
    private readonly options: LeaseSweeperOptions,
  ) {
    this.sweptAt = options.clock.monotonic();
    this.loop = new SweepLoop(() => this.expire(), options);
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
    this.sweptAt = this.options.clock.monotonic();
    this.loop.start();
  }

  stop(): void {
    this.loop.stop();
  }

  /** Sweeps once, now. Never throws. */
  sweep(): Promise<void> {
    return this.loop.once();
  }

  private async expire(): Promise<void> {
    const { clock, intervalMs, onExpired, onBrake } = this.options;
    // What goes beyond the interval is time in which nobody could have renewed: this process stood still, or its storage was away.
    const stalledMs = Math.max(0, clock.monotonic() - this.sweptAt - intervalMs);
    const expired = await this.storage.expireLeases({ stalledMs });
    this.sweptAt = clock.monotonic();
    this.suspectedCount += expired.suspected;
    this.lostCount += expired.lost;
    if (expired.suspected > 0 || expired.lost > 0) onExpired?.(expired);
    if (expired.braked > 0 !== this.brakedNow > 0) onBrake?.(expired.braked);
    this.brakedNow = expired.braked;
  }
}
