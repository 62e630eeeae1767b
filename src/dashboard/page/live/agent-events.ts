import { ConnectError } from "@connectrpc/connect";
import type { Agent } from "../../../../gen/opscore/v1/common_pb.js";
import type { StateEvent } from "../../../../gen/opscore/v1/state_service_pb.js";
import { errorReason, type OpsCoreClient, type StateEntry } from "../../../client/index.js";
import { LiveTable } from "./live-table.js";

/** As many as the server keeps of one agent, unless it is told to keep more. */
const HISTORY_SIZE = 1000;

/** What happened to one agent, newest first, by revisions. */
export type AgentEvents = LiveTable<StateEntry, StateEvent>;

/**
 * The history of an agent, and what happens to it from now on. Watched first and read then: what is in both has the same revision.
 *
 * @param onAgent told of the agent's data; undefined when there is no such agent (any more)
 * @param onFailure told why the agent and its history cannot be read; undefined when they were
 */
export function agentEvents(
  client: OpsCoreClient,
  agentId: string,
  onAgent: (agent: Agent | undefined) => void,
  onFailure: (failure: ConnectError | undefined) => void,
): AgentEvents {
  async function readAgent(): Promise<void> {
    try {
      onAgent((await client.agents.getAgent({ agentId })).agent);
    } catch (failure) {
      if (errorReason(failure) !== "AGENT_NOT_FOUND") throw failure;
      onAgent(undefined);
    }
  }

  async function readHistory(table: AgentEvents): Promise<void> {
    try {
      const { events } = await client.states.getStateHistory({ agentId, pageSize: HISTORY_SIZE });
      for (const event of events) add(event, table);
    } catch (failure) {
      if (errorReason(failure) !== "AGENT_NOT_FOUND") throw failure;
    }
  }

  return new LiveTable({
    open: (options) => client.watchState({ agentIds: [agentId] }, { ...options, includeSnapshot: false }),
    apply(entry, table) {
      if (entry.type === "snapshot") return;
      add(entry.event, table);
      if (entry.event.agent !== undefined) onAgent(entry.event.agent);
    },
    compare: (a, b) => Number((b.state?.revision ?? 0n) - (a.state?.revision ?? 0n)),
    onSynced(table) {
      Promise.all([readAgent(), readHistory(table)]).then(
        () => onFailure(undefined),
        (thrown: unknown) => onFailure(ConnectError.from(thrown)),
      );
    },
  });
}

function add(event: StateEvent, table: AgentEvents): void {
  if (event.state !== undefined) table.set(String(event.state.revision), event);
}
