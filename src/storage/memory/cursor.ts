import { OpsCoreError } from "../../errors/index.js";

/** Which list a cursor is of: agents, sessions, tasks. */
export type CursorKind = "a" | "s" | "t";

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
    throw invalidCursor();
  }
  return ordinal;
}

/** A cursor of a list that is ordered by id. @param id the last one that was looked at */
export function encodeIdCursor(kind: "w", id: string): string {
  return kind + id;
}

/**
 * @returns the id to go on after; empty without a cursor
 * @throws INVALID_PAGE_TOKEN for a cursor that this kind of list never gave
 */
export function decodeIdCursor(kind: "w", cursor: string | undefined): string {
  if (cursor === undefined) return "";
  if (cursor.startsWith(kind) && cursor.length > 1) return cursor.slice(1);
  throw invalidCursor();
}

function invalidCursor(): OpsCoreError {
  return new OpsCoreError("INVALID_PAGE_TOKEN", "the page token is not one of this list");
}
