import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { AgentState } from "../../../../gen/opscore/v1/common_pb.js";
import { StateEvent_Type } from "../../../../gen/opscore/v1/state_service_pb.js";
import type { OpsCoreClient, StateEntry } from "../../../client/index.js";
import { LiveTable } from "./live-table.js";

/** An agent, as the list shows it. */
export interface AgentRow {
  readonly state: AgentState;
  /** Since when it is in this state, or at least has said what it says, by the server's clock; milliseconds since 1970. */
  readonly since: number;
  /** When the page learned of its last change, by `performance.now()`; 0 when it was so from the beginning. */
  readonly changedAt: number;
}

export type AgentTable = LiveTable<StateEntry, AgentRow>;

/** So that agent-10 comes after agent-9. */
const names = new Intl.Collator("en", { numeric: true });

/** Every agent whose labels match. @param labelSelector empty: every agent */
export function agentTable(client: OpsCoreClient, labelSelector: string): AgentTable {
  return new LiveTable({
    open: (options) => client.watchState({ labelSelector }, options),
    apply: applyEntry,
    compare: (a, b) => names.compare(a.state.agentId, b.state.agentId),
  });
}

function applyEntry(entry: StateEntry, table: AgentTable): void {
  if (entry.type === "snapshot") {
    const { state } = entry;
    table.set(state.agentId, { state, since: commitMs(state), changedAt: 0 });
    return;
  }
  const { type, state } = entry.event;
  if (state === undefined) return;
  if (type === StateEvent_Type.DEREGISTERED || type === StateEvent_Type.EXITED) {
    table.delete(state.agentId);
    return;
  }
  const before = table.get(state.agentId);
  const isSame = before?.state.state === state.state && before.state.incarnation === state.incarnation;
  table.set(state.agentId, {
    state,
    since: isSame ? before.since : commitMs(state),
    changedAt: performance.now(),
  });
}

export function commitMs({ commitTime }: AgentState): number {
  return commitTime === undefined ? 0 : timestampMs(commitTime);
}
