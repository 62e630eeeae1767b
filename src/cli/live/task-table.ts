import { timestampMs } from "@bufbuild/protobuf/wkt";
import { TaskStatus, type Task } from "../../../gen/opscore/v1/task_service_pb.js";
import type { Clock } from "../../lib/clock.js";
import { printable } from "../text/printable.js";
import { span, type Rich } from "../text/rich.js";
import { formatTable, type Column, type Row } from "../text/table.js";
import { formatAge } from "../../lib/time-text.js";
import { taskNote } from "../views/events.js";
import { taskStatusRich } from "../views/looks.js";
import { HIGHLIGHT_MS } from "./board.js";
import { graphOrder } from "../../lib/task-graph.js";
import type { BoardSession, BoardTask } from "./task-board.js";

const COLUMNS: readonly Column[] = [
  { title: "TASK", min: 16, atLeast: 12, keepsEnds: true },
  { title: "STATUS", atLeast: "● CANCELLED".length },
  { title: "TIME", align: "right", atLeast: "59m59s".length, dispensable: 2 },
  { title: "NOTE", min: 10, dispensable: 1 },
];

/** Seen without colours, too. */
const MARKS: Readonly<Record<TaskStatus, string>> = {
  [TaskStatus.UNSPECIFIED]: "?",
  [TaskStatus.PENDING]: "·",
  [TaskStatus.READY]: "○",
  [TaskStatus.LEASED]: "●",
  [TaskStatus.COMPLETED]: "✓",
  [TaskStatus.FAILED]: "✗",
  [TaskStatus.CANCELLED]: "–",
};

/** In which order tasks are counted. */
const STATUSES = [
  TaskStatus.LEASED,
  TaskStatus.READY,
  TaskStatus.PENDING,
  TaskStatus.COMPLETED,
  TaskStatus.FAILED,
  TaskStatus.CANCELLED,
];

/** What is shown first where there is no room for all; the rest after these, the last that changed first. */
const URGENT: readonly TaskStatus[] = [TaskStatus.LEASED, TaskStatus.FAILED, TaskStatus.READY];

const BAR_WIDTH = 20;
/** Of the width at most this share is spent on how deep a task stands. */
const INDENT_SHARE = 1 / 6;

export interface TaskTableSize {
  /** How many lines there are for it, at least two. */
  readonly room: number;
  readonly width: number;
  /** Of how many sessions all tasks are known: of one, which need not be named; 0: of none, only what is under way. */
  readonly sessions: number;
}

/** How far all of it is, and a line for each task, below those that it waits for; where there is no room for all, for the urgent ones. */
export function taskTable(
  sessions: readonly BoardSession[],
  { room, width, sessions: named }: TaskTableSize,
  clock: Clock,
): readonly Rich[] {
  const isOfOneSession = named === 1;
  const all = sessions.flatMap(({ tasks }) => tasks);
  if (all.length === 0) return [span("no tasks yet", "dim")];
  const shown = chosen(all, room - 2, isOfOneSession);
  const hidden = all.filter((task) => !shown.has(task));
  const rows: { readonly row: Row; readonly head: Rich | undefined }[] = [];
  for (const { sessionId, tasks } of sessions) {
    const visible = new Map(tasks.filter((task) => shown.has(task)).map((task) => [task.task.taskId, task]));
    let head =
      isOfOneSession || visible.size === 0 ? undefined : sessionHead(sessionId, named === 0 ? undefined : tasks);
    // A task stands below those that are shown.
    for (const { taskId, depth } of graphOrder([...visible.values()].map(({ task }) => task))) {
      const task = visible.get(taskId);
      if (task !== undefined) rows.push({ row: taskRow(task, depth, width, clock), head });
      head = undefined;
    }
  }
  const [titles = [], ...lines] = formatTable(
    COLUMNS,
    rows.map(({ row }) => row),
    width,
  );
  return [
    named === 0 ? counts(all) : progress(all, width),
    ...(rows.length === 0 ? [] : [titles]),
    ...lines.flatMap((line, i) => {
      const head = rows[i]?.head;
      return head === undefined ? [line] : [head, line];
    }),
    ...(hidden.length === 0
      ? []
      : [[{ text: `and ${hidden.length} more: `, look: "dim" as const }, ...counts(hidden)]]),
  ];
}

/** As many as there is room for, with the names of their sessions; where that is not all, there is a line that says so. */
function chosen(all: readonly BoardTask[], room: number, isOfOneSession: boolean): ReadonlySet<BoardTask> {
  const linesFor = (tasks: readonly BoardTask[]) =>
    tasks.length + (isOfOneSession ? 0 : new Set(tasks.map(({ task }) => task.sessionId)).size);
  if (linesFor(all) <= room) return new Set(all);
  const urgent = [...all].sort((a, b) => rankOf(a) - rankOf(b) || b.changedAt - a.changedAt || 0);
  const shown = new Set<BoardTask>();
  const named = new Set<string>();
  let left = room - 1;
  for (const task of urgent) {
    const { sessionId } = task.task;
    const lines = isOfOneSession || named.has(sessionId) ? 1 : 2;
    if (lines > left) break;
    left -= lines;
    shown.add(task);
    named.add(sessionId);
  }
  return shown;
}

function rankOf({ task }: BoardTask): number {
  const rank = URGENT.indexOf(task.status);
  return rank === -1 ? URGENT.length : rank;
}

function taskRow({ task, changedAt }: BoardTask, depth: number, width: number, clock: Clock): Row {
  const isNews = clock.monotonic() - changedAt < HIGHLIGHT_MS;
  const levels = Math.min(depth, Math.floor((width * INDENT_SHARE) / 2));
  const status = taskStatusRich(task.status);
  return [
    [
      ...span(levels === 0 ? "" : `${"  ".repeat(levels - 1)}└ `, "dim"),
      { text: printable(task.taskId), look: isNews ? ["bold", "inverse"] : "bold" },
    ],
    [...status.map(({ look }) => ({ text: `${MARKS[task.status]} `, look })), ...status],
    span(timeOf(task, clock.now())),
    taskNote(task),
  ];
}

/** How long its last attempt has taken, or how long it has waited for one. */
function timeOf({ status, startTime, updateTime, endTime }: Task, now: number): string {
  const since = status === TaskStatus.READY ? updateTime : startTime;
  if (since === undefined || status === TaskStatus.PENDING) return "";
  return formatAge((endTime === undefined ? now : timestampMs(endTime)) - timestampMs(since));
}

/** @param tasks undefined where there may be others that are not known */
function sessionHead(sessionId: string, tasks: readonly BoardTask[] | undefined): Rich {
  const done = tasks === undefined ? "" : `  ${ended(tasks)} of ${tasks.length}`;
  return [{ text: printable(sessionId) }, ...span(done, "dim")];
}

/** How many have ended, as a bar and in numbers. */
function progress(tasks: readonly BoardTask[], width: number): Rich {
  const done = ended(tasks);
  const barWidth = Math.min(BAR_WIDTH, Math.floor(width / 4));
  // Full only when all is done.
  const filled = Math.floor((done * barWidth) / tasks.length);
  return [
    { text: "█".repeat(filled), look: "magenta" },
    { text: "░".repeat(barWidth - filled), look: "dim" },
    { text: `  ${done} of ${tasks.length}  ` },
    ...counts(tasks),
  ];
}

/** Whether nothing more happens to a task, unless somebody retries it. */
export function hasEnded({ endTime }: Task): boolean {
  return endTime !== undefined;
}

function ended(tasks: readonly BoardTask[]): number {
  return tasks.filter(({ task }) => hasEnded(task)).length;
}

function counts(tasks: readonly BoardTask[]): Rich {
  return STATUSES.flatMap((status) => {
    const count = tasks.filter(({ task }) => task.status === status).length;
    return count === 0 ? [] : [{ text: `${count} ` }, ...taskStatusRich(status), { text: "  " }];
  });
}
