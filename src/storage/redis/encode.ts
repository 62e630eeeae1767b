/** What scripts are given: fragments of records as JSON texts, always the same text for the same meaning. */
import type { AgentProfile, ReportContent, SessionRecord, State, TaskDefinition, TaskPlan } from "../records.js";
import { stateSize } from "../sizes.js";
import type { PutWorkflow, SetState } from "../storage.js";
import { canonicalJson } from "./canonical-json.js";
import { ENCODING } from "./cells.js";

const NOTHING = { reason: "", message: "", details: undefined, sessionId: "", taskId: "" };

/** The content of a state: `state,reason,message,sessionId,taskId,details`. */
export function encodeContent(content: ReportContent): string {
  const { state, reason, message, sessionId, taskId, details } = content;
  const texts = `${JSON.stringify(reason)},${JSON.stringify(message)},${JSON.stringify(sessionId)},${JSON.stringify(taskId)}`;
  return `${state},${texts},${canonicalJson(details)}`;
}

/** The first state of an incarnation: content, actor, size. */
export function encodeFirstState(agentId: string, state: State, actor: string): readonly [string, string, string] {
  const content = { state, ...NOTHING };
  return [encodeContent(content), JSON.stringify(actor), String(stateSize(agentId, content, actor))];
}

/** The parts of a report in the order of `lua/includes/report.lua`, without what says whether and how it is held. */
export function encodeReport(report: SetState): readonly string[] {
  return [
    String(report.incarnation),
    String(report.sequence),
    report.reportTime === undefined ? "null" : String(report.reportTime),
    report.expectedStates.join(""),
    String(report.expectedRevision),
    encodeContent(report),
    JSON.stringify(report.actor),
    String(stateSize(report.agentId, report, report.actor)),
    report.requestId,
    report.discardIfOlder ? "1" : "0",
  ];
}

/** The parts of a profile in the order of `lua/includes/profile.lua`; empty for those that are not given. */
export function encodeProfile(profile: Partial<AgentProfile>): readonly string[] {
  const { displayName, version, contactEndpoint, maxConcurrentTasks, taskDelivery } = profile;
  const { capabilities, labels, leaseTtlMs } = profile;
  return [
    displayName === undefined ? "" : JSON.stringify(displayName),
    version === undefined ? "" : JSON.stringify(version),
    contactEndpoint === undefined ? "" : JSON.stringify(contactEndpoint),
    "metadata" in profile ? canonicalJson(profile.metadata) : "",
    maxConcurrentTasks === undefined ? "" : String(maxConcurrentTasks),
    taskDelivery === undefined ? "" : String(taskDelivery),
    capabilities === undefined ? "" : JSON.stringify(capabilities),
    labels === undefined ? "" : canonicalJson(labels),
    leaseTtlMs === undefined ? "" : String(leaseTtlMs),
  ];
}

/** Status, metadata, result and error of a session; empty for those that are not given. */
export function encodeSessionPatch(
  patch: Partial<Pick<SessionRecord, "status" | "metadata" | "result" | "error">>,
): readonly string[] {
  return [
    patch.status === undefined ? "" : String(patch.status),
    "metadata" in patch ? canonicalJson(patch.metadata) : "",
    "result" in patch ? canonicalJson(patch.result) : "",
    patch.error === undefined ? "" : JSON.stringify(patch.error),
  ];
}

/**
 * What a session is to do, as `lua/start-session.lua` wants it: for each task its id, its plan, its delay, on how many tasks it
 * depends, and which depend on it.
 */
export function encodePlans(plans: readonly TaskPlan[], workflowId: string): readonly string[] {
  const dependants = new Map<string, string[]>();
  for (const { taskId, dependsOn } of plans) {
    // What comes later is nothing to wait for: nobody could tell when it is done.
    for (const each of dependsOn) dependants.get(each)?.push(taskId);
    dependants.set(taskId, []);
  }
  return plans.flatMap((plan) => [
    plan.taskId,
    encodePlan(plan, workflowId),
    String(plan.startDelayMs),
    String(plan.dependsOn.length),
    dependants.get(plan.taskId)?.join(" ") ?? "",
  ]);
}

/** A plan in the order of `lua/includes/task.lua`. */
function encodePlan(plan: TaskPlan, workflowId: string): string {
  return `[${encodeDefinition(plan)},${JSON.stringify(plan.boundAgentId)},${JSON.stringify(workflowId)}]`;
}

/** What a workflow says, without revision and times. */
export function encodeWorkflow({ displayName, description, version, tasks }: PutWorkflow): string {
  const definitions = tasks.map((task) => `[${encodeDefinition(task)}]`).join(",");
  return `${[displayName, description, version].map((text) => JSON.stringify(text)).join(",")},[${definitions}]`;
}

/** The cells of a plan that a workflow says as well. Numbers first: scripts want them. */
function encodeDefinition(task: TaskDefinition): string {
  const { maxAttempts, initialBackoffMs, maxBackoffMs, multiplier } = task.retry;
  const retry = [maxAttempts, initialBackoffMs, maxBackoffMs, multiplier];
  const numbers = [ENCODING, task.timeoutMs, task.startDelayMs, task.priority, ...retry].join(",");
  const names = [task.dependsOn, task.taskId, task.displayName, task.capability].map((each) => JSON.stringify(each));
  return `${numbers},${names.join(",")},${canonicalJson(task.parameters)}`;
}
