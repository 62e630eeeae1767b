import { OpsCoreError, serverStopping } from "../errors/index.js";
import { chain, type Awaitable } from "../lib/awaitable.js";
import { MAX_TIMER_MS } from "../lib/clock.js";
import {
  AgentChangeType,
  Liveness,
  type AgentChange,
  type Change,
  type State,
  type StateRecord,
} from "../storage/records.js";
import type { AgentKey, Position, Storage } from "../storage/storage.js";
import type { WatchHub } from "./hub.js";
import type { ChangeSink } from "./router.js";

/** How a wait ended. The numbers are those of `opscore.v1.WaitOutcome`. */
export const WaitOutcome = { REACHED: 1, FAILED: 2, DEREGISTERED: 3, LOST: 4 } as const;
export type WaitOutcome = (typeof WaitOutcome)[keyof typeof WaitOutcome];

export interface WaitRequest extends AgentKey {
  /** Any of these ends the wait with REACHED. */
  readonly states: readonly State[];
  /** Any of these ends the wait with FAILED. */
  readonly failStates: readonly State[];
  readonly failOnLost: boolean;
  /** Undefined: the current state counts. Otherwise only what was committed after it. */
  readonly afterRevision: number | undefined;
  /** In milliseconds; undefined: without end. */
  readonly timeoutMs: number | undefined;
  /** The caller goes away. */
  readonly signal: AbortSignal;
}

export interface WaitResult {
  readonly outcome: WaitOutcome;
  readonly state: StateRecord;
}

/** The time to wait ran out. */
export class WaitTimedOut extends OpsCoreError {
  constructor(
    agentId: string,
    /** What was known of the agent last, if anything. */
    readonly lastState: StateRecord | undefined,
  ) {
    super("WAIT_TIMED_OUT", `agent ${agentId} did not get there in time`, { agent_id: agentId });
  }
}

const HISTORY_PAGE = 1000;
/** How long to wait before a storage that is away is asked again, in milliseconds. */
const RETRY_MS = 250;

/**
 * Waits until an agent is in one of some states.
 *
 * @throws WAIT_TIMED_OUT, STORAGE_UNAVAILABLE (at its beginning only), SERVER_STOPPING; the signal's reason when the caller goes away
 */
export function waitForState(
  hub: WatchHub,
  storage: Pick<Storage, "getState" | "readHistory">,
  request: WaitRequest,
): Promise<WaitResult> {
  if (hub.isStopped) return Promise.reject(serverStopping());
  return new Promise((resolve, reject) => new Wait(hub, storage, request, resolve, reject).start());
}

/**
 * One wait. It listens first and reads then, so that nothing falls between: what is committed during the reading is kept and
 * judged after it, in commit order.
 */
class Wait implements ChangeSink {
  private last: StateRecord | undefined;
  /** Up to this revision everything was judged. */
  private judged = 0;
  /** Whether the current state counts, or only what comes after `judged`. */
  private currentCounts: boolean;
  /** What arrived during the reading; undefined when nothing is read. */
  private meanwhile: AgentChange[] | undefined;
  /** The agent was not there: what was committed up to here, such as its removal, was before the wait, however late the log tells of it. */
  private floor: Position | undefined;
  /** How often the log was lost: what was asked for before says nothing any more. */
  private losses = 0;
  private timer: NodeJS.Timeout | undefined;
  private retry: NodeJS.Timeout | undefined;
  /** Something was read: from then on a storage that is away is waited for. */
  private begun = false;
  private over = false;

  constructor(
    private readonly hub: WatchHub,
    private readonly storage: Pick<Storage, "getState" | "readHistory">,
    private readonly request: WaitRequest,
    private readonly resolve: (result: WaitResult) => void,
    private readonly reject: (reason: unknown) => void,
  ) {
    this.currentCounts = request.afterRevision === undefined;
    this.judged = request.afterRevision ?? 0;
  }

  start(): void {
    const { namespace, agentId, signal, timeoutMs } = this.request;
    if (signal.aborted) {
      this.reject(signal.reason);
      return;
    }
    this.hub.settle();
    this.hub.stats.waits += 1;
    this.hub.router.add(this, { kind: "agent", namespace, by: "id", ids: [agentId] });
    signal.addEventListener("abort", this.onAbort, { once: true });
    // An end further away needs no timer.
    if (timeoutMs !== undefined && timeoutMs <= MAX_TIMER_MS) this.timer = setTimeout(this.onTimeout, timeoutMs);
    this.read();
  }

  offer(change: Change): boolean {
    if (change.kind !== "agent") return false;
    if (this.meanwhile === undefined) this.judgeChange(change);
    else this.meanwhile.push(change);
    return false;
  }

  flush(): void {
    // Judged when offered.
  }

  /** Data was lost: revisions from before say nothing any more, so the current state counts. */
  lost(): void {
    this.losses += 1;
    this.judged = 0;
    this.floor = undefined;
    this.currentCounts = true;
    if (this.meanwhile === undefined) this.read();
    else this.meanwhile = [];
  }

  stop(): void {
    this.finish();
    this.reject(serverStopping());
  }

  private read(): void {
    this.meanwhile ??= [];
    const { losses } = this;
    try {
      const read = this.currentCounts ? this.readCurrent(losses) : this.readHistory(losses);
      const done = chain(read, () => (losses === this.losses ? this.judgeMeanwhile() : this.read()));
      if (done instanceof Promise) done.catch((thrown: unknown) => this.recover(thrown));
    } catch (thrown) {
      this.recover(thrown);
    }
  }

  /** A storage that goes away under an open wait is asked again; any other failure ends it, and so does one at its beginning. */
  private recover(thrown: unknown): void {
    if (this.over) return;
    if (this.begun && thrown instanceof OpsCoreError && thrown.reason === "STORAGE_UNAVAILABLE") {
      this.retry = setTimeout(() => this.read(), thrown.retryAfterMs ?? RETRY_MS).unref();
      return;
    }
    this.finish();
    this.reject(thrown);
  }

  private readCurrent(losses: number): Awaitable<void> {
    return chain(this.storage.getState(this.request), (state) => {
      if (losses !== this.losses) return;
      if (state === undefined) return this.readFloor(losses);
      // It passed through these while the storage was away. At the first reading they may be of before the wait: the log is behind.
      if (this.begun) {
        for (const passed of this.meanwhile ?? []) if (passed.state.revision < state.revision) this.judge(passed.state);
      }
      if (this.over) return;
      this.last = state;
      this.judged = state.revision;
      const outcome = this.outcomeOf(state.state) ?? this.outcomeOfLoss(state);
      if (outcome !== undefined) this.succeed(outcome, state);
    });
  }

  /** There is no such agent: what was before now is none of the wait's affair. */
  private readFloor(losses: number): Awaitable<void> {
    if (this.begun || this.floor !== undefined) return;
    return chain(this.hub.storage.head(), (head) => {
      if (losses !== this.losses) return;
      this.floor = head;
      // It may have come before the head was read.
      return this.readCurrent(losses);
    });
  }

  private readHistory(losses: number): Awaitable<void> {
    const { namespace, agentId } = this.request;
    const query = { namespace, agentId, afterRevision: this.judged, limit: HISTORY_PAGE };
    return chain(this.storage.readHistory(query), (page) => {
      if (losses !== this.losses) return;
      this.last ??= page?.before;
      for (const state of page?.entries ?? []) this.judge(state);
      if (page?.more === true && !this.over) return this.readHistory(losses);
    });
  }

  private judgeMeanwhile(): void {
    this.begun = true;
    const meanwhile = this.meanwhile ?? [];
    this.meanwhile = undefined;
    for (const change of meanwhile) this.judgeChange(change);
  }

  private judgeChange({ partition, revision, state }: AgentChange): void {
    if (revision > (this.floor?.revisions[partition] ?? 0)) this.judge(state);
  }

  /** Looks at a state that was committed during the wait, or after the revision that the caller named. */
  private judge(state: StateRecord): void {
    if (state.revision <= this.judged || this.over) return;
    this.judged = state.revision;
    this.last = state;
    const outcome = this.outcomeOfCommit(state);
    if (outcome !== undefined) this.succeed(outcome, state);
  }

  private outcomeOfCommit(state: StateRecord): WaitOutcome | undefined {
    switch (state.cause) {
      case AgentChangeType.DEREGISTERED:
        return WaitOutcome.DEREGISTERED;
      case AgentChangeType.LIVENESS:
        // What the agent does was judged when it was reported.
        return this.outcomeOfLoss(state);
      case AgentChangeType.REGISTERED:
      case AgentChangeType.TRANSITION:
      case AgentChangeType.UPDATED:
        return this.outcomeOf(state.state);
    }
  }

  private outcomeOf(state: State): WaitOutcome | undefined {
    if (this.request.states.includes(state)) return WaitOutcome.REACHED;
    return this.request.failStates.includes(state) ? WaitOutcome.FAILED : undefined;
  }

  private outcomeOfLoss({ liveness }: StateRecord): WaitOutcome | undefined {
    return this.request.failOnLost && liveness === Liveness.LOST ? WaitOutcome.LOST : undefined;
  }

  private succeed(outcome: WaitOutcome, state: StateRecord): void {
    this.finish();
    this.resolve({ outcome, state });
  }

  private readonly onAbort = (): void => {
    this.finish();
    this.reject(this.request.signal.reason);
  };

  private readonly onTimeout = (): void => {
    this.finish();
    this.reject(new WaitTimedOut(this.request.agentId, this.last));
  };

  private finish(): void {
    if (this.over) return;
    this.over = true;
    this.hub.stats.waits -= 1;
    this.hub.router.remove(this);
    this.request.signal.removeEventListener("abort", this.onAbort);
    clearTimeout(this.timer);
    clearTimeout(this.retry);
  }
}
