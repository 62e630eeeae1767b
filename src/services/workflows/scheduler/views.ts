/** What the scheduler keeps in mind of agents and tasks: the few facts that decide who gets what. */
import type { Heaped } from "../../../lib/heap.js";
import { Liveness, State, TaskDelivery, TaskStatus, type Agent, type TaskRecord } from "../../../storage/records.js";
import { taskName } from "../../../storage/tasks.js";

/** What an agent says of itself that matters here; shared by the views of all agents that say the same. */
export interface AgentTraits {
  readonly capabilities: readonly string[];
  readonly maxConcurrentTasks: number;
  readonly delivery: TaskDelivery;
}

/** An agent as the log shows it. */
export interface AgentView {
  readonly agentId: string;
  traits: AgentTraits;
  incarnation: number;
  state: State;
  liveness: Liveness;
  /** Of what is known here. */
  revision: number;
  /** The storage did not let it take a task, and nothing has changed since. */
  isSuspended: boolean;
  /** Whether it stands in its lanes. */
  isAvailable: boolean;
}

/** A task that is READY or LEASED. */
export interface TaskView extends Heaped {
  readonly name: string;
  readonly namespace: string;
  readonly sessionId: string;
  readonly taskId: string;
  readonly boundAgentId: string;
  readonly capability: string;
  readonly priority: number;
  readonly createTime: number;
  readonly timeoutMs: number;
  readonly status: typeof TaskStatus.READY | typeof TaskStatus.LEASED;
  readonly attempt: number;
  readonly agentId: string;
  readonly agentIncarnation: number;
  /** What its agent reported up to this revision is not about this attempt. */
  readonly agentRevision: number;
  readonly delivery: TaskDelivery;
  readonly startTime: number | undefined;
  /** How long to wait before it may be leased, from when this was committed, in milliseconds. */
  readonly delayMs: number;
  readonly notBefore: number | undefined;
  readonly revision: number;
}

export function toTaskView(record: TaskRecord): TaskView | undefined {
  const { status, notBefore } = record;
  if (status !== TaskStatus.READY && status !== TaskStatus.LEASED) return undefined;
  return {
    heapIndex: -1,
    name: taskName(record),
    namespace: record.namespace,
    sessionId: record.sessionId,
    taskId: record.taskId,
    boundAgentId: record.boundAgentId,
    capability: record.capability,
    priority: record.priority,
    createTime: record.createTime,
    timeoutMs: record.timeoutMs,
    status,
    attempt: record.attempt,
    agentId: record.agentId,
    agentIncarnation: record.agentIncarnation,
    agentRevision: record.agentRevision,
    delivery: record.delivery,
    startTime: record.startTime,
    delayMs: notBefore === undefined ? 0 : Math.max(0, notBefore - record.updateTime),
    notBefore,
    revision: record.revision,
  };
}

/**
 * The order in which tasks that wait for the same agents go: by priority, then the older session's first, then
 * what was READY first. It is the same on every
 * replica, so that two replicas that decide at once mostly decide alike.
 */
export function goesBefore(a: TaskView, b: TaskView): boolean {
  if (a.priority !== b.priority) return a.priority > b.priority;
  if (a.createTime !== b.createTime) return a.createTime < b.createTime;
  return a.sessionId === b.sessionId ? a.revision < b.revision : a.sessionId < b.sessionId;
}

/** How tasks reach an agent, as far as it said. */
export function deliveryOf({ taskDelivery, contactEndpoint }: Agent["record"]): TaskDelivery {
  if (taskDelivery !== TaskDelivery.AUTO) return taskDelivery;
  return contactEndpoint === "" ? TaskDelivery.STREAM : TaskDelivery.ENDPOINT;
}

/** Whether its state lets an agent take another task; the same rule as the storage's `reserveSlot`. */
export function takesTasks({ liveness, state, traits }: AgentView): boolean {
  if (liveness !== Liveness.ALIVE) return false;
  return state === State.IDLE || (state === State.ACTIVE && traits.maxConcurrentTasks > 1);
}
