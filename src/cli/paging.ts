import type { Printer } from "./text/printer.js";

/** The largest page that the API gives. */
const MAX_PAGE = 1000;

interface PageRequest {
  readonly pageSize: number;
  readonly pageToken: string;
}

interface ItemPage<T> {
  readonly items: readonly T[];
  /** Empty when there is no more. */
  readonly nextPageToken: string;
}

/**
 * Reads a list page by page.
 *
 * @param limit how many items are wanted; undefined: all
 * @param read reads one page, which may be short and still have a next one
 */
export async function collectPages<T>(
  limit: number | undefined,
  read: (page: PageRequest) => Promise<ItemPage<T>>,
): Promise<{ items: T[]; nextPageToken: string }> {
  const items: T[] = [];
  let pageToken = "";
  do {
    const pageSize = Math.min(MAX_PAGE, (limit ?? Infinity) - items.length);
    const page = await read({ pageSize, pageToken });
    items.push(...page.items);
    pageToken = page.nextPageToken;
  } while (pageToken !== "" && items.length < (limit ?? Infinity));
  return { items, nextPageToken: pageToken };
}

/** Tells a person that there is more than the list shows. */
export function printRest(err: Printer, nextPageToken: string): void {
  if (nextPageToken !== "") err.line([{ text: "there is more: raise --limit", look: "dim" }]);
}
