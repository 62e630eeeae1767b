import { Liveness } from "../../../gen/opscore/v1/common_pb.js";
import type { Clock } from "../../lib/clock.js";
import { printable } from "../text/printable.js";
import { cut, fill, richWidth, span, type Rich } from "../text/rich.js";
import { formatTable, type Column, type Row } from "../text/table.js";
import { formatAge } from "../text/time.js";
import { livenessRich, stateRich } from "../views/looks.js";
import type { BoardAgent, StateBoard } from "./state-board.js";

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

const COLUMNS: readonly Column[] = [
  { title: "AGENT", min: 10, atLeast: 12 },
  { title: "STATE", atLeast: "● INITIALIZING".length },
  { title: "LIVENESS", dispensable: 2 },
  { title: "FOR", align: "right", atLeast: "59m59s".length, dispensable: 1 },
  { title: "LAST MESSAGE", min: 12, dispensable: 3 },
];
const INDENT: Rich = [{ text: " " }];

/** For how long a change stands out, in milliseconds. */
const HIGHLIGHT_MS = 1000;
/** The log keeps at least so many lines, however many agents there are. */
const MIN_LOG_LINES = 5;
/** How many agents, and how many events, stay on the terminal. */
const FINAL_LINES = 12;
/** Title, blank line; blank line, rule of the log; blank line, footer. The head of the table is one of its own lines. */
const FIXED_LINES = 6;

/** The board as it fills a terminal: the agents above, what happened below, the newest at the bottom. */
export function boardFrame(board: StateBoard, text: FrameText, { columns, rows }: FrameSize, clock: Clock): Rich[] {
  const width = columns - 2;
  const table = agentLines(board, Math.max(1, rows - FIXED_LINES - MIN_LOG_LINES - 1), width, clock);
  const logRoom = Math.max(0, rows - FIXED_LINES - table.length);
  const log = newest(board, logRoom);
  const blanks = Array.from({ length: logRoom - log.length }, (): Rich => []);
  const title = spread(text.title, text.status, width);
  return [title, [], ...table, [], rule("EVENTS", width), ...log, ...blanks, [], text.footer].map((line) =>
    indent(line, width),
  );
}

/** The board as it stays on the terminal when the view is closed: no more than a screenful, and nothing stands out any more. */
export function finalFrame(board: StateBoard, title: Rich, { columns }: FrameSize, clock: Clock): Rich[] {
  const width = columns - 2;
  const later = { now: () => clock.now(), monotonic: () => clock.monotonic() + HIGHLIGHT_MS };
  const table = agentLines(board, FINAL_LINES, width, later);
  return [title, [], ...table, [], rule("EVENTS", width), ...newest(board, FINAL_LINES)].map((line) =>
    indent(line, width),
  );
}

function newest({ log }: StateBoard, count: number): readonly Rich[] {
  return count === 0 ? [] : log.slice(-count);
}

function indent(line: Rich, width: number): Rich {
  return line.length === 0 ? line : [...INDENT, ...cut(line, width)];
}

/** The head, and a line for each agent; where there is no room for all, for those that changed last. */
function agentLines(board: StateBoard, room: number, width: number, clock: Clock): Rich[] {
  const { agents } = board;
  const isCrowded = agents.length > room;
  const shown = isCrowded ? board.changedLast(Math.max(0, room - 1)) : agents;
  const lines = formatTable(
    COLUMNS,
    shown.map((agent) => agentRow(agent, clock)),
    width,
  );
  if (agents.length === 0) return [...lines, span("no agents yet", "dim")];
  return isCrowded ? [...lines, span(`and ${agents.length - shown.length} more, quiet for longer`, "dim")] : lines;
}

function agentRow({ state, since, changedAt }: BoardAgent, clock: Clock): Row {
  const isNews = clock.monotonic() - changedAt < HIGHLIGHT_MS;
  const id = printable(state.agentId);
  const isLost = state.liveness === Liveness.LOST;
  return [
    [{ text: id, look: isNews ? ["bold", "inverse"] : "bold" }],
    [...stateRich(state.state).map(({ look }) => ({ text: isLost ? "○ " : "● ", look })), ...stateRich(state.state)],
    livenessRich(state.liveness),
    span(formatAge(clock.now() - since)),
    [
      ...span(printable(state.reason), "yellow"),
      ...span(state.reason !== "" && state.message !== "" ? "  " : ""),
      ...span(printable(state.message)),
    ],
  ];
}

/** `left` and `right` at the two ends of a line; where both do not fit, `left` gives way. */
function spread(left: Rich, right: Rich, width: number): Rich {
  const leftWidth = width - richWidth(right) - 2;
  return leftWidth < 10 ? right : [...fill(cut(left, leftWidth), leftWidth), { text: "  " }, ...right];
}

function rule(title: string, width: number): Rich {
  return [{ text: `── ${title} ${"─".repeat(Math.max(0, width - title.length - 4))}`, look: "dim" }];
}
