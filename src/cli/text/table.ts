import { cut, cutMiddle, fill, richWidth, span, type Rich } from "./rich.js";
import { displayWidth } from "./width.js";

export interface Column {
  readonly title: string;
  /** Default `left`. */
  readonly align?: "left" | "right";
  /** It is at least so wide, so that a table which is drawn again and again does not wobble. */
  readonly atLeast?: number;
  /**
   * Where space is short its text may be cut down to so many columns. Not given: it is never cut, such as an id, which nobody could
   * copy then.
   */
  readonly min?: number;
  /** Where its text is cut, both ends of it stay: for ids. */
  readonly keepsEnds?: boolean;
  /** Where cutting is not enough, columns are left out, the largest number first. Not given: it stays. */
  readonly dispensable?: number;
}

/** A row has one entry for each column. */
export type Row = readonly Rich[];

const GAP = "  ";

/**
 * One line for the titles and one for each row, columns aligned with spaces.
 *
 * @param width how many columns of characters there are to fill; not given: as many as it takes, nothing is cut
 */
export function formatTable(columns: readonly Column[], rows: readonly Row[], width = Infinity): Rich[] {
  const sized = columns.map((column, at): Sized => {
    // A loop and not one call: of some hundred thousand rows the arguments would not fit on the stack.
    let natural = Math.max(column.atLeast ?? 0, displayWidth(column.title));
    for (const row of rows) natural = Math.max(natural, richWidth(row[at] ?? []));
    const least = column.min === undefined ? natural : Math.min(natural, Math.max(column.min, column.title.length));
    return { column, at, natural, least };
  });
  const shown = shrink(leaveOut(sized, width), width);
  const line = (cells: Row): Rich =>
    shown.flatMap(({ column, at, natural }, i) => {
      const cell = fill((column.keepsEnds === true ? cutMiddle : cut)(cells[at] ?? [], natural), natural, column.align);
      return i === 0 ? cell : [{ text: GAP }, ...cell];
    });
  return [line(columns.map(({ title }) => span(title, "dim"))), ...rows.map(line)];
}

interface Sized {
  readonly column: Column;
  /** Its place in a row. */
  readonly at: number;
  /** How wide its widest cell is; after {@link shrink}, how wide it is shown. */
  readonly natural: number;
  /** How narrow it may become. */
  readonly least: number;
}

/** Drops dispensable columns until the rest can be made to fit. */
function leaveOut(columns: readonly Sized[], width: number): Sized[] {
  const kept = [...columns];
  const candidates = columns
    .filter(({ column }) => column.dispensable !== undefined)
    .sort((a, b) => (b.column.dispensable ?? 0) - (a.column.dispensable ?? 0));
  for (const candidate of candidates) {
    if (total(kept.map(({ least }) => least)) <= width) break;
    kept.splice(kept.indexOf(candidate), 1);
  }
  return kept;
}

/** Takes what is too much from the widest column that can still give, so that long ones give first. */
function shrink(columns: readonly Sized[], width: number): Sized[] {
  const shrunk = [...columns];
  for (let excess = total(columns.map(({ natural }) => natural)) - width; excess > 0; excess -= 1) {
    const widest = shrunk
      .filter(({ natural, least }) => natural > least)
      .reduce<Sized | undefined>((a, b) => (a === undefined || b.natural > a.natural ? b : a), undefined);
    if (widest === undefined) break;
    shrunk[shrunk.indexOf(widest)] = { ...widest, natural: widest.natural - 1 };
  }
  return shrunk;
}

function total(widths: readonly number[]): number {
  return widths.reduce((sum, width) => sum + width, 0) + GAP.length * (widths.length - 1);
}
