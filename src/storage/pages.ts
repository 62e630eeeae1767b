/**
 * How large a page may be. Sizes are about those of JSON; on the wire the worst of data, a list of small numbers, takes five and a half
 * times as much. So a page stays below the 4 MiB that gRPC clients take by default.
 */
import type { StateRecord } from "./records.js";
import type { HistoryPage } from "./storage.js";

/** What the items of a page may take together, in bytes of their `size`. */
export const MAX_PAGE_BYTES = 640 * 1024;

/** Of how many of the first items a page is: as many as are wanted and have room, and at least one, so that each page goes on. */
export function pageLength<T>(items: readonly T[], limit: number, sizeOf: (item: T) => number): number {
  let bytes = 0;
  let length = 0;
  for (const item of items) {
    bytes += sizeOf(item);
    if (length === limit || (length > 0 && bytes > MAX_PAGE_BYTES)) break;
    length += 1;
  }
  return length;
}

/** A page of history. An entry is shown with the one before it, so both count. */
export function historyPage(
  entries: readonly StateRecord[],
  before: StateRecord | undefined,
  more: boolean,
): HistoryPage {
  let previous = before?.size ?? 0;
  const length = pageLength(entries, entries.length, ({ size }) => {
    const both = previous + size;
    previous = size;
    return both;
  });
  return { entries: entries.slice(0, length), before, more: more || length < entries.length };
}
