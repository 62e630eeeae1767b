import { timestampMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, type CallOptions, type Client } from "@connectrpc/connect";
import type { AgentState } from "../../../gen/opscore/v1/common_pb.js";
import { StateEvent_Type, type StateEvent, type StateService } from "../../../gen/opscore/v1/state_service_pb.js";

const HISTORY_PAGE = 1000;

type Calls = Pick<Client<typeof StateService>, "getState" | "getStateHistory">;

/**
 * From where on commits count for a wait, held fast over every call that the wait takes.
 *
 * Revisions say so as long as the server keeps its log. One that lost it (a memory server that was restarted, a failover that lost the
 * last commits) counts anew, and the same number means something else. So the baseline is anchored to one commit, and before each
 * call after the first it is looked up: when that commit is not there any more, the time at which it was made says which of the
 * commits that are there came after it.
 */
export class Baseline {
  private anchor: AgentState | undefined;
  private after = 0n;
  private begun = false;

  constructor(
    private readonly calls: Calls,
    private readonly agentId: string,
    /** The revision that the caller named, if any. */
    private readonly afterRevision: bigint | undefined,
  ) {}

  /**
   * Fixes the baseline at the first call that gets through; afterwards makes sure that it still stands.
   *
   * @returns the agent's state as of the baseline, when this call fixed it and the agent is registered
   */
  async ascertain(options: CallOptions): Promise<AgentState | undefined> {
    if (this.begun) {
      if (this.anchor !== undefined && !(await this.stands(this.anchor, options)))
        await this.moveBackTo(this.anchor, options);
      return undefined;
    }
    const state = await this.current(options);
    // Where the agent is not registered its removal is where the wait begins, not simply its newest commit: it may have been
    // registered since it was asked for, and that must count.
    this.anchor = state ?? (await this.newest(({ type }) => type === StateEvent_Type.DEREGISTERED, options));
    this.after = this.anchor?.revision ?? 0n;
    // A revision beyond the newest is from a log that is gone.
    if (this.afterRevision !== undefined && this.afterRevision < this.after) this.after = this.afterRevision;
    this.begun = true;
    return state;
  }

  /** Only commits with a higher revision count. */
  get revision(): bigint {
    return this.after;
  }

  private async stands(anchor: AgentState, options: CallOptions): Promise<boolean> {
    const request = { agentId: this.agentId, afterRevision: anchor.revision - 1n, pageSize: 1 };
    const page = await orUndefined(this.calls.getStateHistory(request, options));
    const found = page?.events[0]?.state;
    return found?.revision === anchor.revision && commitMs(found) === commitMs(anchor);
  }

  private async moveBackTo(anchor: AgentState, options: CallOptions): Promise<void> {
    this.anchor = await this.newest(({ state }) => state !== undefined && commitMs(state) <= commitMs(anchor), options);
    this.after = this.anchor?.revision ?? 0n;
  }

  private async current(options: CallOptions): Promise<AgentState | undefined> {
    return (await orUndefined(this.calls.getState({ agentId: this.agentId }, options)))?.state;
  }

  /** The last commit that is kept of the agent and that `counts`; also of an agent that was deregistered. */
  private async newest(counts: (event: StateEvent) => boolean, options: CallOptions): Promise<AgentState | undefined> {
    let newest: AgentState | undefined;
    let pageToken = "";
    do {
      const request = { agentId: this.agentId, pageSize: HISTORY_PAGE, pageToken };
      const page = await orUndefined(this.calls.getStateHistory(request, options));
      newest = page?.events.findLast(counts)?.state ?? newest;
      pageToken = page?.nextPageToken ?? "";
    } while (pageToken !== "");
    return newest;
  }
}

function commitMs(state: AgentState): number {
  return state.commitTime === undefined ? 0 : timestampMs(state.commitTime);
}

/** The answer, or undefined when there is no such agent. */
async function orUndefined<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof ConnectError && error.code === Code.NotFound) return undefined;
    throw error;
  }
}
