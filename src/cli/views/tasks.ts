import { TaskStatus, type Task } from "../../../gen/opscore/v1/task_service_pb.js";
import { printable } from "../text/printable.js";
import type { Printer } from "../text/printer.js";
import { span, type Rich } from "../text/rich.js";
import type { Column, Row } from "../text/table.js";
import { formatSince } from "../../lib/time-text.js";
import { jsonRich, timeRich } from "./agents.js";
import { taskStatusRich } from "./looks.js";

const TASK_COLUMNS: readonly Column[] = [
  { title: "SESSION" },
  { title: "TASK" },
  { title: "STATUS" },
  { title: "ATTEMPT", align: "right", dispensable: 3 },
  { title: "AGENT", dispensable: 2 },
  { title: "CHANGED", align: "right", dispensable: 5 },
  { title: "AFTER", min: 10, dispensable: 4 },
  { title: "ERROR", min: 12, dispensable: 1 },
];

/** The first that has to go where space is short: of the tasks of one session, that session. */
const KNOWN_SESSION: Column = { title: "SESSION", dispensable: 6 };

/**
 * Tasks as a table, one a line.
 *
 * @param ofOneSession all are of one session, which the reader has named
 */
export function printTasks(out: Printer, tasks: readonly Task[], now: number, ofOneSession: boolean): void {
  out.table(
    TASK_COLUMNS.map((column) => (ofOneSession && column.title === KNOWN_SESSION.title ? KNOWN_SESSION : column)),
    tasks.map((task) => taskRow(task, now)),
  );
}

function taskRow(task: Task, now: number): Row {
  return [
    span(printable(task.sessionId)),
    span(printable(task.taskId)),
    taskStatusRich(task.status),
    span(attemptsOf(task)),
    span(printable(task.agentId)),
    span(formatSince(task.updateTime, now)),
    span(printable(task.dependsOn.join(" ")), "dim"),
    failureRich(task),
  ];
}

/** Everything about one task. */
export function printTask(out: Printer, task: Task, now: number): void {
  out.fields([
    ["Task", [{ text: printable(task.taskId), look: "bold" }]],
    ["Name", span(printable(task.displayName))],
    ["Session", span(printable(task.sessionId))],
    ["Workflow", span(printable(task.workflowId))],
    ["Status", taskStatusRich(task.status)],
    ["For", span(printable(task.boundAgentId === "" ? task.agentCapability : `agent ${task.boundAgentId}`))],
    ["After", span(printable(task.dependsOn.join(" ")))],
    ["Attempt", span(attemptsOf(task))],
    ["Agent", span(printable(task.agentId))],
    ["Error", failureRich(task)],
    ["Parameters", jsonRich(task.parameters)],
    ["Inputs", jsonRich(task.inputs)],
    ["Result", jsonRich(task.result)],
    ["Created", timeRich(out, task.createTime, now)],
    ["Not before", timeRich(out, task.notBefore, now)],
    ["Started", timeRich(out, task.startTime, now)],
    ["Updated", timeRich(out, task.updateTime, now)],
    ["Ended", timeRich(out, task.endTime, now)],
    ["Revision", span(String(task.revision))],
  ]);
}

/** `2 of 3`; while a task has not begun, how many there may be. */
function attemptsOf({ attempt, attemptsLeft }: Task): string {
  return `${attempt} of ${attempt + attemptsLeft}`;
}

/** Why its last attempt failed, or why it was called off. */
export function failureRich({ status, reason, error }: Task): Rich {
  const why = printable([reason, error].filter((part) => part !== "").join(": "));
  return span(why, status === TaskStatus.CANCELLED ? undefined : "red");
}
