import { serverStopping } from "../errors/index.js";
import { chain, isPromise, type Awaitable } from "../lib/awaitable.js";
import type { PushSource } from "../lib/push-source.js";
import type { Change } from "../storage/records.js";
import type { ChangeLog, Position, Snapshot } from "../storage/storage.js";
import { Batch, BatchKind, cut, type Present } from "./batch.js";
import type { Filter, FilterIndex } from "./filters.js";
import type { WatchHub } from "./hub.js";
import { advance } from "./position.js";
import type { ChangeSink } from "./router.js";
import { SharedSnapshot } from "./shared-snapshot.js";
import { decodeToken, encodeToken, hashFilter } from "./token.js";
import type { WatchStart } from "./reading.js";
import { Watcher } from "./watcher.js";

/** For how long others may begin with the snapshot of one watcher, in milliseconds: those that start together. */
const SHARED_MS = 1000;

/** What the hub must know of a kind of stream: E are its events, I the entities of its snapshots, M its messages. */
export interface TopicSpec<E, I, M> {
  readonly present: Present<E, I, M>;
  /** Current entities that the filter may admit. */
  readonly snapshot: (log: ChangeLog, index: FilterIndex) => Awaitable<Snapshot<I>>;
  readonly event: (event: E) => EventFacts;
  readonly item: (item: I) => ItemFacts;
  /** Whether the event removes its entity, or brings it back; a watch whose every named entity is gone ends. */
  readonly existence: (event: E) => "gone" | "here" | undefined;
}

interface ItemFacts {
  readonly id: string;
  readonly revision: number;
  readonly size: number;
}

interface EventFacts extends ItemFacts {
  readonly partition: number;
}

/** How a watch begins. */
export interface WatchRequest {
  /** Begin with the current entities; ignored with a token. */
  readonly includeSnapshot: boolean;
  /** Go on after this token; empty: from now. */
  readonly resumeToken: string;
  /** Send PROGRESS after so long a silence, in milliseconds. */
  readonly progressIntervalMs: number;
}

/** One kind of stream: agents' states, sessions, or tasks. */
export class Topic<E extends object, I, M> {
  private readonly groups = new Map<string, Group<E, I, M>>();

  constructor(
    private readonly hub: WatchHub,
    private readonly spec: TopicSpec<E, I, M>,
  ) {}

  /**
   * Opens a watch. Nothing is read before the first value is taken, except the position it starts from.
   *
   * @throws INVALID_RESUME_TOKEN, SERVER_STOPPING
   */
  watch(filter: Filter<E, I>, request: WatchRequest): PushSource<M> {
    if (this.hub.isStopped) throw serverStopping();
    const group =
      this.groups.get(filter.key) ?? new Group(this.hub, this.spec, filter, (done) => this.groups.delete(done));
    const { resumeToken, includeSnapshot, progressIntervalMs } = request;
    const start: WatchStart = resumeToken !== "" ? group.decode(resumeToken) : includeSnapshot ? "snapshot" : "now";
    this.groups.set(filter.key, group);
    return new Watcher(group, start, progressIntervalMs);
  }
}

/**
 * The watchers with one filter. A change is matched once and a message made once for all of them: a thousand watchers of the same
 * thing cost a thousand pushes of one object.
 */
export class Group<E extends object, I, M> implements ChangeSink {
  private readonly hash: string;
  private readonly live = new Set<Watcher<E, I, M>>();
  private readonly members = new Set<Watcher<E, I, M>>();
  private pending: E[] = [];
  private progress: Batch<E, M> | undefined;
  /** The snapshot that watchers may begin with, or that is being opened. */
  private snapshot: Awaitable<SharedSnapshot<E, I, M>> | undefined;

  constructor(
    readonly hub: WatchHub,
    readonly spec: TopicSpec<E, I, M>,
    readonly filter: Filter<E, I>,
    private readonly onEmpty: (key: string) => void,
  ) {
    this.hash = hashFilter(filter.key);
  }

  get size(): number {
    return this.members.size;
  }

  join(watcher: Watcher<E, I, M>): void {
    if (this.members.size === 0) this.hub.router.add(this, this.filter.index);
    this.members.add(watcher);
    this.hub.stats.watchers += 1;
  }

  leave(watcher: Watcher<E, I, M>): void {
    this.park(watcher);
    if (!this.members.delete(watcher)) return;
    this.hub.stats.watchers -= 1;
    if (this.members.size > 0) return;
    this.hub.router.remove(this);
    this.onEmpty(this.filter.key);
  }

  /** From now on the watcher is pushed what is flushed; it must stand exactly at the hub's position. */
  goLive(watcher: Watcher<E, I, M>): void {
    this.live.add(watcher);
    this.hub.stats.live += 1;
  }

  /** It is not pushed anything any more. */
  park(watcher: Watcher<E, I, M>): void {
    if (this.live.delete(watcher)) this.hub.stats.live -= 1;
  }

  /** @throws INVALID_RESUME_TOKEN */
  decode(token: string): Position {
    return decodeToken(token, this.hash);
  }

  offer(change: Change): boolean {
    if (this.live.size === 0) return false;
    const event = this.filter.match(change);
    if (event === undefined) return false;
    this.pending.push(event);
    return true;
  }

  flush(from: Position, to: Position): void {
    const events = this.pending;
    this.pending = [];
    for (const batch of this.eventBatches(events, from, to, true)) {
      for (const watcher of this.live) watcher.push(batch);
    }
  }

  /** A snapshot to begin with: the one that another watcher has just begun with, or a new one. */
  openSnapshot(): Awaitable<SharedSnapshot<E, I, M>> {
    const { hub, spec, filter, snapshot } = this;
    hub.settle();
    if (snapshot !== undefined && (isPromise(snapshot) || snapshot.mayJoin(hub.position))) return snapshot;
    const found = spec.snapshot(hub.storage, filter.index);
    if (isPromise(found) && filter.index.by === "id") return this.shareNow(found);
    const opened = chain(found, (each) => this.share(new SharedSnapshot(this, each)));
    if (isPromise(opened)) {
      this.snapshot = opened;
      opened.catch(() => this.forget(opened));
    }
    return opened;
  }

  /**
   * Shares what is being opened with those that begin in this turn, before it was asked for. Whoever names entities may wait for one that
   * was removed before the call, and what the hub knows of a storage that answers late does not tell whether this one still has it.
   */
  private shareNow(found: Promise<Snapshot<I>>): Promise<SharedSnapshot<E, I, M>> {
    const opened = found.then((snapshot) => new SharedSnapshot(this, snapshot));
    this.snapshot = opened;
    setImmediate(() => this.forget(opened));
    return opened;
  }

  private share(snapshot: SharedSnapshot<E, I, M>): SharedSnapshot<E, I, M> {
    this.snapshot = snapshot;
    setTimeout(() => this.forget(snapshot), SHARED_MS).unref();
    return snapshot;
  }

  /** Nobody begins with this snapshot any more. */
  forget(snapshot: Awaitable<SharedSnapshot<E, I, M>> | undefined): void {
    if (this.snapshot === snapshot) this.snapshot = undefined;
  }

  lost(): void {
    this.pending = [];
    this.snapshot = undefined;
    for (const watcher of this.members) watcher.resync();
  }

  stop(): void {
    for (const watcher of this.members) watcher.stop();
  }

  /**
   * Batches of events that lie after `from` and up to `to`.
   *
   * @param resumable whether watchers may be told where they stand
   */
  *eventBatches(events: readonly E[], from: Position, to: Position, resumable: boolean): Generator<Batch<E, M>> {
    const { event: factsOf } = this.spec;
    let at = from;
    let left = events.length;
    for (const { part, size } of cut(events, (event) => factsOf(event).size)) {
      left -= part.length;
      at = left === 0 ? to : advance(at, part.map(factsOf));
      yield this.batch(BatchKind.EVENTS, { events: part, size, position: at, resumable });
    }
  }

  *snapshotBatches(items: readonly I[]): Generator<Batch<E, M>> {
    for (const { part, size } of cut(items, (item) => this.spec.item(item).size)) {
      yield this.batch(BatchKind.SNAPSHOT, { items: part, size });
    }
  }

  /** PROGRESS at the hub's position, one for all who need it there. */
  liveProgress(): Batch<E, M> {
    const { position } = this.hub;
    if (this.progress?.position !== position) this.progress = this.batch(BatchKind.PROGRESS, { position });
    return this.progress;
  }

  batch(
    kind: BatchKind,
    {
      events = [],
      items = [],
      size = 0,
      position,
      resumable = true,
    }: {
      readonly events?: readonly E[];
      readonly items?: readonly I[];
      readonly size?: number;
      readonly position?: Position;
      readonly resumable?: boolean;
    },
  ): Batch<E, M> {
    const count = events.length + items.length;
    const existence = events.some((event) => this.spec.existence(event) !== undefined) ? events : undefined;
    return new Batch(kind, position, count, size, existence, () =>
      this.spec.present({
        kind,
        events,
        items,
        resumeToken: position === undefined || !resumable ? "" : encodeToken(this.hash, position),
      }),
    );
  }
}
