import { MAX_PAGE_BYTES } from "../pages.js";
import type { Page } from "../storage.js";

export interface Ordered {
  /** Its place in the order; whole, from 1, never given twice. */
  readonly ordinal: number;
}

/** Rebuilding an index that has fewer holes than this is not worth it. */
const MIN_HOLES = 64;

/**
 * Items in the order in which they were added. A removed item leaves a hole, and the holes are closed when they outnumber the
 * items, so that adding, removing and going on from any place cost the same however many there are.
 */
export class OrderedIndex<T extends Ordered> {
  /** Ascending, one for each slot, holes included. */
  private ordinals: number[] = [];
  private slots: (T | undefined)[] = [];
  private holes = 0;

  get size(): number {
    return this.slots.length - this.holes;
  }

  /** @param item with a greater ordinal than any before */
  add(item: T): void {
    this.ordinals.push(item.ordinal);
    this.slots.push(item);
  }

  remove(item: T): void {
    const slot = this.seek(item.ordinal - 1);
    if (this.slots[slot] !== item) return;
    this.slots[slot] = undefined;
    this.holes += 1;
    if (this.holes >= MIN_HOLES && this.holes * 2 > this.slots.length) this.closeHoles();
  }

  /** All items, in order. */
  toArray(): T[] {
    return this.slots.filter((item) => item !== undefined);
  }

  /**
   * Collects a page of the items that match.
   *
   * @param after the ordinal to go on after; 0: the first page
   * @param limit how many items at most
   * @param budget how many slots to look at, at most: it bounds the cost of a selective filter
   * @param kind which items match, and what each takes of {@link MAX_PAGE_BYTES}
   * @returns the items, and the ordinal to go on after when there may be more
   */
  page(after: number, limit: number, budget: number, { matches, sizeOf }: PageKind<T>): OrderedPage<T> {
    const items: T[] = [];
    let bytes = 0;
    const first = this.seek(after);
    const end = Math.min(this.slots.length, first + budget);
    for (let slot = first; slot < end; slot += 1) {
      const item = this.slots[slot];
      if (item === undefined || !matches(item)) continue;
      bytes += sizeOf(item);
      const isFull = items.length === limit || (items.length > 0 && bytes > MAX_PAGE_BYTES);
      if (isFull) return { items, next: item.ordinal - 1 };
      items.push(item);
    }
    return { items, next: end < this.slots.length ? this.ordinals[end - 1] : undefined };
  }

  /** The first slot whose ordinal is greater than `ordinal`. */
  private seek(ordinal: number): number {
    let low = 0;
    let high = this.ordinals.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.ordinals[middle] ?? Infinity) <= ordinal) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  private closeHoles(): void {
    const items = this.toArray();
    this.slots = items;
    this.ordinals = items.map((item) => item.ordinal);
    this.holes = 0;
  }
}

export interface PageKind<T> {
  readonly matches: (item: T) => boolean;
  readonly sizeOf: (item: T) => number;
}

export interface OrderedPage<T> {
  readonly items: readonly T[];
  readonly next: number | undefined;
}

/** Makes the contract's page of an index's page. */
export function toPage<T, U>(
  page: OrderedPage<T>,
  toItem: (item: T) => U,
  toCursor: (ordinal: number) => string,
): Page<U> {
  return { items: page.items.map(toItem), next: page.next === undefined ? undefined : toCursor(page.next) };
}
