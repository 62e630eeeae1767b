/**
 * The details of a failure: what programs read instead of its message.
 */
import type { DescMessage, MessageInitShape } from "@bufbuild/protobuf";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  ResourceInfoSchema,
  RetryInfoSchema,
} from "../../gen/google/rpc/error_details_pb.js";
import { AgentSchema, AgentStateSchema } from "../../gen/opscore/v1/common_pb.js";
import { SessionSchema } from "../../gen/opscore/v1/session_service_pb.js";
import { TaskSchema } from "../../gen/opscore/v1/task_service_pb.js";
import { WebhookSchema } from "../../gen/opscore/v1/webhook_service_pb.js";
import { WorkflowSchema } from "../../gen/opscore/v1/workflow_service_pb.js";
import type { OpsCoreError, Reason } from "../errors/index.js";
import { toAgentState } from "../services/wire/index.js";
import { WaitTimedOut } from "../watch/wait.js";

/** The `domain` of every `google.rpc.ErrorInfo`. */
export const ERROR_DOMAIN = "opscore";

/** One detail, not serialised yet. */
export interface ErrorDetail {
  readonly desc: DescMessage;
  readonly value: MessageInitShape<DescMessage>;
}

/** Makes one detail of an error, or none where it does not apply. */
type DetailOf = (error: OpsCoreError) => ErrorDetail | undefined;

/** In the order in which they are sent. A reason that carries more than this adds its own line here. */
const DETAILS: readonly DetailOf[] = [errorInfo, badRequest, retryInfo, resourceInfo, lastState];

/** All details of an error, `google.rpc.ErrorInfo` first. */
export function errorDetails(error: OpsCoreError): ErrorDetail[] {
  return DETAILS.map((detailOf) => detailOf(error)).filter((detail) => detail !== undefined);
}

/** Keeps the message and its description together. */
function detail<T extends DescMessage>(desc: T, value: MessageInitShape<T>): ErrorDetail {
  return { desc, value };
}

function errorInfo({ reason, metadata }: OpsCoreError): ErrorDetail {
  return detail(ErrorInfoSchema, { reason, domain: ERROR_DOMAIN, metadata: { ...metadata } });
}

function badRequest({ violations }: OpsCoreError): ErrorDetail | undefined {
  if (violations.length === 0) return undefined;
  return detail(BadRequestSchema, {
    fieldViolations: violations.map(({ field, description }) => ({ field, description })),
  });
}

/** When to come back where the error does not say, in milliseconds. */
const RETRY_AFTER_MS: Partial<Record<Reason, number>> = {
  TOO_MANY: 1000,
  STORAGE_UNAVAILABLE: 250,
  SERVER_STOPPING: 250,
};

/** When to come back after a failure, in milliseconds; undefined when to come back would not help by itself. */
export function retryAfterMsOf({ reason, retryAfterMs }: OpsCoreError): number | undefined {
  return retryAfterMs ?? RETRY_AFTER_MS[reason];
}

function retryInfo(error: OpsCoreError): ErrorDetail | undefined {
  const retryAfterMs = retryAfterMsOf(error);
  if (retryAfterMs === undefined) return undefined;
  const seconds = Math.trunc(retryAfterMs / 1000);
  return detail(RetryInfoSchema, {
    retryDelay: { seconds: BigInt(seconds), nanos: Math.round((retryAfterMs - seconds * 1000) * 1e6) },
  });
}

/** The reasons that are about one resource: what it is, and the keys of the metadata that name it. */
const RESOURCES: Partial<Record<Reason, { readonly desc: DescMessage; readonly keys: readonly string[] }>> = {
  AGENT_NOT_FOUND: { desc: AgentSchema, keys: ["agent_id"] },
  SESSION_NOT_FOUND: { desc: SessionSchema, keys: ["session_id"] },
  SESSION_ALREADY_EXISTS: { desc: SessionSchema, keys: ["session_id"] },
  SESSION_ENDED: { desc: SessionSchema, keys: ["session_id"] },
  WORKFLOW_NOT_FOUND: { desc: WorkflowSchema, keys: ["workflow_id"] },
  TASK_NOT_FOUND: { desc: TaskSchema, keys: ["session_id", "task_id"] },
  WEBHOOK_NOT_FOUND: { desc: WebhookSchema, keys: ["webhook_id"] },
  WEBHOOK_ALREADY_EXISTS: { desc: WebhookSchema, keys: ["webhook_id"] },
};

function resourceInfo({ reason, metadata, message }: OpsCoreError): ErrorDetail | undefined {
  const resource = RESOURCES[reason];
  if (resource === undefined) return undefined;
  return detail(ResourceInfoSchema, {
    resourceType: resource.desc.typeName,
    resourceName: resource.keys.map((key) => metadata[key] ?? "").join("/"),
    description: message,
  });
}

/** What was known of the agent when a wait for it ran out. */
function lastState(error: OpsCoreError): ErrorDetail | undefined {
  if (!(error instanceof WaitTimedOut) || error.lastState === undefined) return undefined;
  return detail(AgentStateSchema, toAgentState(error.lastState));
}
