import { OpsCoreError, serverStopping } from "../errors/index.js";
import { isPromise } from "../lib/awaitable.js";
import type { PushSource } from "../lib/push-source.js";
import type { Position } from "../storage/storage.js";
import { BatchKind, type Batch } from "./batch.js";
import type { Silent } from "./progress.js";
import { Reading, type ReadingListener, type WatchStart } from "./reading.js";
import type { Group } from "./topic.js";

/** How many steps may be taken in one turn of the event loop before others get theirs. */
const STEPS_PER_TURN = 8;
/** How long to wait before a storage that is away is asked again, in milliseconds. */
const RETRY_MS = 250;

/**
 * One watch. It is always in one of three conditions:
 *
 * - **behind**: it reads for itself, one step whenever its reader asks and nothing is queued (see {@link Reading}).
 * - **live**: it stands at the hub's position and is pushed what is flushed. A reader that leaves too much in the queue is
 *   parked: the queue is dropped and the watcher is behind again, at the last batch its reader took.
 * - **ended**: nothing more is produced; what is queued may still be taken.
 *
 * The conditions follow the synced, unsynced and victim watchers of etcd's watchable store.
 */
export class Watcher<E extends object, I, M> implements PushSource<M>, Silent, ReadingListener<E, M> {
  failure: unknown = undefined;

  private condition: "behind" | "live" | "ended" = "behind";
  private readonly reading: Reading<E, I, M>;
  private queue: Batch<E, M>[] = [];
  private queuedEvents = 0;
  private queuedBytes = 0;
  /** The position of the last batch that the reader took: where it goes on after it was parked. */
  private taken: Position | undefined;
  /** SYNCED comes once for each subscription and once after each RESYNC. It is taken as soon as it is queued: see onArrived. */
  private synced = false;
  /** Which of the named entities were removed. */
  private gone: Set<string> | undefined;
  /** A step is under way that has to be awaited. */
  private busy = false;
  private producing = false;
  private silentTicks = 0;
  private ready: (() => void) | undefined;

  constructor(
    private readonly group: Group<E, I, M>,
    start: WatchStart,
    private readonly progressIntervalMs: number,
  ) {
    this.reading = new Reading(group, this, start);
    group.join(this);
    group.hub.ticker.add(this, progressIntervalMs);
  }

  get done(): boolean {
    return this.condition === "ended" && this.queue.length === 0;
  }

  /** A watcher that is alone gets messages that nobody else does. */
  get shared(): boolean {
    return this.group.size > 1;
  }

  onReady(ready: () => void): void {
    this.ready = ready;
  }

  take(): M | undefined {
    if (this.queue.length === 0 && this.condition === "behind") this.produce();
    const batch = this.queue.shift();
    if (batch === undefined) return undefined;
    this.queuedEvents -= batch.count;
    this.queuedBytes -= batch.size;
    this.silentTicks = 0;
    if (batch.position !== undefined) this.taken = batch.position;
    if (batch.kind === BatchKind.EVENTS) this.group.hub.stats.events += batch.count;
    else if (batch.kind === BatchKind.SYNCED) this.reading.passedSynced();
    if (batch.existence !== undefined) this.follow(batch.existence);
    return batch.message;
  }

  cancel(): void {
    this.queue = [];
    this.end(undefined);
  }

  /** Takes a batch of live events. */
  push(batch: Batch<E, M>): void {
    const { events, bytes } = this.group.hub.queueLimits;
    const full = this.queuedEvents + batch.count > events || this.queuedBytes + batch.size > bytes;
    if (full && this.queue.length > 0) this.park();
    else this.enqueue(batch);
  }

  /** The log was lost: says RESYNC and begins again with a snapshot. */
  resync(): void {
    if (this.condition === "ended") return;
    this.reading.restart();
    this.onLost();
  }

  /** The server stops: the reader gets its newest token, then SERVER_STOPPING. */
  stop(): void {
    if (this.condition === "live") this.enqueue(this.group.liveProgress());
    this.end(serverStopping());
  }

  tick(): void {
    this.silentTicks += 1;
    if (this.silentTicks < 2 || this.queue.length > 0 || this.condition === "ended") return;
    this.enqueue(this.condition === "live" ? this.group.liveProgress() : this.ownProgress());
  }

  onBatch(batch: Batch<E, M>): void {
    if (this.condition !== "ended") this.enqueue(batch);
  }

  /** Happens only within take(), with an empty queue. */
  onArrived(): void {
    const { group } = this;
    this.condition = "live";
    group.goLive(this);
    if (this.synced) return;
    this.synced = true;
    this.enqueue(group.batch(BatchKind.SYNCED, { position: group.hub.position }));
  }

  onLost(): void {
    // What was read for it may still have been on its way when it ended.
    if (this.condition === "ended") return;
    this.group.hub.stats.resyncs += 1;
    this.fallBehind();
    this.synced = false;
    this.taken = undefined;
    this.gone = undefined;
    this.enqueue(this.group.batch(BatchKind.RESYNC, {}));
  }

  /** The reader reads too slowly: it will be caught up from the log, when it reads again. */
  private park(): void {
    this.group.hub.stats.parked += 1;
    this.fallBehind();
    const from = this.taken ?? this.reading.position;
    if (from !== undefined) this.reading.continueFrom(from);
  }

  private fallBehind(): void {
    this.group.park(this);
    this.condition = "behind";
    this.queue = [];
    this.queuedEvents = 0;
    this.queuedBytes = 0;
  }

  /** PROGRESS for a watcher that is behind: its reader learns that the stream lives, and the token it has already. */
  private ownProgress(): Batch<E, M> {
    const { position, resumable } = this.reading;
    return this.group.batch(BatchKind.PROGRESS, { ...(position !== undefined && { position }), resumable });
  }

  private enqueue(batch: Batch<E, M>): void {
    this.queue.push(batch);
    this.queuedEvents += batch.count;
    this.queuedBytes += batch.size;
    if (this.queue.length === 1) this.wake();
  }

  private wake(): void {
    if (!this.producing) this.ready?.();
  }

  private end(failure: unknown): void {
    if (this.condition === "ended") return;
    this.condition = "ended";
    this.failure = failure;
    this.group.hub.ticker.remove(this, this.progressIntervalMs);
    this.group.leave(this);
    this.wake();
  }

  /** Ends the watch when every entity that it names is gone. */
  private follow(events: readonly E[]): void {
    const { filter, spec } = this.group;
    if (filter.index.by !== "id") return;
    for (const event of events) {
      const existence = spec.existence(event);
      const { id } = spec.event(event);
      if (existence === "gone") (this.gone ??= new Set()).add(id);
      else if (existence === "here") this.gone?.delete(id);
    }
    if (this.gone?.size === filter.index.ids.length) this.cancel();
  }

  /** Takes steps until something is queued, the watcher is live, or it has to wait. */
  private produce(): void {
    if (this.busy) return;
    this.producing = true;
    try {
      for (let steps = 0; this.queue.length === 0 && this.condition === "behind"; steps++) {
        const wait = steps < STEPS_PER_TURN ? this.reading.step() : new Promise<void>((turn) => setImmediate(turn));
        if (!isPromise(wait)) continue;
        this.continueAfter(wait);
        break;
      }
    } catch (thrown) {
      this.recover(thrown);
    } finally {
      this.producing = false;
    }
  }

  private continueAfter(wait: Promise<void>): void {
    this.busy = true;
    wait.then(
      () => {
        this.busy = false;
        this.wake();
      },
      (thrown: unknown) => {
        this.busy = false;
        this.recover(thrown);
      },
    );
  }

  /** A storage that is away is asked again, while the watch stays open; any other failure ends it. */
  private recover(thrown: unknown): void {
    if (this.condition === "ended") return;
    if (!(thrown instanceof OpsCoreError && thrown.reason === "STORAGE_UNAVAILABLE")) {
      this.end(thrown);
      return;
    }
    const { retryAfterMs = RETRY_MS } = thrown;
    this.continueAfter(new Promise((resolve) => setTimeout(resolve, retryAfterMs).unref()));
  }
}
