export { Agent } from "./agent/agent.js";
export type { AgentEvents, AgentOptions, AgentStatus, StopOptions, StopResult } from "./agent/options.js";
export { AgentTask, TaskEndedError, type FailOptions, type TaskEnd } from "./agent/task.js";
export type { AgentTasks } from "./agent/tasks.js";
export { ReportDroppedError, type ReportContent } from "./agent/outbox.js";
export type { Protocol } from "./calls/node-transport.js";
export { createOpsCoreClient, type OpsCoreClient, type OpsCoreClientOptions } from "./client.js";
export { errorMetadata, errorReason, fieldViolations, lastKnownState, retryAfterMs } from "./errors.js";
export type { RetryOptions, RetryPolicy } from "./retry-policy.js";
export { systemScheduler, type Scheduler } from "./scheduler.js";
export type { WaitCondition, WaitOptions } from "./wait/wait.js";
export type { Reconnect, Resync, Synced } from "./watch/resuming-stream.js";
export { Watch } from "./watch/watch.js";
export type {
  SessionEntry,
  SessionFilter,
  SessionWatch,
  StateEntry,
  StateFilter,
  StateWatch,
  TaskEntry,
  TaskFilter,
  TaskWatch,
  WatchOptions,
} from "./watch/watches.js";
