import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { AgentState, State } from "../../../gen/opscore/v1/common_pb.js";
import { StateEvent_Type, type StateEvent } from "../../../gen/opscore/v1/state_service_pb.js";
import type { Clock } from "../../lib/clock.js";
import type { StateEntry } from "../../client/index.js";
import type { Rich } from "../text/rich.js";
import { RESYNC_NOTE } from "../views/event-lines.js";
import { stateEventView } from "../views/events.js";
import type { Item } from "../watching.js";
import { agentTable } from "./agent-table.js";
import { Board, byName } from "./board.js";

/** An agent on the board. */
export interface BoardAgent {
  readonly state: AgentState;
  /** Since when it is in this state, by the server's clock; milliseconds since 1970. */
  readonly since: number;
  /** When the board learned of its last change, by the monotonic clock. */
  readonly changedAt: number;
}

/** What a watch of states has said so far: every agent as it is now, and what happened last. */
export class StateBoard extends Board<StateEntry> {
  private readonly byId = new Map<string, BoardAgent>();
  /** `byId` in order; undefined when it has changed since. */
  private sorted: readonly BoardAgent[] | undefined;

  /** @param states the states that the watch is about; empty: all */
  constructor(
    clock: Clock,
    private readonly states: readonly State[] = [],
  ) {
    super(clock);
  }

  /** In the order of their ids. */
  get agents(): readonly BoardAgent[] {
    return (this.sorted ??= [...this.byId.values()].sort(byAgentId));
  }

  /** The agents; where there is no room for all, those that changed last. */
  table(room: number, width: number, clock: Clock): readonly Rich[] {
    const most = Math.max(1, room - 1);
    const shown = this.agents.length > most ? this.changedLast(most - 1) : this.agents;
    return agentTable(shown, this.agents.length, width, clock);
  }

  apply(item: Item<StateEntry>): void {
    switch (item.type) {
      case "snapshot":
        // Not news: nothing has changed just now.
        this.put(item.state, commitMs(item.state), -Infinity);
        break;
      case "event":
        this.applyEvent(item.event);
        break;
      case "resync":
        this.byId.clear();
        this.sorted = undefined;
        this.say("RESYNC", RESYNC_NOTE);
        break;
      case "synced":
        this.say("SYNCED", `${this.byId.size === 1 ? "1 agent is" : `${this.byId.size} agents are`} there`);
    }
  }

  /** Those `count` agents that changed last, in the order of their ids. */
  private changedLast(count: number): readonly BoardAgent[] {
    // Two that never changed differ by NaN.
    return [...this.agents]
      .sort((a, b) => b.changedAt - a.changedAt || 0)
      .slice(0, count)
      .sort(byAgentId);
  }

  private applyEvent(event: StateEvent): void {
    const { type, state, previous } = event;
    this.tell(stateEventView(event));
    if (state === undefined) return;
    const gone = type === StateEvent_Type.DEREGISTERED || type === StateEvent_Type.EXITED;
    if (gone || (this.states.length > 0 && !this.states.includes(state.state))) {
      this.byId.delete(state.agentId);
      this.sorted = undefined;
      return;
    }
    const known = this.byId.get(state.agentId);
    const stays = type !== StateEvent_Type.REGISTERED && known !== undefined && previous?.state === state.state;
    this.put(state, stays ? known.since : commitMs(state), this.clock.monotonic());
  }

  private put(state: AgentState, since: number, changedAt: number): void {
    this.byId.set(state.agentId, { state, since, changedAt });
    this.sorted = undefined;
  }
}

function byAgentId(a: BoardAgent, b: BoardAgent): number {
  return byName.compare(a.state.agentId, b.state.agentId);
}

function commitMs({ commitTime }: AgentState): number {
  return commitTime === undefined ? 0 : timestampMs(commitTime);
}
