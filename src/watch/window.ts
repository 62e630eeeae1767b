import type { Change } from "../storage/records.js";
import type { LogPage, Position } from "../storage/storage.js";

type Found = Extract<LogPage, { lost: undefined }>;

/**
 * The newest changes, in the order in which this process learned them. A watcher that is a little behind joins the live stream
 * from here, in one turn of the event loop, so that no commit can slip between; and many that reconnect at once do not ask the
 * storage at all.
 */
export class RecentChanges {
  private readonly ring: (Change | undefined)[];
  private oldest = 0;
  private count = 0;
  /** Of each partition, the newest revision that is no longer (or never was) in the window. */
  private floor: number[] = [];

  constructor(capacity: number) {
    this.ring = new Array<Change | undefined>(capacity).fill(undefined);
  }

  /** Forgets everything and continues after these revisions. */
  reset(revisions: readonly number[]): void {
    this.ring.fill(undefined);
    this.oldest = 0;
    this.count = 0;
    this.floor = revisions.slice();
  }

  push(change: Change): void {
    const capacity = this.ring.length;
    if (this.count === capacity) {
      const evicted = this.ring[this.oldest];
      if (evicted !== undefined) this.floor[evicted.partition] = evicted.revision;
      this.ring[this.oldest] = change;
      this.oldest = (this.oldest + 1) % capacity;
    } else {
      this.ring[(this.oldest + this.count) % capacity] = change;
      this.count += 1;
    }
  }

  /** Whether everything after these revisions is in the window. */
  covers(revisions: readonly number[]): boolean {
    return revisions.length === this.floor.length && this.floor.every((revision, p) => (revisions[p] ?? 0) >= revision);
  }

  /** Up to `limit` changes after a position that the window {@link covers}. */
  read(from: Position, limit: number): Found {
    const changes: Change[] = [];
    const revisions = from.revisions.slice();
    for (let i = this.skip(revisions); i < this.count; i++) {
      const change = this.ring[(this.oldest + i) % this.ring.length];
      if (change === undefined || change.revision <= (revisions[change.partition] ?? 0)) continue;
      if (changes.length === limit) {
        return { lost: undefined, changes, position: { epoch: from.epoch, revisions }, atHead: false };
      }
      changes.push(change);
      revisions[change.partition] = change.revision;
    }
    return { lost: undefined, changes, position: { epoch: from.epoch, revisions }, atHead: true };
  }

  /** How many of the oldest entries need no look: with one partition the revisions are the index. */
  private skip(revisions: readonly number[]): number {
    if (revisions.length !== 1) return 0;
    return Math.max(0, (revisions[0] ?? 0) - (this.floor[0] ?? 0));
  }
}
