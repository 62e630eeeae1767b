import { TaskStatus, type TaskRecord } from "../records.js";
import type { ListTasks, Page, Position, Snapshot, SnapshotPage, TaskKey, TaskSnapshotQuery } from "../storage.js";
import type { Commands } from "./commands.js";
import { decodeCursor, encodeCursor } from "./cursor.js";
import { decodeTask } from "./decode-tasks.js";
import { INDEXES } from "./keys.js";
import { readMergedPage, type Place, type Placed, type Share } from "./merged-page.js";
import { PAGE_SIZE, shares } from "./snapshots.js";

/** How many tasks one call looks at for a snapshot. */
const LOOK = 2 * PAGE_SIZE;
/** How many texts `lua/list-tasks.lua` answers for each task. */
const CELLS = 5;
/** Comes before the first place in a plan. */
const BEFORE_ALL = -1;

/** Which tasks are wanted of a partition. */
interface Wanted {
  /** Empty: all. */
  readonly namespace: string;
  /** Empty: any. */
  readonly sessionId: string;
  readonly agentId: string;
  readonly statuses: readonly TaskStatus[];
  /** The index keys that lead to them, without the partition's part; none with a session. */
  readonly indexes: readonly string[];
}

const OPEN = [TaskStatus.READY, TaskStatus.LEASED] as const;

/** Reads tasks, many at a time. The indexes name sessions: those of a status lead past all others. */
export class TaskLists {
  constructor(
    private readonly commands: Commands,
    private readonly get: (key: TaskKey) => Promise<TaskRecord | undefined>,
  ) {}

  async list(query: ListTasks): Promise<Page<TaskRecord>> {
    const { namespace, sessionId, limit } = query;
    const { keys } = this.commands;
    const partitions = sessionId === "" ? keys.all : [keys.partitionOf(namespace, sessionId)];
    const wanted = { ...query, indexes: indexesOf(query) };
    const { items, next } = await readMergedPage<TaskRecord>(
      partitions,
      decodeCursor("t", query.cursor),
      limit,
      (partition, after, count, budget) => this.share(wanted, partition, after, count, budget),
      { isWanted: () => true, sizeOf: ({ size }) => size },
    );
    return { items, next: next === undefined ? undefined : encodeCursor("t", next) };
  }

  /** Pages may hold newer records, but lack nothing up to the position. */
  snapshot(position: Position, query: TaskSnapshotQuery): Snapshot<TaskRecord> {
    return { position, pages: () => this.pages(query) };
  }

  private pages({ namespace, of }: TaskSnapshotQuery): AsyncIterable<SnapshotPage<TaskRecord>> {
    if (namespace === undefined) return this.open({ namespace: "", indexes: [INDEXES.open] });
    switch (of.kind) {
      case "open":
        return this.open({ namespace, indexes: OPEN.map((status) => INDEXES.runsIn(namespace, status)) });
      case "agent":
        return this.assigned(namespace, of.agentId);
      case "sessions":
        return this.ofSessions(namespace, [...new Set(of.sessionIds)]);
    }
  }

  private async *open(scope: Pick<Wanted, "namespace" | "indexes">): AsyncGenerator<SnapshotPage<TaskRecord>> {
    const wanted = { ...scope, sessionId: "", agentId: "", statuses: OPEN };
    for (const partition of this.commands.keys.all) yield* this.shares(wanted, partition);
  }

  private async *assigned(namespace: string, agentId: string): AsyncGenerator<SnapshotPage<TaskRecord>> {
    const { keys } = this.commands;
    for (const partition of keys.all) {
      const key = keys.assigned(partition, namespace, agentId);
      const members = await this.commands.read(key, (client) => client.zrange(key, 0, -1));
      for (let start = 0; start < members.length; start += PAGE_SIZE) {
        const tasks = await Promise.all(
          members.slice(start, start + PAGE_SIZE).map((member) => {
            const [sessionId = "", taskId = ""] = member.split("/");
            return this.get({ namespace, sessionId, taskId });
          }),
        );
        const items = tasks.filter((task) => task?.status === TaskStatus.LEASED && task.agentId === agentId);
        if (items.length > 0) yield { partition, items: items.filter((task) => task !== undefined) };
      }
    }
  }

  private async *ofSessions(namespace: string, ids: readonly string[]): AsyncGenerator<SnapshotPage<TaskRecord>> {
    const all = { namespace, agentId: "", statuses: [], indexes: [] };
    for (const sessionId of ids) {
      yield* this.shares({ ...all, sessionId }, this.commands.keys.partitionOf(namespace, sessionId));
    }
  }

  private shares(wanted: Wanted, partition: number): AsyncGenerator<SnapshotPage<TaskRecord>> {
    return shares(partition, (after) => this.share(wanted, partition, after, PAGE_SIZE, LOOK));
  }

  /** The wanted tasks of a partition, in order. */
  private async share(
    { namespace, sessionId, agentId, statuses, indexes }: Wanted,
    partition: number,
    { ordinal, index }: Place,
    limit: number,
    budget: number,
  ): Promise<Share<TaskRecord>> {
    const from = index === Infinity ? [ordinal + 1, BEFORE_ALL] : [ordinal, index];
    const reply = await this.commands.call("list-tasks", partition, [
      namespace,
      sessionId,
      statuses.join(""),
      agentId,
      ...[...from, limit, budget].map(String),
      ...indexes,
    ]);
    const [seenOrdinal = "", seenIndex = "", ...cells] = Array.isArray(reply) ? reply.map(String) : [];
    const items: Placed<TaskRecord>[] = [];
    for (let at = 0; at < cells.length; at += CELLS) {
      const [itsOrdinal, itsIndex, ofNamespace = "", ofSession = "", text = ""] = cells.slice(at, at + CELLS);
      const key = this.commands.keys.tasks(partition, ofNamespace, ofSession);
      const item = decodeTask(text, { namespace: ofNamespace, sessionId: ofSession }, key);
      items.push({ ordinal: Number(itsOrdinal), index: Number(itsIndex), item });
    }
    const seen = seenOrdinal === "" ? undefined : { ordinal: Number(seenOrdinal), index: Number(seenIndex) };
    return { items, seen };
  }
}

/** The indexes that lead to what is listed: those of statuses, which the dead letter is found by, or that of an agent. */
function indexesOf({ namespace, sessionId, agentId, statuses }: ListTasks): readonly string[] {
  if (sessionId !== "") return [];
  if (agentId !== "") return [INDEXES.runsOf(namespace, agentId)];
  if (statuses.length === 0) return [INDEXES.runs(namespace)];
  return [...new Set(statuses)].map((status) => INDEXES.runsIn(namespace, status));
}
