import type { Agent } from "../../../../gen/opscore/v1/common_pb.js";
import type { StateEvent } from "../../../../gen/opscore/v1/state_service_pb.js";
import { errorReason, type OpsCoreClient, type StateEntry } from "../../../client/index.js";
import { LiveTable } from "./live-table.js";

/** As many as the server keeps of one agent, unless it is told to keep more; and as many as it gives at once. */
const HISTORY_SIZE = 1000;

/** What happened to one agent, newest first, by revisions. */
export type AgentEvents = LiveTable<StateEntry, StateEvent>;

/** One agent, and what happens to it. */
export interface WatchedAgent {
  readonly events: AgentEvents;
  /** The newest data of the agent; undefined when there is no such agent (any more), and before it was read. */
  agent(): Agent | undefined;
}

/** An agent, its history, and what happens to it from now on. Watched first and read then: what is in both has the same revision. */
export function watchAgent(client: OpsCoreClient, agentId: string): WatchedAgent {
  let newest: Agent | undefined;

  /** What is read may arrive after what was watched, and still be older. */
  function know(agent: Agent | undefined): void {
    if (agent !== undefined && (newest === undefined || agent.revision >= newest.revision)) newest = agent;
  }

  async function readAgent(signal: AbortSignal): Promise<void> {
    const { agent } = await client.agents.getAgent({ agentId }, { signal });
    if (!signal.aborted) know(agent);
  }

  async function readHistory(table: AgentEvents, signal: AbortSignal): Promise<void> {
    for (let pageToken: string | undefined = ""; pageToken !== undefined;) {
      const request = { agentId, pageSize: HISTORY_SIZE, pageToken };
      const { events, nextPageToken } = await client.states.getStateHistory(request, { signal });
      if (signal.aborted) return;
      for (const event of events) add(event, table);
      pageToken = nextPageToken === "" ? undefined : nextPageToken;
    }
  }

  const events: AgentEvents = new LiveTable({
    open: (options) => client.watchState({ agentIds: [agentId] }, { ...options, includeSnapshot: false }),
    apply(entry, table) {
      if (entry.type === "snapshot") return;
      add(entry.event, table);
      know(entry.event.agent);
    },
    compare: (a, b) => Number((b.state?.revision ?? 0n) - (a.state?.revision ?? 0n)),
    most: HISTORY_SIZE,
    onForget: () => (newest = undefined),
    read: async (table, signal) => {
      await Promise.all([readAgent(signal), readHistory(table, signal)].map(unlessNotFound));
    },
  });
  return { events, agent: () => newest };
}

/** An agent that is not there is none of the failures. */
async function unlessNotFound(reading: Promise<void>): Promise<void> {
  try {
    await reading;
  } catch (failure) {
    if (errorReason(failure) !== "AGENT_NOT_FOUND") throw failure;
  }
}

function add(event: StateEvent, table: AgentEvents): void {
  if (event.state !== undefined) table.set(String(event.state.revision), event);
}
