/**
 * The watch hub: follows the log once for the whole process and sends each change to the watchers and waits that it concerns.
 *
 * Changes that arrive in one turn of the event loop are flushed together, so that a watcher gets them as one message. Writers
 * never wait: all that a commit does here is to append to an array.
 */
import { serverStopping } from "../errors/index.js";
import type { Awaitable } from "../lib/awaitable.js";
import type { Change } from "../storage/records.js";
import type { ChangeLog, LogListener, LogPage, LogTail, Position } from "../storage/storage.js";
import { reaches } from "./position.js";
import { ProgressTicker } from "./progress.js";
import { ChangeRouter, type ChangeSink } from "./router.js";
import { WatchStats } from "./stats.js";
import { Topic, type TopicSpec } from "./topic.js";
import { RecentChanges } from "./window.js";

/** How many recent changes a hub keeps, unless it is told otherwise. */
export const DEFAULT_WINDOW_SIZE = 8192;

export interface WatchHubOptions {
  /** How many recent changes are kept to let watchers join without reading the storage. Default 8,192. */
  readonly windowSize?: number;
  /** A watcher with more unread events than this is parked. Default 1,024. */
  readonly maxQueuedEvents?: number;
  /** A watcher with more unread bytes than this is parked. Default 1 MiB. */
  readonly maxQueuedBytes?: number;
}

export interface QueueLimits {
  readonly events: number;
  readonly bytes: number;
}

export class WatchHub {
  readonly router = new ChangeRouter();
  readonly ticker = new ProgressTicker();
  readonly stats = new WatchStats();
  readonly queueLimits: QueueLimits;
  private readonly window: RecentChanges;
  private tail: LogTail | undefined;
  private current: Position = { epoch: "", revisions: [] };
  private pending: Change[] = [];
  private scheduled = false;
  private arrivals: { readonly revisions: readonly number[]; readonly resolve: () => void }[] = [];
  private stopped = false;

  constructor(
    readonly storage: ChangeLog,
    { windowSize = DEFAULT_WINDOW_SIZE, maxQueuedEvents = 1024, maxQueuedBytes = 1024 * 1024 }: WatchHubOptions = {},
  ) {
    this.queueLimits = { events: maxQueuedEvents, bytes: maxQueuedBytes };
    this.window = new RecentChanges(windowSize);
  }

  /** Begins to follow the log. Watches opened before wait for it. @throws SERVER_STOPPING when it was stopped meanwhile */
  async start(): Promise<void> {
    if (this.stopped) throw serverStopping();
    const tail = await this.storage.tail(this.listener);
    this.tail = tail;
    if (this.isStopped) {
      await tail.close();
      throw serverStopping();
    }
    // What the listener got while tail() was under way is after `start`, and still pending.
    this.moveTo(tail.start);
    this.flush();
  }

  /** Ends every watch and wait with SERVER_STOPPING, after their last resume token, and lets go of the log. */
  async stop(): Promise<void> {
    if (this.stopped) return;
    this.flush();
    this.stopped = true;
    for (const sink of this.router.all()) sink.stop();
    this.release(() => true);
    await this.tail?.close();
  }

  get isStopped(): boolean {
    return this.stopped;
  }

  /** Up to where changes have been sent to their watchers. */
  get position(): Position {
    return this.current;
  }

  /** How many groups of watchers and waits there are. */
  get size(): number {
    return this.router.size;
  }

  /** A kind of stream that can be watched. */
  topic<E extends object, I, M>(spec: TopicSpec<E, I, M>): Topic<E, I, M> {
    return new Topic(this, spec);
  }

  /** Sends out what has arrived, now: afterwards the position is that of the newest change known here. */
  settle(): void {
    if (this.pending.length > 0) this.flush();
  }

  /** Whether `position` lies on the history that is followed here, at or before the hub's own. */
  hasPassed(position: Position): boolean {
    const { epoch, revisions } = this.current;
    return (
      position.epoch === epoch &&
      position.revisions.length === revisions.length &&
      reaches(revisions, position.revisions)
    );
  }

  /** Answers when everything up to `revisions` has been sent out, or the hub stopped. */
  reached(revisions: readonly number[]): Awaitable<void> {
    if (this.stopped || reaches(this.current.revisions, revisions)) return;
    return new Promise((resolve) => this.arrivals.push({ revisions, resolve }));
  }

  /** Reads changes after `from`, from memory when the recent ones are enough. */
  read(from: Position, limit: number): Awaitable<LogPage> {
    if (this.hasPassed(from) && this.window.covers(from.revisions)) return this.window.read(from, limit);
    return this.storage.readLog(from, limit);
  }

  private readonly listener: LogListener = {
    onChanges: (changes) => {
      for (const change of changes) this.pending.push(change);
      if (this.scheduled || this.tail === undefined) return;
      this.scheduled = true;
      // After the I/O of this turn, so that what several callers committed goes out together.
      setImmediate(this.onTurn);
    },
    onLost: (_reason, position) => {
      this.flush();
      this.moveTo(position);
      for (const sink of this.router.all()) sink.lost();
    },
  };

  private readonly onTurn = (): void => {
    this.scheduled = false;
    this.flush();
  };

  private moveTo(position: Position): void {
    this.current = position;
    this.window.reset(position.revisions);
    // Who waits for a place in the old history asks again.
    this.release(() => true);
  }

  private flush(): void {
    const changes = this.pending;
    if (changes.length === 0 || this.stopped || this.tail === undefined) return;
    this.pending = [];
    const from = this.current;
    const revisions = from.revisions.slice();
    const dirty = new Set<ChangeSink>();
    for (const change of changes) {
      revisions[change.partition] = change.revision;
      if (change.kind === "agent") this.stats.agentCommits += 1;
      else this.stats.sessionCommits += 1;
      this.window.push(change);
      this.router.route(change, dirty);
    }
    this.current = { epoch: from.epoch, revisions };
    for (const sink of dirty) sink.flush(from, this.current);
    if (this.arrivals.length > 0) this.release((wanted) => reaches(revisions, wanted));
  }

  private release(isDue: (revisions: readonly number[]) => boolean): void {
    const { arrivals } = this;
    this.arrivals = arrivals.filter(({ revisions }) => !isDue(revisions));
    for (const { revisions, resolve } of arrivals) if (isDue(revisions)) resolve();
  }
}
