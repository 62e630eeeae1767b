import { TaskDelivery, TaskStatus, type TaskPlan, type TaskRecord } from "../records.js";
import { taskSize } from "../sizes.js";

/** Makes a task record. */
export function taskRecord(fields: Omit<TaskRecord, "size">): TaskRecord {
  return {
    namespace: fields.namespace,
    sessionId: fields.sessionId,
    taskId: fields.taskId,
    workflowId: fields.workflowId,
    displayName: fields.displayName,
    capability: fields.capability,
    boundAgentId: fields.boundAgentId,
    parameters: fields.parameters,
    dependsOn: fields.dependsOn,
    timeoutMs: fields.timeoutMs,
    retry: fields.retry,
    priority: fields.priority,
    startDelayMs: fields.startDelayMs,
    status: fields.status,
    inputs: fields.inputs,
    attempt: fields.attempt,
    attemptsLeft: fields.attemptsLeft,
    agentId: fields.agentId,
    agentIncarnation: fields.agentIncarnation,
    agentRevision: fields.agentRevision,
    delivery: fields.delivery,
    notBefore: fields.notBefore,
    leaseExpireTime: fields.leaseExpireTime,
    deadline: fields.deadline,
    result: fields.result,
    reason: fields.reason,
    error: fields.error,
    createTime: fields.createTime,
    startTime: fields.startTime,
    updateTime: fields.updateTime,
    endTime: fields.endTime,
    revision: fields.revision,
    size: taskSize(fields),
  };
}

/** What a task is before anything happened to it. */
export function newTask(
  plan: TaskPlan,
  identity: Pick<TaskRecord, "namespace" | "sessionId" | "workflowId">,
  time: number,
  revision: number,
): TaskRecord {
  const isReady = plan.dependsOn.length === 0;
  return taskRecord({
    ...plan,
    ...identity,
    status: isReady ? TaskStatus.READY : TaskStatus.PENDING,
    inputs: undefined,
    attempt: 0,
    attemptsLeft: plan.retry.maxAttempts,
    agentId: "",
    agentIncarnation: 0,
    agentRevision: 0,
    delivery: TaskDelivery.AUTO,
    notBefore: isReady ? startTime(time, plan.startDelayMs) : undefined,
    leaseExpireTime: undefined,
    deadline: undefined,
    result: undefined,
    reason: "",
    error: "",
    createTime: time,
    startTime: undefined,
    updateTime: time,
    endTime: undefined,
    revision,
  });
}

/** When a task may be leased that could be from `time` on. */
export function startTime(time: number, delayMs: number): number | undefined {
  return delayMs === 0 ? undefined : time + delayMs;
}
