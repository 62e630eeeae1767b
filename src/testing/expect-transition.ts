import { StateEvent_Type } from "../../gen/opscore/v1/state_service_pb.js";
import { State, type AgentState } from "../../gen/opscore/v1/common_pb.js";
import { systemScheduler, type OpsCoreClient, type StateWatch } from "../client/index.js";

export interface TransitionOptions {
  /** For how long to wait, in milliseconds. Default 5,000. */
  readonly timeoutMs?: number | undefined;
}

/** An expectation under way. It is a promise of the states that fulfilled it, one for each that was expected. */
export interface Transition extends Promise<readonly AgentState[]> {
  /** Resolves when the agent is being watched: what is done from now on is seen. */
  readonly watching: Promise<void>;
}

/** An agent did not do what was expected of it. */
export class TransitionError extends Error {
  override readonly name = "TransitionError";

  constructor(
    message: string,
    /** Every state that the agent was seen in, in order. */
    readonly seen: readonly AgentState[],
    /** The expected states that were not seen, in order. */
    readonly missing: readonly State[],
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

const DEFAULT_TIMEOUT_MS = 5_000;

/**
 * Expects an agent, which need not exist yet, to pass through some states in this order. Others may come between them. The state that
 * the agent is in when the watch begins counts.
 *
 * @example
 * const transition = expectTransition(client, "writer-1", [State.ACTIVE, State.IDLE]);
 * await transition.watching;
 * await startWork();
 * await transition;
 *
 * @returns rejects with a TransitionError, which says what was seen, when the time runs out or the agent is removed before. A rejection
 *   that comes while the test is busy elsewhere waits until it is looked at.
 */
export function expectTransition(
  client: Pick<OpsCoreClient, "watchState">,
  agentId: string,
  states: readonly State[],
  options: TransitionOptions = {},
): Transition {
  const expectation = new Expectation(agentId, states, options.timeoutMs ?? DEFAULT_TIMEOUT_MS);
  const met = expectation.meet(client.watchState({ agentIds: [agentId] }));
  met.catch(ignore);
  expectation.watching.catch(ignore);
  return Object.assign(met, { watching: expectation.watching });
}

class Expectation {
  readonly watching: Promise<void>;
  private readonly seen: AgentState[] = [];
  private readonly notes: string[] = [];
  private readonly matched: AgentState[] = [];
  private begin: () => void = ignore;
  private fail: (error: unknown) => void = ignore;

  constructor(
    private readonly agentId: string,
    private readonly states: readonly State[],
    private readonly timeoutMs: number,
  ) {
    this.watching = new Promise((resolve, reject) => {
      this.begin = resolve;
      this.fail = reject;
    });
  }

  async meet(watch: StateWatch): Promise<readonly AgentState[]> {
    const cancel = systemScheduler.after(this.timeoutMs, () => watch.close());
    try {
      let end = `within ${this.timeoutMs} ms`;
      for await (const item of watch) {
        if (item.type === "synced") this.begin();
        else if (item.type === "snapshot") this.see(item.state, "when the watch began");
        else if (item.type === "event") {
          const { type, state } = item.event;
          if (type === StateEvent_Type.DEREGISTERED) end = "before it was removed";
          else this.see(state, type === StateEvent_Type.REGISTERED ? "when it registered" : "");
        }
        if (this.isMet()) return this.matched;
      }
      throw this.error(end);
    } catch (thrown) {
      const error = thrown instanceof TransitionError ? thrown : this.error("before the watch failed", thrown);
      this.fail(error);
      throw error;
    } finally {
      cancel();
      this.begin();
    }
  }

  /** What changes of an agent besides its state, such as its liveness, is no transition. */
  private see(state: AgentState | undefined, when: string): void {
    if (state === undefined || (when === "" && this.seen.at(-1)?.state === state.state)) return;
    this.seen.push(state);
    const remarks = [when, state.message === "" ? "" : JSON.stringify(state.message)].filter((remark) => remark !== "");
    this.notes.push([State[state.state], ...remarks.map((remark) => `(${remark})`)].join(" "));
    if (state.state === this.states[this.matched.length]) this.matched.push(state);
  }

  private isMet(): boolean {
    return this.matched.length >= this.states.length;
  }

  private error(end: string, cause?: unknown): TransitionError {
    const missing = this.states.slice(this.matched.length);
    const names = (states: readonly State[]) => states.map((state) => State[state]).join(" → ");
    const message = [
      `agent ${this.agentId} did not pass through ${names(this.states)} ${end}`,
      `  seen: ${this.notes.length === 0 ? "nothing, the agent is not registered" : this.notes.join(", ")}`,
      `  still missing: ${names(missing)}`,
    ].join("\n");
    return new TransitionError(message, this.seen, missing, cause === undefined ? undefined : { cause });
  }
}

function ignore(): void {
  // The rejection is for whoever awaits the expectation.
}
