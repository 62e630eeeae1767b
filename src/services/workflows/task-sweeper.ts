import type { Clock } from "../../lib/clock.js";
import type { Storage } from "../../storage/storage.js";
import { SweepLoop, type SweepLoopOptions } from "../sweep-loop.js";

/**
 * After a stall that was longer than this, attempts are given as much time as the stall took, at most {@link MAX_GRACE_MS}, before any
 * is taken from its agent: renewals may have been waiting behind the same stall.
 */
const STALL_MS = 1_000;
/** Agents renew at a third of a lease, so that one round of renewals fits in. */
const MAX_GRACE_MS = 10_000;

export interface TaskSweeperOptions extends SweepLoopOptions {
  readonly clock: Clock;
  /** From 0 up to 1; for tests. */
  readonly random?: () => number;
  /** Told after each sweep that found something. */
  readonly onExpired?: (count: number) => void;
}

/** Looks for attempts whose lease or time ran out. Every replica runs one, as with the leases of agents. */
export class TaskSweeper {
  private readonly loop: SweepLoop;
  private expiredCount = 0;
  /** When the storage last answered, and until when no attempt is ended, by the monotonic clock. */
  private answeredAt: number;
  private graceUntil = 0;

  constructor(
    private readonly storage: Pick<Storage, "expireTasks" | "ready">,
    private readonly options: TaskSweeperOptions,
  ) {
    this.answeredAt = options.clock.monotonic();
    this.loop = new SweepLoop(() => this.expire(), options);
  }

  /** How many attempts this replica ended. */
  get expired(): number {
    return this.expiredCount;
  }

  start(): void {
    this.answeredAt = this.options.clock.monotonic();
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
    const { clock, intervalMs, random = Math.random, onExpired } = this.options;
    const now = clock.monotonic();
    const stalledMs = now - this.answeredAt - intervalMs;
    if (stalledMs > STALL_MS) {
      if (!(await this.storage.ready())) throw new Error("the storage cannot be reached");
      this.answeredAt = clock.monotonic();
      this.graceUntil = this.answeredAt + Math.min(stalledMs, MAX_GRACE_MS);
    }
    if (now < this.graceUntil) {
      this.answeredAt = clock.monotonic();
      return;
    }
    const count = await this.storage.expireTasks({ jitter: random() });
    this.answeredAt = clock.monotonic();
    this.expiredCount += count;
    if (count > 0) onExpired?.(count);
  }
}
