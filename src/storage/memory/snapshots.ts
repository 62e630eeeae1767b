import type { Agent, SessionRecord, TaskRecord } from "../records.js";
import type { Position, Snapshot, SnapshotPage, SnapshotQuery, TaskSnapshotQuery } from "../storage.js";
import { PARTITION } from "./commits.js";
import type { AgentEntry, Namespaces, NamespaceTable, SessionEntry } from "./entries.js";
import type { Leases } from "./leases.js";
import type { Ordered, OrderedIndex } from "./ordered-index.js";
import type { TaskEntry } from "./runs.js";

/** How many entities a page holds. */
const PAGE_SIZE = 500;

/**
 * The agents as of one moment. Only references are taken at that moment, which records being immutable makes enough; pages are made
 * when they are asked for. No page holds anything newer than the position.
 */
export function snapshotAgents(
  namespaces: Namespaces,
  leases: Leases,
  position: Position,
  query: SnapshotQuery,
): Snapshot<Agent> {
  const entries = select(namespaces.get(query.namespace), query.ids, agentsOf);
  const records = entries.map((entry) => entry.record);
  const states = entries.map((entry) => entry.state);
  const agentAt = (index: number): Agent | undefined => {
    const [entry, record, state] = [entries[index], records[index], states[index]];
    if (entry === undefined || record === undefined || state === undefined) return undefined;
    return { record, state, leaseExpireTime: leases.expireTime(entry) };
  };
  return { position, pages: () => pages(entries.length, agentAt) };
}

/** The sessions as of one moment; see `snapshotAgents`. */
export function snapshotSessions(
  namespaces: Namespaces,
  position: Position,
  query: SnapshotQuery,
): Snapshot<SessionRecord> {
  const records = select(namespaces.get(query.namespace), query.ids, sessionsOf).map((entry) => entry.record);
  return { position, pages: () => pages(records.length, (index) => records[index]) };
}

/** The tasks as of one moment; see `snapshotAgents`. */
export function snapshotTasks(
  namespaces: Namespaces,
  position: Position,
  { namespace, of }: TaskSnapshotQuery,
): Snapshot<TaskRecord> {
  const table = namespace === undefined ? undefined : namespaces.get(namespace);
  const tables = namespace === undefined ? [...namespaces.all()] : table === undefined ? [] : [table];
  const records = tables.flatMap((each) => selectTasks(each, of).map((entry) => entry.record));
  return { position, pages: () => pages(records.length, (index) => records[index]) };
}

function selectTasks(table: NamespaceTable, of: TaskSnapshotQuery["of"]): TaskEntry[] {
  switch (of.kind) {
    case "open":
      return [...table.openTasks];
    case "agent":
      return [...table.tasksOf(of.agentId)];
    case "sessions":
      return [...new Set(of.sessionIds)].flatMap((id) => table.sessions.get(id)?.run?.inOrder.toArray() ?? []);
  }
}

interface Collection<T extends Ordered> {
  readonly inOrder: OrderedIndex<T>;
  readonly byId: { get(id: string): T | undefined };
}

function agentsOf(table: NamespaceTable): Collection<AgentEntry> {
  return { inOrder: table.agentsInOrder, byId: table.agents };
}

function sessionsOf(table: NamespaceTable): Collection<SessionEntry> {
  return { inOrder: table.sessionsInOrder, byId: table.sessions };
}

function select<T extends Ordered>(
  table: NamespaceTable | undefined,
  ids: readonly string[] | undefined,
  collection: (table: NamespaceTable) => Collection<T>,
): T[] {
  if (table === undefined) return [];
  const { inOrder, byId } = collection(table);
  if (ids === undefined) return inOrder.toArray();
  return [...new Set(ids)].map((id) => byId.get(id)).filter((item) => item !== undefined);
}

function* pages<T>(count: number, itemAt: (index: number) => T | undefined): Iterable<SnapshotPage<T>> {
  for (let start = 0; start < count; start += PAGE_SIZE) {
    const items: T[] = [];
    for (let index = start; index < Math.min(start + PAGE_SIZE, count); index += 1) {
      const item = itemAt(index);
      if (item !== undefined) items.push(item);
    }
    yield { partition: PARTITION, items };
  }
}
