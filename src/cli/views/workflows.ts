import { durationMs } from "@bufbuild/protobuf/wkt";
import type { TaskDefinition, Workflow } from "../../../gen/opscore/v1/workflow_service_pb.js";
import { formatDuration } from "../../config/units.js";
import { printable } from "../text/printable.js";
import type { Printer } from "../text/printer.js";
import { span } from "../text/rich.js";
import type { Column } from "../text/table.js";
import { formatSince } from "../../lib/time-text.js";
import { timeRich } from "./agents.js";

const WORKFLOW_COLUMNS: readonly Column[] = [
  { title: "WORKFLOW" },
  { title: "VERSION", dispensable: 2 },
  { title: "TASKS", align: "right" },
  { title: "CHANGED", align: "right", dispensable: 3 },
  { title: "NAME", min: 12, dispensable: 1 },
];

const STEP_COLUMNS: readonly Column[] = [
  { title: "TASK" },
  { title: "FOR", min: 10 },
  { title: "AFTER", min: 10 },
  { title: "TIMEOUT", align: "right", dispensable: 2 },
  { title: "ATTEMPTS", align: "right", dispensable: 1 },
];

/** Workflows as a table, one a line. */
export function printWorkflows(out: Printer, workflows: readonly Workflow[], now: number): void {
  out.table(
    WORKFLOW_COLUMNS,
    workflows.map((workflow) => [
      span(printable(workflow.workflowId)),
      span(printable(workflow.version)),
      span(String(workflow.tasks.length)),
      span(formatSince(workflow.updateTime, now)),
      span(printable(workflow.displayName)),
    ]),
  );
}

/** Everything about one workflow. */
export function printWorkflow(out: Printer, workflow: Workflow, now: number): void {
  out.fields([
    ["Workflow", [{ text: printable(workflow.workflowId), look: "bold" }]],
    ["Name", span(printable(workflow.displayName))],
    ["Description", span(printable(workflow.description))],
    ["Version", span(printable(workflow.version))],
    ["Created", timeRich(out, workflow.createTime, now)],
    ["Updated", timeRich(out, workflow.updateTime, now)],
    ["Revision", span(String(workflow.revision))],
  ]);
  if (workflow.tasks.length === 0) return;
  out.line();
  out.table(STEP_COLUMNS, workflow.tasks.map(stepRow));
}

function stepRow({ taskId, agentCapability, dependsOn, timeout, retry }: TaskDefinition) {
  return [
    span(printable(taskId)),
    span(printable(agentCapability)),
    span(printable(dependsOn.join(" ")), "dim"),
    span(timeout === undefined ? "" : formatDuration(durationMs(timeout))),
    span(String(retry?.maxAttempts ?? "")),
  ];
}
