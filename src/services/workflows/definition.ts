import type {
  RetryPolicy as RetryMessage,
  TaskDefinition as TaskMessage,
  Workflow,
} from "../../../gen/opscore/v1/workflow_service_pb.js";
import type { RetryPolicy, TaskDefinition, WorkflowRecord } from "../../storage/records.js";
import type { Limits } from "../limits.js";
import { definitionSize } from "../../storage/sizes.js";
import {
  duration,
  excerpt,
  freeData,
  id,
  name,
  real,
  text,
  whole,
  word,
  type Violations,
} from "../validation/index.js";
import { arrange } from "./graph.js";

/** What a definition says, but for its id, which may be left out in some places. */
export type Definition = Pick<WorkflowRecord, "displayName" | "description" | "version" | "tasks">;

/** How many steps of a cycle are named at each end. */
const NAMED_STEPS = 4;

/**
 * Reads a definition of work: the one rule for what is stored, what is triggered without being stored, and what comes from files.
 *
 * @param prefix of the definition's fields: `workflow.`
 */
export function readDefinition(bad: Violations, prefix: string, message: Workflow, limits: Limits): Definition {
  const definition = {
    displayName: name(bad, `${prefix}display_name`, message.displayName),
    description: text(bad, `${prefix}description`, message.description, limits.messageBytes),
    version: name(bad, `${prefix}version`, message.version),
  };
  const field = `${prefix}tasks`;
  if (message.tasks.length > limits.tasks) {
    bad.add(field, `must be at most ${limits.tasks}`);
    return { ...definition, tasks: [] };
  }
  const tasks = message.tasks.map((task, i) => readTask(bad, `${field}[${i}].`, task, limits));
  if (definitionSize(tasks) > limits.definitionBytes) {
    bad.add(field, `must take at most ${limits.definitionBytes} bytes together`);
  }
  checkGraph(bad, field, tasks);
  return { ...definition, tasks };
}

function readTask(bad: Violations, prefix: string, message: TaskMessage, limits: Limits): TaskDefinition {
  const { agentCapability, priority, timeout, startDelay } = message;
  const { minTaskTimeoutMs, maxTaskTimeoutMs, maxPriority } = limits;
  const at = (field: string): string => prefix + field;
  const taskId = id(bad, at("task_id"), message.taskId);
  // What the task brings about stands under its id, and on the wire this one cannot be told from no key at all.
  if (taskId === "__proto__") bad.add(at("task_id"), 'must not be "__proto__"');
  return {
    taskId,
    displayName: name(bad, at("display_name"), message.displayName),
    capability: agentCapability === "" ? "" : word(bad, at("agent_capability"), agentCapability),
    parameters: freeData(bad, at("parameters"), message.parameters, limits),
    dependsOn: message.dependsOn,
    timeoutMs: duration(bad, at("timeout"), timeout, minTaskTimeoutMs, maxTaskTimeoutMs) ?? limits.defaultTaskTimeoutMs,
    retry: readRetry(bad, at("retry."), message.retry, limits),
    priority: whole(bad, at("priority"), priority, -maxPriority, maxPriority),
    startDelayMs: duration(bad, at("start_delay"), startDelay, 0, limits.maxStartDelayMs) ?? 0,
  };
}

function readRetry(bad: Violations, prefix: string, message: RetryMessage | undefined, limits: Limits): RetryPolicy {
  const { maxInitialBackoffMs, maxMaxBackoffMs, maxBackoffMultiplier } = limits;
  const { maxAttempts = 0, multiplier = 0 } = message ?? {};
  const initialBackoffMs =
    duration(bad, `${prefix}initial_backoff`, message?.initialBackoff, 0, maxInitialBackoffMs) ??
    limits.defaultInitialBackoffMs;
  return {
    maxAttempts: whole(bad, `${prefix}max_attempts`, maxAttempts || limits.defaultAttempts, 1, limits.maxAttempts),
    initialBackoffMs,
    maxBackoffMs:
      duration(bad, `${prefix}max_backoff`, message?.maxBackoff, 0, maxMaxBackoffMs) ??
      Math.max(limits.defaultMaxBackoffMs, initialBackoffMs),
    multiplier: real(
      bad,
      `${prefix}multiplier`,
      // Only 0 is "not given": NaN is a value, and none that can be used.
      multiplier === 0 ? limits.defaultBackoffMultiplier : multiplier,
      1,
      maxBackoffMultiplier,
    ),
  };
}

/** Names that are there twice or not at all, and tasks that wait for themselves. */
function checkGraph(bad: Violations, field: string, tasks: readonly TaskDefinition[]): void {
  const places = new Map<string, number>();
  tasks.forEach(({ taskId }, i) => {
    const first = places.get(taskId);
    if (first === undefined) places.set(taskId, i);
    else if (taskId !== "") bad.add(`${field}[${i}].task_id`, `must differ from that of ${field}[${first}]`);
  });
  tasks.forEach(({ dependsOn }, i) => {
    const seen = new Set<string>();
    dependsOn.forEach((taskId, k) => {
      const at = `${field}[${i}].depends_on[${k}]`;
      if (!places.has(taskId)) bad.add(at, `must be the id of a task of this workflow; ${excerpt(taskId)} is none`);
      else if (seen.has(taskId)) bad.add(at, `must not name ${excerpt(taskId)} again`);
      seen.add(taskId);
    });
  });
  // With doubled names it is not clear who waits for whom.
  const arrangement = places.size === tasks.length ? arrange(tasks) : undefined;
  if (arrangement?.kind === "cycle") refuseCycle(bad, field, tasks, arrangement.cycle);
}

function refuseCycle(bad: Violations, field: string, tasks: readonly TaskDefinition[], cycle: readonly number[]): void {
  const ids = cycle.map((index) => tasks[index]?.taskId ?? "");
  const [first = ""] = ids;
  const last = cycle.at(-1) ?? 0;
  const closing = tasks[last]?.dependsOn.indexOf(first) ?? 0;
  const way = [ids.at(-1) ?? "", ...ids];
  const shown =
    way.length <= 2 * NAMED_STEPS
      ? way
      : [...way.slice(0, NAMED_STEPS), `(${way.length - 2 * NAMED_STEPS} more)`, ...way.slice(-NAMED_STEPS)];
  bad.add(`${field}[${last}].depends_on[${closing}]`, `must not make a task wait for itself: ${shown.join(" → ")}`);
}
