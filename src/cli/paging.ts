/** The largest page that the API gives. */
const MAX_PAGE = 1000;

export interface PageRequest {
  readonly pageSize: number;
  readonly pageToken: string;
}

/** One page of a list: `Field` holds its items. */
export type Page<Field extends string> = Readonly<Record<Field, unknown[]>> & {
  /** Empty when there is no more. */
  nextPageToken: string;
};

/**
 * Reads a list page by page.
 *
 * @param limit how many items are wanted; undefined: all
 * @param field the field of a page that holds its items
 * @param read reads one page, which may be short and still have a next one
 * @returns all of it as one page
 */
export async function collectPages<Field extends string, P extends Page<Field>>(
  limit: number | undefined,
  field: Field,
  read: (page: PageRequest) => Promise<P>,
): Promise<P> {
  const most = limit ?? Infinity;
  const all = await read({ pageSize: Math.min(MAX_PAGE, most), pageToken: "" });
  while (all.nextPageToken !== "" && all[field].length < most) {
    const pageSize = Math.min(MAX_PAGE, most - all[field].length);
    const page = await read({ pageSize, pageToken: all.nextPageToken });
    // A loop and not a spread: of a million items the arguments of one call would not fit on the stack.
    for (const item of page[field]) all[field].push(item);
    all.nextPageToken = page.nextPageToken;
  }
  return all;
}
