/** Tasks and workflows as they come out of Redis. The encodings are described in `lua/includes/task.lua` and `workflow.lua`. */
import { TaskDelivery, TaskStatus, type TaskChange, type TaskDefinition, type TaskRecord } from "../records.js";
import type { WorkflowRecord } from "../records.js";
import { taskSize } from "../sizes.js";
import type { SessionKey, WorkflowKey } from "../storage.js";
import { Cells } from "./cells.js";

const STATUSES: ReadonlySet<TaskStatus> = new Set(Object.values(TaskStatus));
const DELIVERIES: ReadonlySet<TaskDelivery> = new Set(Object.values(TaskDelivery));

/** @param key where the text came from, for the error */
export function decodeTask(text: string, session: SessionKey, key: string): TaskRecord {
  return toTask(Cells.parse(text, key), session);
}

/** @param key where the text came from, for the error */
export function decodeWorkflow(text: string, { namespace, workflowId }: WorkflowKey, key: string): WorkflowRecord {
  const cells = Cells.parse(text, key);
  const revision = cells.number();
  const createTime = cells.number();
  const updateTime = cells.number();
  const displayName = cells.text();
  const description = cells.text();
  const version = cells.text();
  const tasks = cells.records().map(toDefinition);
  return { namespace, workflowId, displayName, description, version, tasks, createTime, updateTime, revision };
}

/** @param cells of an entry of the log, after its kind */
export function toTaskChange(cells: Cells, partition: number, revision: number): TaskChange {
  const namespace = cells.text();
  const sessionId = cells.text();
  const previousStatus = cells.skip(null) ? undefined : cells.member(STATUSES);
  const task = toTask(cells.record(), { namespace, sessionId });
  return { kind: "task", namespace, partition, revision, task, previousStatus };
}

/** Cells are read in the order in which scripts write them. */
function toTask(cells: Cells, { namespace, sessionId }: SessionKey): TaskRecord {
  const revision = cells.number();
  const status = cells.member(STATUSES);
  // Its place in the plan.
  cells.number();
  const attempt = cells.number();
  const attemptsLeft = cells.number();
  const agentIncarnation = cells.number();
  const agentRevision = cells.number();
  const delivery = cells.member(DELIVERIES);
  // What scripts compare their clock with.
  cells.number();
  const notBefore = cells.optionalNumber();
  const leaseExpireTime = cells.optionalNumber();
  const deadline = cells.optionalNumber();
  const createTime = cells.number();
  const startTime = cells.optionalNumber();
  const updateTime = cells.number();
  const endTime = cells.optionalNumber();
  // The lengths of what follows.
  cells.numbers();
  const agentId = cells.text();
  const inputs = cells.data();
  const result = cells.data();
  const reason = cells.text();
  const error = cells.text();
  const plan = cells.record();
  const definition = toDefinition(plan);
  const boundAgentId = plan.text();
  const workflowId = plan.text();
  const fields = {
    namespace,
    sessionId,
    taskId: definition.taskId,
    workflowId,
    displayName: definition.displayName,
    capability: definition.capability,
    boundAgentId,
    parameters: definition.parameters,
    dependsOn: definition.dependsOn,
    timeoutMs: definition.timeoutMs,
    retry: definition.retry,
    priority: definition.priority,
    startDelayMs: definition.startDelayMs,
    status,
    inputs,
    attempt,
    attemptsLeft,
    agentId,
    agentIncarnation,
    agentRevision,
    delivery,
    notBefore,
    leaseExpireTime,
    deadline,
    result,
    reason,
    error,
    createTime,
    startTime,
    updateTime,
    endTime,
    revision,
  };
  return { ...fields, size: taskSize(fields) };
}

function toDefinition(cells: Cells): TaskDefinition {
  const timeoutMs = cells.number();
  const startDelayMs = cells.number();
  const priority = cells.number();
  const retry = {
    maxAttempts: cells.number(),
    initialBackoffMs: cells.number(),
    maxBackoffMs: cells.number(),
    multiplier: cells.number(),
  };
  const dependsOn = cells.texts();
  const taskId = cells.text();
  const displayName = cells.text();
  const capability = cells.text();
  const parameters = cells.data();
  return { taskId, displayName, capability, parameters, dependsOn, timeoutMs, retry, priority, startDelayMs };
}
