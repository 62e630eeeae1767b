import type { Task } from "../../../gen/opscore/v1/task_service_pb.js";
import { printable } from "../text/printable.js";
import type { Printer } from "../text/printer.js";
import { span, type Rich } from "../text/rich.js";
import type { Column, Row } from "../text/table.js";
import { formatSince } from "../text/time.js";
import { jsonRich, timeRich } from "./agents.js";
import { taskStatusRich } from "./looks.js";

const TASK_COLUMNS: readonly Column[] = [
  { title: "SESSION", min: 12, dispensable: 3 },
  { title: "TASK", min: 10 },
  { title: "STATUS" },
  { title: "ATTEMPT", align: "right" },
  { title: "AGENT", min: 10 },
  { title: "CHANGED", align: "right", dispensable: 4 },
  { title: "AFTER", min: 10, dispensable: 2 },
  { title: "ERROR", min: 12, dispensable: 1 },
];

/** Tasks as a table, one a line. */
export function printTasks(out: Printer, tasks: readonly Task[], now: number): void {
  out.table(
    TASK_COLUMNS,
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

/** Why its last attempt failed. */
export function failureRich({ reason, error }: Task): Rich {
  return span(printable([reason, error].filter((part) => part !== "").join(": ")), "red");
}
