/** What the hub must know of agents, sessions and tasks. */
import { AgentChangeType, type Agent, type SessionRecord, type TaskRecord } from "../storage/records.js";
import type { SnapshotQuery, TaskSnapshotQuery } from "../storage/storage.js";
import { taskName } from "../storage/tasks.js";
import type { AgentEvent, FilterIndex, SessionEvent, TaskEvent } from "./filters.js";
import type { TopicSpec } from "./topic.js";

/** What an event takes on the wire besides the records it holds. */
const EVENT_OVERHEAD = 32;

export const agentTopic: Omit<TopicSpec<AgentEvent, Agent, never>, "present"> = {
  snapshot: (log, index) => log.snapshotAgents(named(index)),
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
  snapshot: (log, index) => log.snapshotSessions(named(index)),
  event: ({ session, partition, revision }) => ({
    id: session.sessionId,
    partition,
    revision,
    size: EVENT_OVERHEAD + session.size,
  }),
  item: ({ sessionId, revision, size }) => ({ id: sessionId, revision, size }),
  existence: () => undefined,
};

export const taskTopic: Omit<TopicSpec<TaskEvent, TaskRecord, never>, "present"> = {
  snapshot: (log, index) => log.snapshotTasks({ namespace: index.namespace, of: tasksOf(index) }),
  event: ({ task, partition, revision }) => ({
    id: taskName(task),
    partition,
    revision,
    size: EVENT_OVERHEAD + task.size,
  }),
  item: (task) => ({ id: taskName(task), revision: task.revision, size: task.size }),
  existence: () => undefined,
};

function named({ namespace, by, ids }: FilterIndex): SnapshotQuery {
  return { namespace, ids: by === "id" ? ids : undefined };
}

function tasksOf({ by, ids }: FilterIndex): TaskSnapshotQuery["of"] {
  const [agentId] = ids;
  if (by === "agent" && agentId !== undefined) return { kind: "agent", agentId };
  return by === "id" ? { kind: "sessions", sessionIds: ids } : { kind: "open" };
}
