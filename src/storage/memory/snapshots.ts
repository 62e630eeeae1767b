import type { Agent, AgentRecord, SessionRecord, StateRecord } from "../records.js";
import type { Position, Snapshot, SnapshotPage, SnapshotQuery } from "../storage.js";
import { PARTITION } from "./commits.js";
import type { AgentEntry, Namespaces, NamespaceTable, SessionEntry } from "./entries.js";
import type { Leases } from "./leases.js";

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
  const entries: AgentEntry[] = [];
  const records: AgentRecord[] = [];
  const states: StateRecord[] = [];
  for (const entry of select(namespaces.get(query.namespace), query.ids, agentsOf)) {
    entries.push(entry);
    records.push(entry.record);
    states.push(entry.state);
  }
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
  const records: SessionRecord[] = [];
  for (const entry of select(namespaces.get(query.namespace), query.ids, sessionsOf)) records.push(entry.record);
  return { position, pages: () => pages(records.length, (index) => records[index]) };
}

interface Collection<T> {
  readonly all: Iterable<T>;
  readonly byId: ReadonlyMap<string, T>;
}

function agentsOf(table: NamespaceTable): Collection<AgentEntry> {
  return { all: table.agentsInOrder, byId: table.agents };
}

function sessionsOf(table: NamespaceTable): Collection<SessionEntry> {
  return { all: table.sessionsInOrder, byId: table.sessions };
}

function* select<T>(
  table: NamespaceTable | undefined,
  ids: readonly string[] | undefined,
  collection: (table: NamespaceTable) => Collection<T>,
): Iterable<T> {
  if (table === undefined) return;
  const { all, byId } = collection(table);
  if (ids === undefined) {
    yield* all;
    return;
  }
  for (const id of new Set(ids)) {
    const item = byId.get(id);
    if (item !== undefined) yield item;
  }
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
