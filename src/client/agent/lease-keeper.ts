import { ConnectError, type CallOptions } from "@connectrpc/connect";
import { Ending } from "../ending.js";
import { errorReason, retryAfterMs } from "../errors.js";
import { backoffMs, type RetryPolicy } from "../retry-policy.js";
import { pause, type Scheduler } from "../scheduler.js";

/** What a renewal answered, in milliseconds. */
export interface RenewedLease {
  readonly ttlMs: number;
  readonly remainingMs: number;
}

export interface LeaseKeeperOptions {
  /** How long the lease is that is held, from now, in milliseconds; undefined when that is not known: it is renewed at once. */
  readonly leaseMs: number | undefined;
  readonly renew: (options: CallOptions) => Promise<RenewedLease>;
  /** The lease is somebody else's by now, or may be. Called once. */
  readonly onLost: () => void;
  readonly reconnect: RetryPolicy;
  readonly scheduler: Scheduler;
}

/** A lease is renewed after a third of it, give or take a tenth of that, so that renewals spread out. */
const RENEW_AFTER = 1 / 3;
const RENEW_JITTER = 0.1;
/** For how long a lease of unknown length is taken to last while it has not been renewed. */
const UNKNOWN_LEASE_MS = 10_000;
const MAX_CALL_MS = 10_000;
const MIN_CALL_MS = 1_000;

/**
 * Keeps the lease of one attempt. Whatever happens on the way to the server, it is given up when the server says so, and when it has run
 * out by this side's clock, which began to count no earlier than the server's.
 */
export class LeaseKeeper {
  private readonly ending = new Ending();
  private readonly aborter = new AbortController();

  constructor(private readonly options: LeaseKeeperOptions) {}

  async run(): Promise<void> {
    const { leaseMs, scheduler, reconnect, renew, onLost } = this.options;
    let until = scheduler.monotonic() + (leaseMs ?? UNKNOWN_LEASE_MS);
    let waitMs = leaseMs === undefined ? 0 : this.untilRenewal(leaseMs);
    let failures = 0;
    for (;;) {
      await pause(scheduler, Math.max(0, Math.min(waitMs, until - scheduler.monotonic())), this.ending);
      if (this.ending.hasEnded()) return;
      const askedAt = scheduler.monotonic();
      if (askedAt >= until) break;
      const timeoutMs = Math.min(MAX_CALL_MS, Math.max(MIN_CALL_MS, until - askedAt));
      try {
        const { ttlMs, remainingMs } = await renew({ timeoutMs, signal: this.aborter.signal });
        until = askedAt + remainingMs;
        // Less than a whole lease is left: the attempt's own time ends, and no renewal moves that.
        waitMs = remainingMs < ttlMs ? remainingMs : this.untilRenewal(ttlMs);
        failures = 0;
      } catch (thrown) {
        if (this.ending.hasEnded()) return;
        const failure = ConnectError.from(thrown);
        if (isOver(failure)) break;
        failures += 1;
        waitMs = backoffMs(reconnect, failures, scheduler.random(), retryAfterMs(failure));
      }
    }
    this.stop();
    onLost();
  }

  stop(): void {
    this.ending.end();
    this.aborter.abort();
  }

  private untilRenewal(leaseMs: number): number {
    return Math.floor(leaseMs * RENEW_AFTER * (1 + RENEW_JITTER * (2 * this.options.scheduler.random() - 1)));
  }
}

/** Whether a failure says that the attempt is not the one under way any more. */
export function isOver(failure: ConnectError): boolean {
  const reason = errorReason(failure);
  return reason === "STALE_ATTEMPT" || reason === "TASK_NOT_FOUND";
}
