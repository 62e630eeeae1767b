import type { JsonObject, JsonValue } from "../../../lib/json.js";
import { State, type StateRecord } from "../../../storage/records.js";
import type { TaskView } from "./views.js";

/** What a report says of a task that was brought to an agent which answers by its reports. */
export type ReportedAnswer =
  | { readonly kind: "started"; readonly task: TaskView }
  | { readonly kind: "completed"; readonly task: TaskView; readonly result: JsonObject | undefined }
  | { readonly kind: "failed"; readonly task: TaskView; readonly reason: string; readonly error: string };

/** How agents of the older world name in their `details` what they work on. */
const TASK_KEY = "opscore_task_id";
const SESSION_KEY = "opscore_session_id";

/**
 * Reads a report as the answer to a task. One that names a task is about that one and no other. One that names none is about the
 * task that the agent has had longest; IDLE then answers only after an ACTIVE that is younger than the lease, since an agent may say
 * IDLE twice, or late.
 *
 * @param previous the state before the report
 * @param tasks what is LEASED to the agent and answered by reports
 */
export function readReport(
  report: StateRecord,
  previous: StateRecord | undefined,
  tasks: readonly TaskView[],
): ReportedAnswer | undefined {
  const named = text(report.taskId, report.details?.[TASK_KEY]);
  const session = text(report.sessionId, report.details?.[SESSION_KEY]);
  const current = tasks.filter((task) => task.agentIncarnation === report.incarnation && hadAt(task, report));
  const task =
    named === ""
      ? oldest(report.state === State.IDLE ? current.filter((each) => wasActive(each, previous)) : current)
      : current.find(({ taskId, sessionId }) => taskId === named && (session === "" || sessionId === session));
  if (task === undefined) return undefined;
  switch (report.state) {
    case State.ACTIVE:
      return { kind: "started", task };
    case State.IDLE:
      return { kind: "completed", task, result: resultOf(report.details) };
    case State.ERROR:
      return { kind: "failed", task, reason: report.reason || "AgentError", error: report.message };
    case State.UNKNOWN:
    case State.INITIALIZING:
    case State.FINISHED:
      return undefined;
  }
}

/** Whether a report came after the attempt was reserved. By revisions, for in one millisecond much may happen, and clocks differ. */
function hadAt({ agentRevision }: TaskView, { revision }: StateRecord): boolean {
  return revision > agentRevision;
}

function wasActive(task: TaskView, previous: StateRecord | undefined): boolean {
  return previous?.state === State.ACTIVE && hadAt(task, previous);
}

function oldest(tasks: readonly TaskView[]): TaskView | undefined {
  return tasks.reduce<TaskView | undefined>(
    (first, task) => (first === undefined || (task.startTime ?? 0) < (first.startTime ?? 0) ? task : first),
    undefined,
  );
}

/** The result is what the details call so, else the details themselves without what names the task. */
function resultOf(details: JsonObject | undefined): JsonObject | undefined {
  if (details === undefined) return undefined;
  const { result } = details;
  if (isObject(result)) return result;
  const rest = Object.entries(details).filter(([key]) => key !== TASK_KEY && key !== SESSION_KEY);
  return rest.length === 0 ? undefined : Object.fromEntries(rest);
}

function text(first: string, second: JsonValue | undefined): string {
  return first !== "" ? first : typeof second === "string" ? second : "";
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
