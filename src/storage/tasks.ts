/**
 * The part of the storage contract that runs work: workflows, the tasks of sessions, and the room that agents have for tasks.
 *
 * A session with its tasks lies in one partition, an agent in another. What spans both is two atomic steps, each safe to repeat: an
 * agent's slot is reserved for an attempt, then the attempt is leased; a task ends, then the slot is released. A crash between the
 * steps leaves a slot that nothing uses, which {@link SlotOutcome} shows to whoever finds no room because of it.
 *
 * Fencing: `attempt` grows by one at each lease, and whatever names another attempt than the one under way is refused.
 */
import type { Awaitable } from "../lib/awaitable.js";
import type { JsonObject } from "../lib/json.js";
import type { TaskDefinition, TaskDelivery, TaskRecord, TaskStatus, WorkflowRecord } from "./records.js";
import type { AgentKey, Page, SessionKey } from "./storage.js";

/** What the results that are handed to a dependant, or to the session at its end, may take together, in bytes of JSON. */
export const MAX_COLLECTED_BYTES = 64 * 1024;

/** What the reason of a failure is when the server itself observed it. */
export const TaskFailure = {
  LEASE_EXPIRED: "LeaseExpired",
  TIMED_OUT: "TimedOut",
  AGENT_LOST: "AgentLost",
} as const;

export interface WorkflowKey {
  readonly namespace: string;
  readonly workflowId: string;
}

export interface PutWorkflow extends WorkflowKey {
  readonly displayName: string;
  readonly description: string;
  readonly version: string;
  readonly tasks: readonly TaskDefinition[];
  /** Only if the workflow has this revision; 0: any, or none. */
  readonly expectedRevision: number;
}

export interface StoredWorkflow {
  readonly workflow: WorkflowRecord;
  readonly created: boolean;
}

export interface DeleteWorkflow extends WorkflowKey {
  /** 0: any. */
  readonly expectedRevision: number;
}

export interface ListWorkflows {
  readonly namespace: string;
  readonly limit: number;
  readonly cursor: string | undefined;
}

export interface TaskKey extends SessionKey {
  readonly taskId: string;
}

/** What tells a task from every other in its namespace. */
export function taskName({ sessionId, taskId }: Pick<TaskKey, "sessionId" | "taskId">): string {
  return `${sessionId}/${taskId}`;
}

/** One attempt at a task: the fence. */
export interface AttemptKey extends TaskKey {
  readonly attempt: number;
}

export interface LeaseTask extends AttemptKey {
  /** `attempt` is the one that begins: one more than the task's last. */
  readonly attempt: number;
  readonly agentId: string;
  readonly agentIncarnation: number;
  /** What the reservation of the slot answered. */
  readonly agentRevision: number;
  readonly delivery: TaskDelivery;
  /** How long the lease lasts without a renewal; never beyond the attempt's deadline. */
  readonly leaseMs: number;
}

export interface RenewTask extends AttemptKey {
  readonly leaseMs: number;
}

export interface RenewedTask {
  readonly remainingMs: number;
}

export interface CompleteTask extends AttemptKey {
  readonly result: JsonObject | undefined;
}

export interface FailTask extends AttemptKey {
  readonly reason: string;
  readonly error: string;
  /** FAILED whatever attempts are left. */
  readonly permanent: boolean;
  /** From 0 up to 1: how much of the random part is added to the backoff. */
  readonly jitter: number;
}

export interface CancelTask extends TaskKey {
  readonly message: string;
}

export interface ExpireTasks {
  /** From 0 up to 1; see FailTask. */
  readonly jitter: number;
}

export interface ListTasks {
  readonly namespace: string;
  /** Empty: any. */
  readonly sessionId: string;
  /** Who has it or had it last. Empty: any. */
  readonly agentId: string;
  /** One of these; empty: any. */
  readonly statuses: readonly TaskStatus[];
  readonly limit: number;
  readonly cursor: string | undefined;
}

/** Which tasks a snapshot holds. `sessions`: every task of these. `agent`: those LEASED to one. `open`: all that are READY or LEASED. */
export type TaskSnapshotQuery =
  | {
      readonly namespace: string;
      readonly of:
        | OpenTasks
        | { readonly kind: "agent"; readonly agentId: string }
        | { readonly kind: "sessions"; readonly sessionIds: readonly string[] };
    }
  /** Of all namespaces, for the server itself. */
  | { readonly namespace: undefined; readonly of: OpenTasks };

interface OpenTasks {
  readonly kind: "open";
}

/** An attempt that an agent has room reserved for. */
export interface Slot {
  readonly sessionId: string;
  readonly taskId: string;
  readonly attempt: number;
  /** When it was reserved. */
  readonly reserveTime: number;
}

export interface ReserveSlot extends AgentKey, AttemptKey {
  readonly incarnation: number;
}

/** Whether the agent takes the attempt, and if not, why not. */
export type SlotOutcome =
  /** `agentRevision`: that of the agent's state as of now, also when the slot was reserved before. */
  | { readonly kind: "reserved"; readonly agentRevision: number }
  /** It is not there, is another incarnation, or its state or liveness keeps it from taking tasks. */
  | { readonly kind: "unavailable" }
  /** It has as many tasks as it takes. `now` is the storage's clock, which `reserveTime` is compared with. */
  | { readonly kind: "full"; readonly slots: readonly Slot[]; readonly now: number };

export interface TaskStorage {
  /** @throws STATE_MISMATCH */
  putWorkflow(command: PutWorkflow): Awaitable<StoredWorkflow>;
  getWorkflow(key: WorkflowKey): Awaitable<WorkflowRecord | undefined>;
  /** In the order of their ids, by UTF-16 code units (which for ids is that of their bytes). */
  listWorkflows(query: ListWorkflows): Awaitable<Page<WorkflowRecord>>;
  /** @throws WORKFLOW_NOT_FOUND, STATE_MISMATCH */
  deleteWorkflow(command: DeleteWorkflow): Awaitable<WorkflowRecord>;

  /**
   * READY to LEASED; a session that was STARTED becomes RUNNING. The same lease again answers as the first time.
   *
   * @throws TASK_NOT_FOUND; STALE_ATTEMPT when the task is not READY (or not yet: `notBefore`), its next attempt is another one, or
   * its session is PAUSED
   */
  leaseTask(command: LeaseTask): Awaitable<TaskRecord>;
  /** @throws TASK_NOT_FOUND, STALE_ATTEMPT */
  renewTask(command: RenewTask): Awaitable<RenewedTask>;
  /**
   * LEASED to COMPLETED. Dependants that waited for it alone become READY; when no task is READY or LEASED any more the session
   * ends. The completion of the same attempt again gives the task as it is.
   *
   * @throws TASK_NOT_FOUND, STALE_ATTEMPT
   */
  completeTask(command: CompleteTask): Awaitable<TaskRecord>;
  /**
   * LEASED to READY with a backoff, or to FAILED; then the session may end, as with {@link completeTask}. The failure of the same
   * attempt again gives the task as it is.
   *
   * @throws TASK_NOT_FOUND, STALE_ATTEMPT
   */
  failTask(command: FailTask): Awaitable<TaskRecord>;
  /** @throws TASK_NOT_FOUND, TASK_ENDED */
  cancelTask(command: CancelTask): Awaitable<TaskRecord>;
  /**
   * FAILED to READY, with as many attempts as at first. A FAILED session is RUNNING again, without the result and the error of its
   * end; what was called off in it stays so.
   *
   * @throws TASK_NOT_FOUND, STATE_MISMATCH, SESSION_ENDED
   */
  retryTask(key: TaskKey): Awaitable<TaskRecord>;
  /** Fails the attempts whose lease or deadline has passed. Answers how many. Called every few hundred milliseconds by every replica. */
  expireTasks(command: ExpireTasks): Awaitable<number>;
  getTask(key: TaskKey): Awaitable<TaskRecord | undefined>;
  /**
   * Tasks of one session in the order of its plan; others in the order in which their sessions started.
   */
  listTasks(query: ListTasks): Awaitable<Page<TaskRecord>>;

  /**
   * Reserves room for an attempt. The agent must be of this incarnation, ALIVE, and IDLE (or ACTIVE when it takes more than one
   * task). The same reservation again answers the same; a new attempt at a task takes the place of the one before. A registration
   * frees all slots.
   */
  reserveSlot(command: ReserveSlot): Awaitable<SlotOutcome>;
  /** Frees the slot of an attempt; nothing happens when there is none. */
  releaseSlot(key: AgentKey & AttemptKey): Awaitable<void>;
}
