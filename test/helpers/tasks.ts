/** Tasks, and commands about them, with everything in them that a test does not care about: of session `s`, by agent `a`. */
import { TaskDelivery, type RetryPolicy, type TaskDefinition, type TaskPlan } from "../../src/storage/records.js";
import type {
  AgentKey,
  AttemptKey,
  CancelTask,
  CompleteTask,
  FailTask,
  LeaseTask,
  ListTasks,
  PutWorkflow,
  RenewTask,
  ReserveSlot,
  StartSession,
  TaskKey,
} from "../../src/storage/storage.js";
import { aSession, NAMESPACE } from "./records.js";

export const SESSION = "s";
export const AGENT = "a";

/** Long enough that a storage with a real clock has time for the commands between two moments. */
export const TASK_LEASE_MS = 600;

/** No backoff, so that what fails can be leased again at once. */
export const RETRY: RetryPolicy = { maxAttempts: 3, initialBackoffMs: 0, maxBackoffMs: 0, multiplier: 1 };

export function aDefinition(taskId: string, definition: Partial<TaskDefinition> = {}): TaskDefinition {
  return {
    taskId,
    displayName: "",
    capability: "",
    parameters: undefined,
    dependsOn: [],
    timeoutMs: 60_000,
    retry: RETRY,
    priority: 0,
    startDelayMs: 0,
    ...definition,
  };
}

export function aTask(taskId: string, task: Partial<TaskPlan> = {}): TaskPlan {
  return { ...aDefinition(taskId), boundAgentId: "", ...task };
}

/** Tasks in a chain: each waits for the one before. */
export function aChain(...taskIds: readonly string[]): TaskPlan[] {
  return taskIds.map((taskId, index) => aTask(taskId, { dependsOn: taskIds.slice(index - 1, index) }));
}

/** A session for whoever can do its tasks. */
export function aRun(tasks: readonly TaskPlan[], session: Partial<StartSession> = {}): StartSession {
  return aSession(SESSION, "", { tasks, ...session });
}

export function aTaskKey(taskId: string, key: Partial<TaskKey> = {}): TaskKey {
  return { namespace: NAMESPACE, sessionId: SESSION, taskId, ...key };
}

export function anAttempt(taskId: string, attempt: number, key: Partial<TaskKey> = {}): AttemptKey {
  return { ...aTaskKey(taskId, key), attempt };
}

export function aLease(taskId: string, attempt = 1, lease: Partial<LeaseTask> = {}): LeaseTask {
  return {
    ...anAttempt(taskId, attempt),
    agentId: AGENT,
    agentIncarnation: 1,
    agentRevision: 1,
    delivery: TaskDelivery.STREAM,
    leaseMs: TASK_LEASE_MS,
    ...lease,
  };
}

export function aRenewal(taskId: string, attempt = 1, renewal: Partial<RenewTask> = {}): RenewTask {
  return { ...anAttempt(taskId, attempt), leaseMs: TASK_LEASE_MS, ...renewal };
}

export function aCompletion(taskId: string, attempt = 1, completion: Partial<CompleteTask> = {}): CompleteTask {
  return { ...anAttempt(taskId, attempt), result: undefined, ...completion };
}

export function aFailure(taskId: string, attempt = 1, failure: Partial<FailTask> = {}): FailTask {
  return { ...anAttempt(taskId, attempt), reason: "Broken", error: "", permanent: false, jitter: 0, ...failure };
}

export function aCancellation(taskId: string, cancellation: Partial<CancelTask> = {}): CancelTask {
  return { ...aTaskKey(taskId), message: "", ...cancellation };
}

export function aTaskQuery(query: Partial<ListTasks> = {}): ListTasks {
  return { namespace: NAMESPACE, sessionId: "", agentId: "", statuses: [], limit: 50, cursor: undefined, ...query };
}

export function aReservation(taskId: string, attempt = 1, reservation: Partial<ReserveSlot> = {}): ReserveSlot {
  return { ...anAttempt(taskId, attempt), agentId: AGENT, incarnation: 1, ...reservation };
}

export function aRelease(taskId: string, attempt = 1, agentId = AGENT): AgentKey & AttemptKey {
  return { ...anAttempt(taskId, attempt), agentId };
}

export function aWorkflow(workflowId: string, workflow: Partial<PutWorkflow> = {}): PutWorkflow {
  return {
    namespace: NAMESPACE,
    workflowId,
    displayName: "",
    description: "",
    version: "",
    tasks: [aDefinition("t")],
    expectedRevision: 0,
    ...workflow,
  };
}
