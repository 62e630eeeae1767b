import { create } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, type CallOptions, type Client } from "@connectrpc/connect";
import { Liveness, type AgentState, type State } from "../../../gen/opscore/v1/common_pb.js";
import {
  WaitForStateResponseSchema,
  WaitOutcome,
  type StateService,
  type WaitForStateResponse,
} from "../../../gen/opscore/v1/state_service_pb.js";
import { isTransient } from "../calls/failures.js";
import type { Ending } from "../ending.js";
import { errorReason, isServerError, lastKnownState, retryAfterMs, waitTimedOut } from "../errors.js";
import { backoffMs, RECONNECT } from "../retry-policy.js";
import { pause, type Scheduler } from "../scheduler.js";
import { Baseline } from "./baseline.js";

/** What to wait for. */
export interface WaitCondition {
  /** The agent, which need not exist yet. */
  readonly agentId: string;
  /** Any of these ends the wait with REACHED. At least one. */
  readonly states: readonly State[];
  /** Any of these ends the wait with FAILED. */
  readonly failStates?: readonly State[] | undefined;
  /** End the wait with LOST when the agent is, or becomes, LIVENESS_LOST. Default false. */
  readonly failOnLost?: boolean | undefined;
  /**
   * Not given: the current state counts, if it matches the wait ends at once. Given: whatever was committed after this revision
   * counts, and the current state by itself does not.
   */
  readonly afterRevision?: bigint | undefined;
}

export interface WaitOptions {
  /** How long to wait, in milliseconds, more than 0. Default: without end. */
  readonly timeoutMs?: number | undefined;
  /** Ends the wait: it fails with code Canceled. */
  readonly signal?: AbortSignal | undefined;
}

/** What a wait needs of the client that it belongs to. */
export interface WaitContext {
  /** Calls that are made once: the wait itself decides what is tried again, and as what. */
  readonly calls: Client<typeof StateService>;
  readonly scheduler: Scheduler;
  readonly lifetime: Ending;
}

/** One call waits no longer than this, so that no proxy takes it for dead, and none is trusted that is. */
const SLICE_MS = 30_000;
/** An answer that is late by more than this does not come. The last one has less: the caller's own time is over then. */
const GRACE_MS = 5_000;
const LAST_GRACE_MS = 500;

/**
 * Waits until an agent is in one of some states, over as many calls, connections and restarts of the server as it takes. A state that
 * the agent passed through after the wait began is not missed, not even when nobody was connected at that moment.
 *
 * @returns how the wait ended, and the state that ended it
 * @throws ConnectError; DEADLINE_EXCEEDED (WAIT_TIMED_OUT) when `timeoutMs` ran out, see `lastKnownState`; INVALID_ARGUMENT
 * @throws RangeError when `timeoutMs` is out of bounds
 */
export async function waitForState(
  { calls, scheduler, lifetime }: WaitContext,
  condition: WaitCondition,
  { timeoutMs, signal }: WaitOptions,
): Promise<WaitForStateResponse> {
  if (timeoutMs !== undefined && !(timeoutMs > 0)) throw new RangeError("timeoutMs must be more than 0");
  const { agentId, afterRevision } = condition;
  const baseline = new Baseline(calls, agentId, afterRevision);
  const deadline = scheduler.monotonic() + (timeoutMs ?? Infinity);
  const leftMs = () => Math.max(1, Math.ceil(deadline - scheduler.monotonic()));
  let lastKnown: AgentState | undefined;
  let failures = 0;

  for (;;) {
    let isLast = false;
    try {
      const current = await baseline.ascertain(within(Math.min(leftMs(), GRACE_MS), signal));
      lastKnown = current ?? lastKnown;
      const outcome = current !== undefined && afterRevision === undefined ? judge(condition, current) : undefined;
      if (current !== undefined && outcome !== undefined) {
        return create(WaitForStateResponseSchema, { outcome, state: current });
      }
      isLast = leftMs() <= SLICE_MS;
      const sliceMs = isLast ? leftMs() : SLICE_MS;
      return await calls.waitForState(
        {
          agentId,
          states: [...condition.states],
          failStates: [...(condition.failStates ?? [])],
          failOnLost: condition.failOnLost ?? false,
          afterRevision: baseline.revision,
          timeout: durationFromMs(sliceMs),
        },
        within(sliceMs + (isLast ? LAST_GRACE_MS : GRACE_MS), signal),
      );
    } catch (thrown) {
      const failure = ConnectError.from(thrown);
      const answered = errorReason(failure) === "WAIT_TIMED_OUT";
      if (answered) lastKnown = lastKnownState(failure) ?? lastKnown;
      else if (!isTransient(failure) && !isOverdue(failure)) throw failure;
      // The server knows only what came after the baseline; what was known before is known here.
      if (answered && isLast) throw waitTimedOut(agentId, lastKnown, failure);

      failures = answered ? 0 : failures + 1;
      const delayMs = answered ? 0 : backoffMs(RECONNECT, failures, scheduler.random(), retryAfterMs(failure));
      await pause(scheduler, Math.min(delayMs, deadline - scheduler.monotonic()), lifetime, signal);
      if (signal?.aborted) throw ConnectError.from(signal.reason, Code.Canceled);
      if (scheduler.monotonic() >= deadline) throw waitTimedOut(agentId, lastKnown, failure);
    }
  }
}

/** The server's own rule, for the state that a wait finds when it begins. */
function judge(condition: WaitCondition, { state, liveness }: AgentState): WaitOutcome | undefined {
  if (condition.states.includes(state)) return WaitOutcome.REACHED;
  if (condition.failStates?.includes(state)) return WaitOutcome.FAILED;
  return condition.failOnLost && liveness === Liveness.LOST ? WaitOutcome.LOST : undefined;
}

/** An answer did not come although the server had to give one by now. */
function isOverdue(failure: ConnectError): boolean {
  return failure.code === Code.DeadlineExceeded && !isServerError(failure);
}

function within(timeoutMs: number, signal: AbortSignal | undefined): CallOptions {
  return signal === undefined ? { timeoutMs } : { timeoutMs, signal };
}
