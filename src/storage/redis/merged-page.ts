import { pageLength } from "../pages.js";
import type { Cursor } from "./cursor.js";

/** How many entities one page looks at, at most. */
const SCAN_BUDGET = 10_000;
/** How many more than its share a partition is asked for: the shares of a page are not quite even. */
const SPARE = 4;
/** How many entities one call looks at in a partition: few where nearly all are wanted, more with each round that was not enough. */
const FIRST_LOOK = 32;
const LAST_LOOK = 1_000;

/** A place among the entities of one partition; see `Cursor`. */
export type Place = Pick<Cursor, "ordinal" | "index">;

/** A partition's next entities. */
export interface Share<T> {
  readonly items: readonly Placed<T>[];
  /** Up to where it was looked; undefined: that is all. */
  readonly seen: Place | undefined;
}

export interface Placed<T> extends Place {
  readonly item: T;
}

/**
 * Reads the next entities of one partition.
 *
 * @param after where to go on
 * @param limit how many to look for, and at how many to look at most
 */
export type ReadShare<T> = (partition: number, after: Place, limit: number, budget: number) => Promise<Share<T>>;

/** Before everything. */
export const BEGINNING: Place = { ordinal: -1, index: -1 };
/** After everything that may be in a partition. */
const END: Place = { ordinal: Infinity, index: 0 };

interface Source<T> {
  readonly partition: number;
  items: readonly Placed<T>[];
  /** Up to here everything of this partition is known. */
  seen: Place;
}

export interface PageKind<T> {
  /** What the indexes cannot tell. */
  readonly isWanted: (item: T) => boolean;
  /** What an item takes of `MAX_PAGE_BYTES`. */
  readonly sizeOf: (item: T) => number;
}

export interface MergedPage<T> {
  readonly items: readonly T[];
  readonly next: Cursor | undefined;
}

/**
 * One page of a list that lies in many partitions, in the order of places. Every partition is asked for about its share of the
 * page; what is known of all of them is merged. The cost is that of the page, whatever the length of the list.
 *
 * @param partitions in which partitions it lies
 */
export async function readMergedPage<T>(
  partitions: readonly number[],
  after: Cursor | undefined,
  limit: number,
  read: ReadShare<T>,
  { isWanted, sizeOf }: PageKind<T>,
): Promise<MergedPage<T>> {
  const sources = partitions.map((partition): Source<T> => ({ partition, items: [], seen: startOf(partition, after) }));
  const share = Math.ceil(limit / partitions.length) + SPARE;
  const found: (Placed<T> & Cursor)[] = [];
  let budget = SCAN_BUDGET;
  let look = Math.max(FIRST_LOOK, share);
  for (;;) {
    const frontier = sources.map(({ partition, seen }) => ({ ...seen, partition })).reduce(earlier);
    found.push(...takeUpTo(sources, frontier).filter(({ item }) => isWanted(item)));
    const length = pageLength(found, limit, ({ item }) => sizeOf(item));
    if (length < found.length) {
      return { items: found.slice(0, length).map(({ item }) => item), next: found[length - 1] };
    }
    if (frontier.ordinal === Infinity) return { items: found.map(({ item }) => item), next: undefined };
    if (budget <= 0) return { items: found.map(({ item }) => item), next: frontier };
    // Whoever stands at the frontier holds the others up; those who have nothing left would do so next.
    const behind = sources.filter(
      ({ seen, items, partition }) => seen !== END && (partition === frontier.partition || items.length === 0),
    );
    await Promise.all(behind.map((source) => refill(source, read, share, look)));
    budget -= behind.length * look;
    look = Math.min(2 * look, LAST_LOOK);
  }
}

function startOf(partition: number, after: Cursor | undefined): Place {
  if (after === undefined) return BEGINNING;
  if (partition === after.partition) return after;
  return { ordinal: partition < after.partition ? after.ordinal : after.ordinal - 1, index: Infinity };
}

async function refill<T>(source: Source<T>, read: ReadShare<T>, limit: number, budget: number): Promise<void> {
  const { items, seen } = await read(source.partition, source.seen, limit, budget);
  source.items = [...source.items, ...items];
  source.seen = seen ?? END;
}

/** Takes what lies up to the frontier, in order. */
function takeUpTo<T>(sources: readonly Source<T>[], frontier: Cursor): (Placed<T> & Cursor)[] {
  const taken: (Placed<T> & Cursor)[] = [];
  for (const source of sources) {
    const { items, partition } = source;
    const end = items.findIndex((placed) => compare({ ...placed, partition }, frontier) > 0);
    const count = end === -1 ? items.length : end;
    for (const placed of items.slice(0, count)) taken.push({ ...placed, partition });
    source.items = items.slice(count);
  }
  return taken.sort(compare);
}

function earlier(a: Cursor, b: Cursor): Cursor {
  return compare(a, b) <= 0 ? a : b;
}

function compare(a: Cursor, b: Cursor): number {
  return a.ordinal - b.ordinal || a.partition - b.partition || a.index - b.index;
}
