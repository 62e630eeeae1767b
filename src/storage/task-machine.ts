/**
 * The rules by which tasks and the sessions that they belong to move. The memory storage follows them by these functions, the Redis
 * storage by `lua/includes/task.lua`; the contract suite and the reference model hold both to the same.
 */
import type { JsonObject } from "../lib/json.js";
import { SessionStatus, TaskStatus, type RetryPolicy, type TaskRecord } from "./records.js";
import { MAX_COLLECTED_BYTES, TaskFailure } from "./tasks.js";

/** From each status, the statuses it may lead to. */
export const TASK_TRANSITIONS: Readonly<Record<TaskStatus, readonly TaskStatus[]>> = {
  [TaskStatus.PENDING]: [TaskStatus.READY, TaskStatus.CANCELLED],
  [TaskStatus.READY]: [TaskStatus.LEASED, TaskStatus.CANCELLED],
  [TaskStatus.LEASED]: [TaskStatus.READY, TaskStatus.COMPLETED, TaskStatus.FAILED, TaskStatus.CANCELLED],
  [TaskStatus.COMPLETED]: [],
  [TaskStatus.FAILED]: [TaskStatus.READY],
  [TaskStatus.CANCELLED]: [],
};

/** Tells whether a task has ended. One that is FAILED can be taken out of the dead letter, by hand. */
export function isTaskEnded(status: TaskStatus): boolean {
  return status >= TaskStatus.COMPLETED;
}

/** What the attempts fail of that the server itself ends: the lease was not renewed, or the attempt took too long all the same. */
export const EXPIRED = {
  lease: { reason: TaskFailure.LEASE_EXPIRED, error: "the agent did not renew its lease" },
  attempt: { reason: TaskFailure.TIMED_OUT, error: "the attempt took too long" },
} as const;

/** How much of a backoff may be added to it at random. */
export const JITTER_SHARE = 0.2;

/**
 * How long to wait after a failed attempt, in milliseconds.
 *
 * @param failures how many attempts have failed since the task was new, or was retried by hand; from 1
 * @param jitter from 0 up to 1
 */
export function backoffMs(
  { initialBackoffMs, maxBackoffMs, multiplier }: RetryPolicy,
  failures: number,
  jitter: number,
): number {
  let wait = initialBackoffMs;
  // Not by a power, whose last bit is not the same in every language.
  for (let failure = 1; failure < failures; failure += 1) wait *= multiplier;
  wait = Math.min(maxBackoffMs, wait);
  return Math.round(wait + wait * JITTER_SHARE * jitter);
}

/** How many tasks of a session there are in each status that decides about its end. */
export interface TaskCounts {
  /** READY or LEASED. */
  readonly open: number;
  readonly failed: number;
  readonly cancelled: number;
}

/**
 * What a session with tasks becomes: undefined while something can still run. What is PENDING when nothing is open never will, for
 * it waits for something that failed or was called off.
 */
export function sessionEnd({ open, failed, cancelled }: TaskCounts): SessionStatus | undefined {
  if (open > 0) return undefined;
  if (failed > 0) return SessionStatus.FAILED;
  return cancelled > 0 ? SessionStatus.CANCELLED : SessionStatus.COMPLETED;
}

/** What a session says that failed because of a task. */
export function sessionError({ taskId, reason, error }: Pick<TaskRecord, "taskId" | "reason" | "error">): string {
  return `task ${taskId} failed: ${reason}${error === "" ? "" : `: ${error}`}`;
}

/**
 * Puts results together, by task id. One that would take them over {@link MAX_COLLECTED_BYTES} is left out; those after it may still
 * fit.
 *
 * @param results in the order in which they go in; a task without a result has an empty one
 * @returns undefined when there is none
 */
export function collectResults(
  results: Iterable<readonly [taskId: string, result: JsonObject | undefined]>,
): JsonObject | undefined {
  const collected = new Map<string, JsonObject>();
  let bytes = 2;
  for (const [taskId, result = {}] of results) {
    const added = Buffer.byteLength(JSON.stringify(result)) + taskId.length + 4;
    if (bytes + added > MAX_COLLECTED_BYTES) continue;
    bytes += added;
    collected.set(taskId, result);
  }
  // Not by assignment: `__proto__` is an id like any other.
  return collected.size === 0 ? undefined : Object.fromEntries(collected);
}

const TASK_STATUS_NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(TaskStatus).map(([name, value]) => [value, name]),
);

/** The name of a status as it stands in the proto file, without its prefix: `LEASED`. */
export function taskStatusName(status: TaskStatus): string {
  return TASK_STATUS_NAMES.get(status) ?? `TASK_STATUS_${status}`;
}
