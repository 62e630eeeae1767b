import { OpsCoreError } from "../errors/index.js";

/** `NAMESPACE/ID`, as it stands in a cursor. */
const NAME = /^d[A-Za-z0-9._:-]{1,128}\/[A-Za-z0-9._:-]{1,128}$/;

/** @param name of the last document of a page: `NAMESPACE/ID` */
export function documentCursor(name: string): string {
  return `d${name}`;
}

/**
 * The name after which a page begins; empty for the first page.
 *
 * @throws OpsCoreError INVALID_PAGE_TOKEN
 */
export function afterDocument(cursor: string | undefined): string {
  if (cursor === undefined) return "";
  if (!NAME.test(cursor)) throw new OpsCoreError("INVALID_PAGE_TOKEN", "page_token is not one of ours");
  return cursor.slice(1);
}
