import { OpsCoreError } from "../../errors/index.js";

/** Which list a cursor is of. */
export type CursorKind = "a" | "s";

/** @param ordinal the last item that was looked at */
export function encodeCursor(kind: CursorKind, ordinal: number): string {
  return kind + ordinal.toString(36);
}

/**
 * @returns the ordinal to go on after; 0 without a cursor
 * @throws INVALID_PAGE_TOKEN for a cursor that this kind of list never gave
 */
export function decodeCursor(kind: CursorKind, cursor: string | undefined): number {
  if (cursor === undefined) return 0;
  const ordinal = parseInt(cursor.slice(1), 36);
  if (!Number.isSafeInteger(ordinal) || ordinal < 0 || encodeCursor(kind, ordinal) !== cursor) {
    throw new OpsCoreError("INVALID_PAGE_TOKEN", "the page token is not one of this list");
  }
  return ordinal;
}
