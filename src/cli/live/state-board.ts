import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { AgentState, State } from "../../../gen/opscore/v1/common_pb.js";
import { StateEvent_Type, type StateEvent } from "../../../gen/opscore/v1/state_service_pb.js";
import type { Clock } from "../../lib/clock.js";
import type { StateEntry } from "../../client/index.js";
import type { Rich } from "../text/rich.js";
import { stateEventView } from "../views/events.js";
import { EventLines, RESYNC_NOTE } from "../views/event-lines.js";
import type { Item } from "../watching.js";

/** An agent on the board. */
export interface BoardAgent {
  readonly state: AgentState;
  /** Since when it is in this state, by the server's clock; milliseconds since 1970. */
  readonly since: number;
  /** When the board learned of its last change, by the monotonic clock. */
  readonly changedAt: number;
}

/** How many lines of the log are kept: more than any terminal shows. */
const LOG_LINES = 500;

/** What a watch has said so far: every agent as it is now, and what happened last. */
export class StateBoard {
  private readonly byId = new Map<string, BoardAgent>();
  /** `byId` in order; undefined when it has changed since. */
  private sorted: readonly BoardAgent[] | undefined;
  private readonly lines: Rich[] = [];
  private readonly format = new EventLines(true);

  /**
   * @param clock for what the board itself notices
   * @param states the states that the watch is about; empty: all
   */
  constructor(
    private readonly clock: Clock,
    private readonly states: readonly State[] = [],
  ) {}

  /** In the order of their ids. */
  get agents(): readonly BoardAgent[] {
    return (this.sorted ??= [...this.byId.values()].sort(byAgentId));
  }

  /** Those `count` agents that changed last, in the order of their ids. */
  changedLast(count: number): readonly BoardAgent[] {
    // Two that never changed differ by NaN.
    return [...this.agents]
      .sort((a, b) => b.changedAt - a.changedAt || 0)
      .slice(0, count)
      .sort(byAgentId);
  }

  /** Oldest first. */
  get log(): readonly Rich[] {
    return this.lines;
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

  /** Adds a line about the watch itself. */
  say(type: string, note: string): void {
    this.push(this.format.notice(this.clock.now(), type, note));
  }

  private applyEvent(event: StateEvent): void {
    const { type, state, previous } = event;
    this.push(this.format.event(stateEventView(event)));
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

  private push(line: Rich): void {
    this.lines.push(line);
    if (this.lines.length > 2 * LOG_LINES) this.lines.splice(0, LOG_LINES);
  }
}

/** So that agent-10 comes after agent-9. */
const collator = new Intl.Collator("en", { numeric: true });

function byAgentId(a: BoardAgent, b: BoardAgent): number {
  return collator.compare(a.state.agentId, b.state.agentId);
}

function commitMs({ commitTime }: AgentState): number {
  return commitTime === undefined ? 0 : timestampMs(commitTime);
}
