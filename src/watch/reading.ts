import { isPromise, type Awaitable } from "../lib/awaitable.js";
import type { LogPage, Position } from "../storage/storage.js";
import type { Batch } from "./batch.js";
import { reaches } from "./position.js";
import type { SharedPage, SharedSnapshot } from "./shared-snapshot.js";
import type { Group } from "./topic.js";

/** Where a watch begins: with a snapshot, at the newest commit, or after a position. */
export type WatchStart = "snapshot" | "now" | Position;

/** How many changes are read from the log at a time. */
const READ_LIMIT = 1000;

/** Who gets what is read. */
export interface ReadingListener<E, M> {
  onBatch(batch: Batch<E, M>): void;
  /** The reading stands exactly at the hub's position: the next flush continues it. */
  onArrived(): void;
  /** The position cannot be continued; the reading has begun again with a snapshot. */
  onLost(): void;
}

/**
 * What a watcher does while it is behind: it reads a snapshot, then the log, until it stands where the hub stands. It moves one
 * {@link step} at a time and only when told to, so a reader that does not read costs nothing.
 *
 * A snapshot may hold records newer than its position. Their changes up to that revision are left out of what follows, and no
 * resume token is given out before all of them have been passed, because only this reading knows which they are.
 */
export class Reading<E extends object, I, M> {
  /** Up to where the log has been read; undefined before the start is known. */
  position: Position | undefined;
  /** Whether the reader may be told its position. */
  resumable = true;

  private next: () => Awaitable<void>;
  /** What the reading began with, as long as it has not passed it. */
  private snapshot: SharedSnapshot<E, I, M> | undefined;
  private newer: Map<string, number> | undefined;
  /** The hub must have passed these revisions before the watcher may go live, or `newer` would be sent again. */
  private mustReach: number[] | undefined;

  constructor(
    private readonly group: Group<E, I, M>,
    private readonly listener: ReadingListener<E, M>,
    start: WatchStart,
  ) {
    if (start === "snapshot") {
      this.resumable = false;
      this.next = this.openSnapshot;
    } else if (start === "now") {
      this.next = this.askHead();
    } else {
      this.position = start;
      this.next = this.catchUp;
    }
  }

  /** Takes one step. Fails when the storage does; the next call tries again. */
  step(): Awaitable<void> {
    return this.next();
  }

  /** Reads on from a position that the reader was given. */
  continueFrom(position: Position): void {
    this.position = position;
    this.next = this.catchUp;
  }

  /** Begins again with a snapshot. */
  restart(): void {
    this.resumable = false;
    this.newer = undefined;
    this.mustReach = undefined;
    this.next = this.openSnapshot;
  }

  /** The reader has taken SYNCED: what the snapshot knew ahead of its position lies behind it. */
  passedSynced(): void {
    this.resumable = true;
    this.snapshot = undefined;
    this.newer = undefined;
  }

  /** Asks now, not at the first step: whatever is committed after the watch was opened belongs to it. */
  private askHead(): () => Awaitable<void> {
    const { hub } = this.group;
    const stand = (head: Position): void => {
      if (this.next === step) this.continueFrom(head);
    };
    let asked: Awaitable<Position> | undefined = hub.storage.head();
    // Whoever takes the step gets the failure; nobody may ever take it.
    if (isPromise(asked)) asked.catch(() => undefined);
    const step = (): Awaitable<void> => {
      const head = asked ?? hub.storage.head();
      asked = undefined;
      if (isPromise(head)) return head.then(stand);
      stand(head);
    };
    return step;
  }

  private readonly openSnapshot = (): Awaitable<void> => {
    const use = (snapshot: SharedSnapshot<E, I, M>): void => {
      if (this.next !== this.openSnapshot) return;
      this.snapshot = snapshot;
      this.position = snapshot.position;
      this.next = this.readSnapshot(snapshot);
    };
    const opened = this.group.openSnapshot();
    if (isPromise(opened)) return opened.then(use);
    use(opened);
  };

  private readSnapshot(snapshot: SharedSnapshot<E, I, M>): () => Awaitable<void> {
    let index = 0;
    const use = (page: SharedPage<I> | undefined): void => {
      if (this.next !== step) return;
      if (page === undefined) {
        this.next = this.catchUp;
        return;
      }
      this.acceptNewer(page, snapshot.position.revisions);
      for (const batch of snapshot.batches(index++)) this.listener.onBatch(batch);
    };
    const fail = (thrown: unknown): never => {
      if (this.next === step) this.beginAgain();
      throw thrown;
    };
    const step = (): Awaitable<void> => {
      try {
        const page = snapshot.page(index);
        if (isPromise(page)) return page.then(use, fail);
        use(page);
      } catch (thrown) {
        fail(thrown);
      }
    };
    return step;
  }

  private acceptNewer({ newer }: SharedPage<I>, revisions: readonly number[]): void {
    for (const { id, partition, revision } of newer) {
      (this.newer ??= new Map<string, number>()).set(id, revision);
      this.mustReach ??= revisions.slice();
      if (revision > (this.mustReach[partition] ?? 0)) this.mustReach[partition] = revision;
    }
  }

  private readonly catchUp = (): Awaitable<void> => {
    const { hub } = this.group;
    const { position } = this;
    if (position === undefined) throw new Error("the log is read from a position");
    // A storage in this process is then never ahead of the hub, and nothing has to be awaited.
    hub.settle();
    if (hub.hasPassed(position) && reaches(position.revisions, hub.position.revisions)) {
      if (this.mustReach !== undefined && !reaches(hub.position.revisions, this.mustReach)) {
        return hub.reached(this.mustReach);
      }
      this.mustReach = undefined;
      this.listener.onArrived();
      return;
    }
    const page = hub.read(position, READ_LIMIT);
    if (isPromise(page)) return page.then((read) => this.acceptChanges(read, position));
    return this.acceptChanges(page, position);
  };

  private acceptChanges(page: LogPage, from: Position): Awaitable<void> {
    if (this.next !== this.catchUp || this.position !== from) return;
    if (page.lost !== undefined) {
      // The next attempt must not begin where this one could not go on.
      this.group.forget(this.snapshot);
      this.beginAgain();
      return;
    }
    const { group, listener } = this;
    const events: E[] = [];
    for (const change of page.changes) {
      const event = group.filter.match(change);
      if (event !== undefined && !this.knows(event)) events.push(event);
    }
    this.position = page.position;
    for (const batch of group.eventBatches(events, from, page.position, this.resumable)) listener.onBatch(batch);
    // The storage answered from further on than the hub has come: the rest comes through the hub.
    if (page.changes.length === 0 && !group.hub.hasPassed(page.position)) {
      return group.hub.reached(page.position.revisions);
    }
  }

  private knows(event: E): boolean {
    if (this.newer === undefined) return false;
    const { id, revision } = this.group.spec.event(event);
    return revision <= (this.newer.get(id) ?? 0);
  }

  private beginAgain(): void {
    this.restart();
    this.listener.onLost();
  }
}
