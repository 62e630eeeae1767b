import type { JsonObject } from "../lib/json.js";
import type { DocumentRecord } from "./documents.js";
import type {
  Agent,
  AgentProfile,
  ReportContent,
  SessionRecord,
  TaskDefinition,
  TaskRecord,
  WorkflowRecord,
} from "./records.js";

/** What a record's numbers, times and tags take, in bytes. */
const FIXED_BYTES = 64;

/** About how many bytes a state takes on the wire. */
export function stateSize(agentId: string, content: ReportContent, actor: string): number {
  return (
    FIXED_BYTES +
    agentId.length +
    actor.length +
    content.reason.length +
    content.message.length +
    content.sessionId.length +
    content.taskId.length +
    jsonSize(content.details)
  );
}

/** About how many bytes an agent takes on the wire, without its state. */
export function agentSize(agentId: string, profile: AgentProfile): number {
  let size = FIXED_BYTES + agentId.length + profile.displayName.length + profile.version.length;
  size += profile.contactEndpoint.length + jsonSize(profile.metadata);
  for (const capability of profile.capabilities) size += capability.length + 2;
  for (const key in profile.labels) size += key.length + (profile.labels[key]?.length ?? 0) + 6;
  return size;
}

/** About how many bytes a session takes on the wire. */
export function sessionSize(session: Omit<SessionRecord, "size">): number {
  const ids = session.sessionId.length + session.agentId.length + session.workflowId.length;
  return FIXED_BYTES + ids + session.error.length + jsonSize(session.metadata) + jsonSize(session.result);
}

/** About how many bytes a task takes on the wire. */
export function taskSize(task: Omit<TaskRecord, "size">): number {
  let size = 2 * FIXED_BYTES + task.sessionId.length + task.taskId.length + task.workflowId.length;
  size += task.displayName.length + task.capability.length + task.boundAgentId.length + task.agentId.length;
  size += task.reason.length + task.error.length;
  for (const dependency of task.dependsOn) size += dependency.length + 2;
  return size + jsonSize(task.parameters) + jsonSize(task.inputs) + jsonSize(task.result);
}

/** About how many bytes an agent with its state takes on the wire. */
export function agentWithStateSize({ record, state }: Pick<Agent, "record" | "state">): number {
  return record.size + state.size;
}

/** About how many bytes the tasks of a definition take on the wire. */
export function definitionSize(tasks: readonly TaskDefinition[]): number {
  let size = 0;
  for (const { taskId, displayName, capability, dependsOn, parameters } of tasks) {
    size += 2 * FIXED_BYTES + taskId.length + displayName.length + capability.length + jsonSize(parameters);
    for (const dependency of dependsOn) size += dependency.length + 2;
  }
  return size;
}

/** About how many bytes a definition takes on the wire. */
export function workflowSize({ workflowId, displayName, description, version, tasks }: WorkflowRecord): number {
  const texts = workflowId.length + displayName.length + description.length + version.length;
  return FIXED_BYTES + texts + definitionSize(tasks);
}

/** About how many bytes a document takes on the wire. */
export function documentSize({ id, body }: DocumentRecord): number {
  return FIXED_BYTES + id.length + jsonSize(body);
}

function jsonSize(value: JsonObject | undefined): number {
  return value === undefined ? 0 : JSON.stringify(value).length;
}
