import { isPromise, type Awaitable } from "../lib/awaitable.js";
import type { Position, Snapshot, SnapshotPage } from "../storage/storage.js";
import type { Batch } from "./batch.js";
import type { Group } from "./topic.js";

/** Of so many pages, the newest, the messages are kept for the next reader. */
const WARM_PAGES = 8;
/** A watcher that would have to catch up more changes than this takes a snapshot of its own. */
const MAX_CHANGES_BEHIND = 1000;

/** What one page holds for the watchers of a group. */
export interface SharedPage<I> {
  readonly items: readonly I[];
  /** Entities of the page, whether or not they are admitted, that are newer than the snapshot's position. */
  readonly newer: readonly { readonly id: string; readonly partition: number; readonly revision: number }[];
}

/**
 * A snapshot for all watchers of a group that begin at about the same time: it is read once, and as long as they keep up with each
 * other, each message is made and encoded once. Whoever joins later only has more to catch up. A reader that is slower than the others
 * makes its messages itself, from the same entities; so what it holds up is references, not bytes.
 */
export class SharedSnapshot<E extends object, I, M> {
  private readonly pages: { readonly page: SharedPage<I>; batches: readonly Batch<E, M>[] | undefined }[] = [];
  private readonly iterator: Iterator<SnapshotPage<I>> | AsyncIterator<SnapshotPage<I>>;
  private reading: Promise<void> | undefined;
  private complete = false;
  /** Why it cannot be read on: what was thrown to the first who tried is thrown to all. */
  private broken: { readonly thrown: unknown } | undefined;

  constructor(
    private readonly group: Group<E, I, M>,
    private readonly snapshot: Snapshot<I>,
  ) {
    const pages = snapshot.pages();
    this.iterator = Symbol.asyncIterator in pages ? pages[Symbol.asyncIterator]() : pages[Symbol.iterator]();
  }

  get position(): Position {
    return this.snapshot.position;
  }

  /** Whether a watcher that begins now, with the hub at `head`, is as well off with this one as with one of its own. */
  mayJoin(head: Position): boolean {
    if (this.broken !== undefined || this.pages.length > WARM_PAGES || head.epoch !== this.position.epoch) return false;
    const behind = head.revisions.reduce((sum, revision, p) => sum + revision - (this.position.revisions[p] ?? 0), 0);
    // Whoever names agents may wait for one that is not there yet: what was before the call, such as its removal, is not for it.
    return behind <= (this.group.filter.index.by === "id" ? 0 : MAX_CHANGES_BEHIND);
  }

  /**
   * A page by its number; undefined after the last.
   *
   * @throws what the storage throws; then the snapshot cannot be read on by anybody
   */
  page(index: number): Awaitable<SharedPage<I> | undefined> {
    if (index < this.pages.length || this.complete) return this.pages[index]?.page;
    const reading = this.reading ?? this.readOn();
    if (isPromise(reading)) return reading.then(() => this.page(index));
    return this.pages[index]?.page;
  }

  /** The messages of a page that was read. */
  batches(index: number): readonly Batch<E, M>[] {
    const entry = this.pages[index];
    if (entry === undefined) return [];
    if (entry.batches !== undefined) return entry.batches;
    const batches = [...this.group.snapshotBatches(entry.page.items)];
    if (index >= this.pages.length - WARM_PAGES) entry.batches = batches;
    return batches;
  }

  private readOn(): Awaitable<void> {
    if (this.broken !== undefined) throw this.broken.thrown;
    try {
      const next = this.iterator.next();
      if (!isPromise(next)) {
        this.accept(next);
        return;
      }
      this.reading = next.then(
        (result) => {
          this.reading = undefined;
          this.accept(result);
        },
        (thrown: unknown) => this.fail(thrown),
      );
      return this.reading;
    } catch (thrown) {
      this.fail(thrown);
    }
  }

  /** A broken iterator answers "done" from then on: what it had not said would be missing. */
  private fail(thrown: unknown): never {
    this.reading = undefined;
    this.broken = { thrown };
    throw thrown;
  }

  private accept(result: IteratorResult<SnapshotPage<I>, unknown>): void {
    if (result.done === true) {
      this.complete = true;
      return;
    }
    const { partition, items } = result.value;
    const { spec, filter } = this.group;
    const known = this.position.revisions[partition] ?? 0;
    const newer = items
      .map((item) => ({ ...spec.item(item), partition }))
      .filter(({ revision }) => revision > known)
      .map(({ id, revision }) => ({ id, partition, revision }));
    this.pages.push({ page: { items: items.filter((item) => filter.admits(item)), newer }, batches: undefined });
    const cooled = this.pages[this.pages.length - 1 - WARM_PAGES];
    if (cooled !== undefined) cooled.batches = undefined;
  }
}
