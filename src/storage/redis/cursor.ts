import { OpsCoreError } from "../../errors/index.js";

/** Which list a cursor is of. */
export type CursorKind = "a" | "s";

/** A place in a list that is merged from all partitions: after this ordinal, and of equal ones after this partition. */
export interface Cursor {
  readonly ordinal: number;
  readonly partition: number;
}

export function encodeCursor(kind: CursorKind, { ordinal, partition }: Cursor): string {
  return `${kind}${ordinal.toString(36)}_${partition.toString(36)}`;
}

/**
 * @returns undefined without a cursor: the list begins
 * @throws INVALID_PAGE_TOKEN for a cursor that this kind of list never gave
 */
export function decodeCursor(kind: CursorKind, text: string | undefined): Cursor | undefined {
  if (text === undefined) return undefined;
  const [ordinal = NaN, partition = NaN] = text
    .slice(1)
    .split("_")
    .map((part) => parseInt(part, 36));
  const isSound = [ordinal, partition].every((number) => Number.isSafeInteger(number) && number >= 0);
  if (!isSound || encodeCursor(kind, { ordinal, partition }) !== text) {
    throw new OpsCoreError("INVALID_PAGE_TOKEN", "the page token is not one of this list");
  }
  return { ordinal, partition };
}
