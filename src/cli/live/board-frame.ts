import type { Clock } from "../../lib/clock.js";
import { cut, fill, richWidth, type Rich } from "../text/rich.js";
import { HIGHLIGHT_MS, type Board } from "./board.js";

/** What stands around the board. */
export interface FrameText {
  /** At the top left: what is shown. */
  readonly title: Rich;
  /** At the top right: how the watch is doing. */
  readonly status: Rich;
  /** At the bottom: what can be done. */
  readonly footer: Rich;
}

export interface FrameSize {
  readonly columns: number;
  readonly rows: number;
}

const INDENT: Rich = [{ text: " " }];

/** Title and a blank line; a blank line and the footer. */
const FIXED_LINES = 4;
/** A blank line, and the rule of the log. */
const LOG_HEAD = 2;
/** The log keeps at least so many lines, however much there is above it. */
const MIN_LOG_LINES = 5;
/** In fewer lines than these the log gives way instead. */
const MIN_ROWS_FOR_LOG = 16;
/** How many lines of the table, and how many events, stay on the terminal. */
const FINAL_LINES = 12;

/** The board as it fills a terminal: how things are above, what happened below, the newest at the bottom. */
export function boardFrame<Entry>(
  board: Board<Entry>,
  text: FrameText,
  { columns, rows }: FrameSize,
  clock: Clock,
): Rich[] {
  const width = columns - 2;
  const logLines = rows < MIN_ROWS_FOR_LOG ? 0 : LOG_HEAD + MIN_LOG_LINES;
  const table = board.table(Math.max(2, rows - FIXED_LINES - logLines), width, clock);
  const room = Math.max(0, rows - FIXED_LINES - table.length);
  const log = room > LOG_HEAD ? ruledLog(board, room - LOG_HEAD, width) : [];
  const blanks = Array.from({ length: room - log.length }, (): Rich => []);
  const title = spread(text.title, text.status, width);
  return [title, [], ...table, ...log, ...blanks, [], text.footer].map((line) => indent(line, width));
}

/** The board as it stays on the terminal when the view is closed: no more than a screenful, and nothing stands out any more. */
export function finalFrame<Entry>(board: Board<Entry>, title: Rich, { columns }: FrameSize, clock: Clock): Rich[] {
  const width = columns - 2;
  const later = { now: () => clock.now(), monotonic: () => clock.monotonic() + HIGHLIGHT_MS };
  const table = board.table(FINAL_LINES + 1, width, later);
  return [title, [], ...table, ...ruledLog(board, FINAL_LINES, width)].map((line) => indent(line, width));
}

function ruledLog<Entry>(board: Board<Entry>, count: number, width: number): readonly Rich[] {
  return [[], rule("EVENTS", width), ...board.log(count, width)];
}

function indent(line: Rich, width: number): Rich {
  return line.length === 0 ? line : [...INDENT, ...cut(line, width)];
}

/** `left` and `right` at the two ends of a line; where both do not fit, `left` gives way. */
function spread(left: Rich, right: Rich, width: number): Rich {
  const leftWidth = width - richWidth(right) - 2;
  return leftWidth < 10 ? right : [...fill(cut(left, leftWidth), leftWidth), { text: "  " }, ...right];
}

function rule(title: string, width: number): Rich {
  return [{ text: `── ${title} ${"─".repeat(Math.max(0, width - title.length - 4))}`, look: "dim" }];
}
