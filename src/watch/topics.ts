/** What the hub must know of agents and of sessions. */
import { AgentChangeType, type Agent, type SessionRecord } from "../storage/records.js";
import type { AgentEvent, SessionEvent } from "./filters.js";
import type { TopicSpec } from "./topic.js";

/** What an event takes on the wire besides the records it holds. */
const EVENT_OVERHEAD = 32;

export const agentTopic: Omit<TopicSpec<AgentEvent, Agent, never>, "present"> = {
  snapshot: (log, query) => log.snapshotAgents(query),
  event: ({ state, previous, agent, partition, revision }) => ({
    id: state.agentId,
    partition,
    revision,
    size:
      EVENT_OVERHEAD + state.size + (previous?.size ?? 0) + (agent === undefined ? 0 : agent.record.size + state.size),
  }),
  item: ({ record, state }) => ({
    id: record.agentId,
    revision: Math.max(record.revision, state.revision),
    size: state.size,
  }),
  existence: ({ type }) => {
    if (type === AgentChangeType.DEREGISTERED) return "gone";
    return type === AgentChangeType.REGISTERED ? "here" : undefined;
  },
};

export const sessionTopic: Omit<TopicSpec<SessionEvent, SessionRecord, never>, "present"> = {
  snapshot: (log, query) => log.snapshotSessions(query),
  event: ({ session, partition, revision }) => ({
    id: session.sessionId,
    partition,
    revision,
    size: EVENT_OVERHEAD + session.size,
  }),
  item: ({ sessionId, revision, size }) => ({ id: sessionId, revision, size }),
  existence: () => undefined,
};
