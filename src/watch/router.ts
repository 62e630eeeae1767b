import type { Change } from "../storage/records.js";
import type { Position } from "../storage/storage.js";
import type { FilterIndex } from "./filters.js";

/** Something in this process that changes are sent to. Its methods must not throw. */
export interface ChangeSink {
  /** Looks at one change. True when it wants to be flushed after the turn's last change. */
  offer(change: Change): boolean;
  /** The turn is over: everything offered since the last flush lies after `from` and up to `to`. */
  flush(from: Position, to: Position): void;
  /** The log was lost: what was offered may have a gap, and nothing after it connects. */
  lost(): void;
  /** The server stops. */
  stop(): void;
}

/** The sinks of one kind of entity in one namespace. */
class Index {
  readonly all = new Set<ChangeSink>();
  readonly byId = new Map<string, Set<ChangeSink>>();
  readonly byAgent = new Map<string, Set<ChangeSink>>();
}

/**
 * Knows which sinks a change may concern, by namespace and id, so that a commit costs what its own watchers cost and not what
 * all watchers cost.
 */
export class ChangeRouter {
  private readonly kinds: Readonly<Record<Change["kind"], Map<string, Index>>> = {
    agent: new Map(),
    session: new Map(),
    task: new Map(),
  };
  private readonly sinks = new Map<ChangeSink, FilterIndex>();

  get size(): number {
    return this.sinks.size;
  }

  add(sink: ChangeSink, index: FilterIndex): void {
    this.sinks.set(sink, index);
    for (const set of this.placesOf(index)) set.add(sink);
  }

  remove(sink: ChangeSink): void {
    const index = this.sinks.get(sink);
    if (index === undefined) return;
    this.sinks.delete(sink);
    const { kind, namespace, by, ids } = index;
    const indexes = this.indexesOf(kind);
    const here = indexes.get(namespace);
    if (here === undefined) return;
    if (by === "all") here.all.delete(sink);
    const map = by === "id" ? here.byId : here.byAgent;
    for (const id of ids) {
      const set = map.get(id);
      set?.delete(sink);
      if (set?.size === 0) map.delete(id);
    }
    if (here.all.size + here.byId.size + here.byAgent.size === 0) indexes.delete(namespace);
  }

  /** Every sink, for what concerns all of them. */
  all(): Iterable<ChangeSink> {
    return [...this.sinks.keys()];
  }

  /** Offers a change to whom it may concern, and adds those that want a flush to `dirty`. */
  route(change: Change, dirty: Set<ChangeSink>): void {
    const here = this.indexesOf(change.kind).get(change.namespace);
    if (here === undefined) return;
    if (change.kind === "agent") offer(here.byId.get(change.state.agentId), change, dirty);
    else {
      const { sessionId, agentId } = change.kind === "session" ? change.session : change.task;
      offer(here.byId.get(sessionId), change, dirty);
      offer(here.byAgent.get(agentId), change, dirty);
    }
    offer(here.all, change, dirty);
  }

  private indexesOf(kind: Change["kind"]): Map<string, Index> {
    return this.kinds[kind];
  }

  private placesOf({ kind, namespace, by, ids }: FilterIndex): Set<ChangeSink>[] {
    const here = ensure(this.indexesOf(kind), namespace, () => new Index());
    if (by === "all") return [here.all];
    const map = by === "id" ? here.byId : here.byAgent;
    return ids.map((id) => ensure(map, id, () => new Set()));
  }
}

function offer(sinks: Set<ChangeSink> | undefined, change: Change, dirty: Set<ChangeSink>): void {
  if (sinks === undefined) return;
  for (const sink of sinks) if (sink.offer(change)) dirty.add(sink);
}

function ensure<V>(map: Map<string, V>, key: string, make: () => V): V {
  let value = map.get(key);
  if (value === undefined) {
    value = make();
    map.set(key, value);
  }
  return value;
}
