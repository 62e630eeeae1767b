import { OpsCoreError } from "../../errors/index.js";

/** Which list a cursor is of. */
export type CursorKind = "a" | "s" | "t";

/**
 * A place in a list that is merged from all partitions: after this ordinal; of equal ones after this partition; and of what has the
 * same ordinal in it, which only tasks of one session have, after this index.
 */
export interface Cursor {
  readonly ordinal: number;
  readonly partition: number;
  readonly index: number;
}

/** The index of what is alone with its ordinal. */
export const ALONE = 0;

export function encodeCursor(kind: CursorKind, { ordinal, partition, index }: Cursor): string {
  return kind + [ordinal, partition, ...(kind === "t" ? [index] : [])].map((number) => number.toString(36)).join("_");
}

/**
 * @returns undefined without a cursor: the list begins
 * @throws INVALID_PAGE_TOKEN for a cursor that this kind of list never gave
 */
export function decodeCursor(kind: CursorKind, text: string | undefined): Cursor | undefined {
  if (text === undefined) return undefined;
  const [ordinal = NaN, partition = NaN, index = kind === "t" ? NaN : ALONE] = text
    .slice(1)
    .split("_")
    .map((part) => parseInt(part, 36));
  const isSound = [ordinal, partition].every((number) => Number.isSafeInteger(number) && number >= 0);
  const cursor = { ordinal, partition, index };
  if (!isSound || !Number.isSafeInteger(index) || encodeCursor(kind, cursor) !== text) throw invalidCursor();
  return cursor;
}

/** A cursor of the list of workflows, which is in the order of their ids. @param id the last one that was given */
export function encodeIdCursor(id: string): string {
  return `w${id}`;
}

/**
 * @returns the id to go on after; undefined without a cursor
 * @throws INVALID_PAGE_TOKEN for a cursor that this kind of list never gave
 */
export function decodeIdCursor(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  if (text.startsWith("w") && text.length > 1) return text.slice(1);
  throw invalidCursor();
}

function invalidCursor(): OpsCoreError {
  return new OpsCoreError("INVALID_PAGE_TOKEN", "the page token is not one of this list");
}
