/**
 * The client of Ops-Core.
 *
 * @example
 * ```ts
 * import { Agent, createOpsCoreClient, State } from "ops-core";
 *
 * const client = createOpsCoreClient({ baseUrl: "http://127.0.0.1:8080" });
 * const agent = await Agent.start({ client, agentId: "writer-1" });
 * await agent.idle();
 *
 * for await (const item of client.watchState({ agentIds: ["writer-1"] })) {
 *   if (item.type === "event") console.log(item.event.state?.state);
 * }
 * ```
 *
 * @module
 */

// Those who run an agent, or look at what agents do.
export {
  Agent,
  AgentTask,
  createOpsCoreClient,
  ReportDroppedError,
  TaskEndedError,
  type AgentEvents,
  type AgentOptions,
  type AgentStatus,
  type AgentTasks,
  type FailOptions,
  type OpsCoreClient,
  type OpsCoreClientOptions,
  type ReportContent,
  type SessionEntry,
  type SessionFilter,
  type SessionWatch,
  type StateEntry,
  type StateFilter,
  type StateWatch,
  type StopOptions,
  type StopResult,
  type TaskEnd,
  type TaskEntry,
  type TaskFilter,
  type TaskWatch,
  type WaitCondition,
  type WaitOptions,
  type WatchOptions,
} from "./client/index.js";
export { Liveness, State, TaskDelivery } from "../gen/opscore/v1/common_pb.js";
export { SessionEvent_Type as SessionEventType, SessionStatus } from "../gen/opscore/v1/session_service_pb.js";
export { TaskStatus } from "../gen/opscore/v1/task_service_pb.js";
export { StateEvent_Type as StateEventType, WaitOutcome } from "../gen/opscore/v1/state_service_pb.js";

// Those who handle failures. Calls fail with a ConnectError.
export { Code, ConnectError } from "@connectrpc/connect";
export { errorMetadata, errorReason, fieldViolations, lastKnownState, retryAfterMs } from "./client/index.js";
export { REASONS, type FieldViolation, type Reason } from "./errors/index.js";

// What the calls say, as types. Schemas and service descriptors are in `ops-core/gen/*`.
export type { Agent as AgentMessage, AgentState } from "../gen/opscore/v1/common_pb.js";
export type { Session, SessionEvent } from "../gen/opscore/v1/session_service_pb.js";
export type { Task, TaskEvent } from "../gen/opscore/v1/task_service_pb.js";
export type { DeadDelivery, Webhook, WebhookFilter } from "../gen/opscore/v1/webhook_service_pb.js";
export type { TaskDefinition, Workflow } from "../gen/opscore/v1/workflow_service_pb.js";
export type { StateEvent, WaitForStateResponse } from "../gen/opscore/v1/state_service_pb.js";

// Those who build on the client.
export {
  systemScheduler,
  Watch,
  type Protocol,
  type Reconnect,
  type Resync,
  type RetryOptions,
  type RetryPolicy,
  type Scheduler,
  type Synced,
} from "./client/index.js";
