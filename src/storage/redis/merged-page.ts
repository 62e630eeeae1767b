import type { Cursor } from "./cursor.js";

/** How many entities one page looks at, at most. */
const SCAN_BUDGET = 10_000;
/** How many more than its share a partition is asked for: the shares of a page are not quite even. */
const SPARE = 4;
/** How many entities one call looks at in a partition: few where nearly all are wanted, more with each round that was not enough. */
const FIRST_LOOK = 32;
const LAST_LOOK = 1_000;

/** A partition's next entities. */
export interface Share<T> {
  readonly items: readonly Placed<T>[];
  /** Up to which ordinal it was looked; undefined: that is all. */
  readonly seen: number | undefined;
}

export interface Placed<T> {
  readonly ordinal: number;
  readonly item: T;
}

/**
 * Reads the next entities of one partition.
 *
 * @param from a lower bound of ZRANGEBYSCORE
 * @param limit how many to look for, and at how many to look at most
 */
export type ReadShare<T> = (partition: number, from: string, limit: number, budget: number) => Promise<Share<T>>;

interface Source<T> {
  readonly partition: number;
  from: string;
  items: readonly Placed<T>[];
  /** Up to here everything of this partition is known. */
  seen: number;
}

export interface MergedPage<T> {
  readonly items: readonly T[];
  readonly next: Cursor | undefined;
}

/**
 * One page of a list that lies in many partitions, in the order of ordinals. Every partition is asked for about its share of the
 * page; what is known of all of them is merged. The cost is that of the page, whatever the length of the list.
 *
 * @param isWanted what the indexes cannot tell
 */
export async function readMergedPage<T>(
  partitions: number,
  after: Cursor | undefined,
  limit: number,
  read: ReadShare<T>,
  isWanted: (item: T) => boolean,
): Promise<MergedPage<T>> {
  const sources = Array.from({ length: partitions }, (_, partition) => startOf<T>(partition, after));
  const share = Math.ceil(limit / partitions) + SPARE;
  const found: (Placed<T> & { readonly partition: number })[] = [];
  let budget = SCAN_BUDGET;
  let look = Math.max(FIRST_LOOK, share);
  for (;;) {
    const frontier = Math.min(...sources.map(({ seen }) => seen));
    found.push(...takeUpTo(sources, frontier).filter(({ item }) => isWanted(item)));
    const last = found[limit - 1];
    if (found.length > limit && last !== undefined) {
      return { items: found.slice(0, limit).map(({ item }) => item), next: last };
    }
    if (frontier === Infinity) return { items: found.map(({ item }) => item), next: undefined };
    if (budget <= 0) {
      return { items: found.map(({ item }) => item), next: { ordinal: frontier, partition: partitions - 1 } };
    }
    // Whoever stands at the frontier holds the others up; those who have nothing left would do so next.
    const behind = sources.filter(({ seen, items }) => seen !== Infinity && (seen === frontier || items.length === 0));
    await Promise.all(behind.map((source) => refill(source, read, share, look)));
    budget -= behind.length * look;
    look = Math.min(2 * look, LAST_LOOK);
  }
}

function startOf<T>(partition: number, after: Cursor | undefined): Source<T> {
  if (after === undefined) return { partition, from: "-inf", items: [], seen: -1 };
  const from = partition <= after.partition ? `(${after.ordinal}` : String(after.ordinal);
  return { partition, from, items: [], seen: -1 };
}

async function refill<T>(source: Source<T>, read: ReadShare<T>, limit: number, budget: number): Promise<void> {
  const { items, seen } = await read(source.partition, source.from, limit, budget);
  source.items = [...source.items, ...items];
  source.seen = seen ?? Infinity;
  if (seen !== undefined) source.from = `(${seen}`;
}

/** Takes what lies up to the frontier, in order; of equal ordinals, the lower partition first. */
function takeUpTo<T>(sources: readonly Source<T>[], frontier: number): (Placed<T> & { partition: number })[] {
  const taken: (Placed<T> & { partition: number })[] = [];
  for (const source of sources) {
    const { items, partition } = source;
    const end = items.findIndex(({ ordinal }) => ordinal > frontier);
    const count = end === -1 ? items.length : end;
    for (const placed of items.slice(0, count)) taken.push({ ...placed, partition });
    source.items = items.slice(count);
  }
  return taken.sort((a, b) => a.ordinal - b.ordinal || a.partition - b.partition);
}
