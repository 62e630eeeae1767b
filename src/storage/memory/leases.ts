import type { Clock } from "../../lib/clock.js";
import { Liveness, type Agent } from "../records.js";
import { isTerminal } from "../state-machine.js";
import { BRAKE_MIN_AGENTS, BRAKE_SHARE, type Expired, type RenewedLease } from "../storage.js";
import type { Commits } from "./commits.js";
import { NEVER, type AgentEntry } from "./entries.js";
import { observedState } from "./state-records.js";
import { TimerWheel } from "./timer-wheel.js";

const NO_LEASE: RenewedLease = { leaseTtlMs: 0, remainingMs: 0 };

/** How long after its deadline a lease makes its agent LOST, as a share of the lease. */
const GRACE_SHARE = 0.5;

/**
 * The leases. An agent that has one is in exactly one place: on the wheel (ALIVE or SUSPECT), in `overdue` (SUSPECT, its time to
 * become LOST has come), or in neither (LOST). A FINISHED agent's lease is over: nobody waits for its next sign of life.
 *
 * The wheel is lazy. A renewal only moves the deadline of the entry; the sweep that finds an entry too early puts it back.
 */
export class Leases {
  private readonly wheel: TimerWheel<AgentEntry>;
  private readonly overdue = new Set<AgentEntry>();

  constructor(
    private readonly clock: Clock,
    private readonly commits: Commits,
  ) {
    this.wheel = new TimerWheel(clock.monotonic());
  }

  /** Begins the lease of an agent that was registered or got another lease; ends it where there is none. */
  begin(entry: AgentEntry): void {
    this.end(entry);
    if (entry.record.leaseTtlMs === 0 || isTerminal(entry.state.state)) return;
    entry.leaseDeadline = this.clock.monotonic() + entry.record.leaseTtlMs;
    this.wheel.schedule(entry, entry.leaseDeadline);
  }

  /** Ends a lease: the agent is gone, has finished, or shall not expire any more. */
  end(entry: AgentEntry): void {
    entry.leaseDeadline = NEVER;
    this.wheel.remove(entry);
    this.overdue.delete(entry);
  }

  /** Moves the deadline, the agent having shown that it is alive. Commits nothing: the caller makes a LOST agent ALIVE. */
  extend(entry: AgentEntry): void {
    if (entry.leaseDeadline === NEVER) return;
    entry.leaseDeadline = this.clock.monotonic() + entry.record.leaseTtlMs;
    if (entry.state.liveness === Liveness.ALIVE) return;
    this.overdue.delete(entry);
    this.wheel.schedule(entry, entry.leaseDeadline);
  }

  /** Renews a lease; commits LIVENESS when the agent was not ALIVE. */
  renew(entry: AgentEntry): RenewedLease {
    this.extend(entry);
    if (entry.state.liveness !== Liveness.ALIVE) this.observe(entry, Liveness.ALIVE);
    if (entry.leaseDeadline === NEVER) return NO_LEASE;
    return { leaseTtlMs: entry.record.leaseTtlMs, remainingMs: entry.record.leaseTtlMs };
  }

  /**
   * Follows a change of `leaseTtlMs`; commits nothing. An ALIVE agent's lease begins anew; of one that is SUSPECT or LOST it counts
   * from its next renewal, for to change an agent's data is no sign of its life.
   */
  follow(entry: AgentEntry): void {
    if (entry.record.leaseTtlMs === 0) this.end(entry);
    else if (entry.state.liveness === Liveness.ALIVE) this.begin(entry);
  }

  /** An agent as of now. */
  view(entry: AgentEntry): Agent {
    return { record: entry.record, state: entry.state, leaseExpireTime: this.expireTime(entry) };
  }

  /** When the entry's lease runs out, by the wall clock. */
  expireTime(entry: AgentEntry): number | undefined {
    if (entry.leaseDeadline === NEVER) return undefined;
    return Math.round(this.clock.now() + entry.leaseDeadline - this.clock.monotonic());
  }

  /** Expires what is due; see the contract for the stall and the brake. */
  sweep(stalledMs: number): Expired {
    const now = this.clock.monotonic();
    if (stalledMs > 0) this.forgiveOverdue(now, stalledMs);
    const suspected = this.sweepWheel(now, stalledMs);
    const brakes =
      this.overdue.size >= BRAKE_MIN_AGENTS && this.overdue.size > BRAKE_SHARE * (this.wheel.size + this.overdue.size);
    if (brakes) return { suspected, lost: 0, braked: this.overdue.size };
    return { suspected, lost: this.lose(() => true), braked: 0 };
  }

  /** Makes LOST what the brake holds in one namespace. Answers how many. */
  confirm(namespace: string): number {
    return this.lose((entry) => entry.record.namespace === namespace);
  }

  private sweepWheel(now: number, stalledMs: number): number {
    let suspected = 0;
    this.wheel.turn(now, (entry) => {
      const { leaseDeadline, record } = entry;
      const lostAt = leaseDeadline + record.leaseTtlMs * GRACE_SHARE;
      if (leaseDeadline > now) {
        this.wheel.schedule(entry, leaseDeadline);
      } else if (record.leaseTtlMs <= stalledMs) {
        this.forgive(entry, now);
      } else {
        if (entry.state.liveness === Liveness.ALIVE) {
          this.observe(entry, Liveness.SUSPECT);
          suspected += 1;
        }
        if (lostAt > now) this.wheel.schedule(entry, lostAt);
        else this.overdue.add(entry);
      }
    });
    return suspected;
  }

  private forgiveOverdue(now: number, stalledMs: number): void {
    for (const entry of this.overdue) {
      if (entry.record.leaseTtlMs > stalledMs) continue;
      this.overdue.delete(entry);
      this.forgive(entry, now);
    }
  }

  /** Gives a fresh lease; the agent's liveness waits for its own renewal. */
  private forgive(entry: AgentEntry, now: number): void {
    entry.leaseDeadline = now + entry.record.leaseTtlMs;
    this.wheel.schedule(entry, entry.leaseDeadline);
  }

  private lose(chosen: (entry: AgentEntry) => boolean): number {
    let lost = 0;
    for (const entry of this.overdue) {
      if (!chosen(entry)) continue;
      this.overdue.delete(entry);
      this.observe(entry, Liveness.LOST);
      lost += 1;
    }
    return lost;
  }

  private observe(entry: AgentEntry, liveness: Liveness): void {
    this.commits.state(entry, observedState(entry.state, liveness, entry.sequence, this.commits.stamp));
  }
}
