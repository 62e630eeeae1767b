import type { Agent, SessionRecord } from "../records.js";
import { agentWithStateSize } from "../sizes.js";
import type { ListAgents, ListSessions, Page } from "../storage.js";
import type { Commands } from "./commands.js";
import { ALONE, decodeCursor, encodeCursor, type CursorKind } from "./cursor.js";
import { decodeAgent, decodeSession, type Identity } from "./decode.js";
import { INDEXES, type Keys } from "./keys.js";
import { readMergedPage, type Place, type Share } from "./merged-page.js";

/** Index keys that no entity is in two of; wanted is what is in one of them. */
type IndexGroup = readonly string[];

/** What is listed: agents or sessions. */
export interface Kind<T> {
  readonly name: "agent" | "session";
  readonly cursor: CursorKind;
  keyOf(keys: Keys, partition: number, namespace: string, id: string): string;
  decode(text: string, identity: Identity): T;
  sizeOf(item: T): number;
}

export const AGENTS: Kind<Agent> = {
  name: "agent",
  cursor: "a",
  keyOf: (keys, partition, namespace, id) => keys.agent(partition, namespace, id),
  decode: decodeAgent,
  sizeOf: agentWithStateSize,
};

export const SESSIONS: Kind<SessionRecord> = {
  name: "session",
  cursor: "s",
  keyOf: (keys, partition, namespace, id) => keys.session(partition, namespace, id),
  decode: decodeSession,
  sizeOf: ({ size }) => size,
};

/** Reads what is listed of one partition, led by the smallest of the indexes. */
export class Lists {
  constructor(private readonly commands: Commands) {}

  agents(query: ListAgents): Promise<Page<Agent>> {
    return this.page(AGENTS, query, groupsOfAgents(query), (agent) => isListedAgent(agent, query));
  }

  sessions(query: ListSessions): Promise<Page<SessionRecord>> {
    const { namespace, agentId } = query;
    const index = agentId === "" ? INDEXES.sessions(namespace) : INDEXES.sessionsOf(namespace, agentId);
    return this.page(SESSIONS, query, [[index]], (session) => isListedSession(session, query));
  }

  /** One partition's entities, in order. */
  async share<T>(
    kind: Kind<T>,
    namespace: string,
    groups: readonly IndexGroup[],
    partition: number,
    after: Place,
    limit: number,
    budget: number,
  ): Promise<Share<T>> {
    const bounds = [`(${after.ordinal}`, String(limit), String(budget)];
    const args = [kind.name, namespace, ...bounds, ...groups.map((group) => JSON.stringify(group))];
    const reply = await this.commands.call("list-page", partition, args);
    const [seen = "", ...cells] = Array.isArray(reply) ? reply.map(String) : [];
    const items = [];
    for (let index = 0; index < cells.length; index += 3) {
      const [ordinal, id = "", text = ""] = cells.slice(index, index + 3);
      const key = kind.keyOf(this.commands.keys, partition, namespace, id);
      items.push({ ordinal: Number(ordinal), index: ALONE, item: kind.decode(text, { namespace, id, key }) });
    }
    return { items, seen: seen === "" ? undefined : { ordinal: Number(seen), index: ALONE } };
  }

  private async page<T>(
    kind: Kind<T>,
    query: { readonly namespace: string; readonly limit: number; readonly cursor: string | undefined },
    groups: readonly IndexGroup[],
    isWanted: (item: T) => boolean,
  ): Promise<Page<T>> {
    const after = decodeCursor(kind.cursor, query.cursor);
    const { items, next } = await readMergedPage<T>(
      this.commands.keys.all,
      after,
      query.limit,
      (partition, from, limit, budget) => this.share(kind, query.namespace, groups, partition, from, limit, budget),
      { isWanted, sizeOf: (item) => kind.sizeOf(item) },
    );
    return { items, next: next === undefined ? undefined : encodeCursor(kind.cursor, next) };
  }
}

/** What the indexes know of a query. The first group, all agents, leads where nothing narrows the query down. */
function groupsOfAgents({ namespace, selector, capabilities, states }: ListAgents): readonly IndexGroup[] {
  const groups: IndexGroup[] = [[INDEXES.agents(namespace)]];
  for (const capability of capabilities) groups.push([INDEXES.capability(namespace, capability)]);
  if (states.length > 0) groups.push([...new Set(states)].map((state) => INDEXES.state(namespace, state)));
  for (const { key, operator, values } of selector.requirements) {
    if (operator === "in") groups.push(values.map((value) => INDEXES.label(namespace, key, value)));
  }
  return groups;
}

/** The whole query, also what was asked of the indexes: they may have moved on since. */
function isListedAgent({ record, state }: Agent, query: ListAgents): boolean {
  if (query.states.length > 0 && !query.states.includes(state.state)) return false;
  if (query.liveness.length > 0 && !query.liveness.includes(state.liveness)) return false;
  if (!query.capabilities.every((capability) => record.capabilities.includes(capability))) return false;
  return query.selector.matches(record.labels);
}

function isListedSession({ workflowId, status }: SessionRecord, query: ListSessions): boolean {
  if (query.workflowId !== "" && query.workflowId !== workflowId) return false;
  return query.statuses.length === 0 || query.statuses.includes(status);
}
