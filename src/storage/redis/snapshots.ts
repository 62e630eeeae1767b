import type { Agent, SessionRecord } from "../records.js";
import type { Position, Snapshot, SnapshotPage, SnapshotQuery } from "../storage.js";
import { INDEXES } from "./keys.js";
import { AGENTS, SESSIONS, type Kind, type Lists } from "./lists.js";
import { BEGINNING, type Place, type Share } from "./merged-page.js";

/** How many entities a page holds. */
export const PAGE_SIZE = 500;

/** Makes snapshots: a position first, then pages that may hold newer records but lack nothing up to it. */
export class Snapshots {
  constructor(
    private readonly lists: Lists,
    private readonly partitions: number,
    private readonly partitionOf: (namespace: string, id: string) => number,
  ) {}

  agents(position: Position, query: SnapshotQuery, get: (id: string) => Promise<Agent | undefined>): Snapshot<Agent> {
    const pages = (): AsyncIterable<SnapshotPage<Agent>> =>
      query.ids === undefined
        ? this.all(AGENTS, query.namespace, INDEXES.agents(query.namespace))
        : this.named(query.namespace, query.ids, get);
    return { position, pages };
  }

  sessions(
    position: Position,
    query: SnapshotQuery,
    get: (id: string) => Promise<SessionRecord | undefined>,
  ): Snapshot<SessionRecord> {
    const pages = (): AsyncIterable<SnapshotPage<SessionRecord>> =>
      query.ids === undefined
        ? this.all(SESSIONS, query.namespace, INDEXES.sessions(query.namespace))
        : this.named(query.namespace, query.ids, get);
    return { position, pages };
  }

  private async *all<T>(kind: Kind<T>, namespace: string, index: string): AsyncGenerator<SnapshotPage<T>> {
    for (let partition = 0; partition < this.partitions; partition += 1) {
      yield* shares(partition, (after) =>
        this.lists.share(kind, namespace, [[index]], partition, after, PAGE_SIZE, PAGE_SIZE),
      );
    }
  }

  private async *named<T>(
    namespace: string,
    ids: readonly string[],
    get: (id: string) => Promise<T | undefined>,
  ): AsyncGenerator<SnapshotPage<T>> {
    const byPartition = new Map<number, string[]>();
    for (const id of new Set(ids)) {
      const partition = this.partitionOf(namespace, id);
      byPartition.set(partition, [...(byPartition.get(partition) ?? []), id]);
    }
    for (const [partition, names] of byPartition) {
      for (let start = 0; start < names.length; start += PAGE_SIZE) {
        const found = await Promise.all(names.slice(start, start + PAGE_SIZE).map(get));
        const items = found.filter((item) => item !== undefined);
        if (items.length > 0) yield { partition, items };
      }
    }
  }
}

/** All of what is listed of a partition. */
export async function* shares<T>(
  partition: number,
  read: (after: Place) => Promise<Share<T>>,
): AsyncGenerator<SnapshotPage<T>> {
  let after: Place | undefined = BEGINNING;
  while (after !== undefined) {
    const share: Share<T> = await read(after);
    if (share.items.length > 0) yield { partition, items: share.items.map(({ item }) => item) };
    after = share.seen;
  }
}
