/**
 * One line for each operation.
 */
import type { DescMethod, Message } from "@bufbuild/protobuf";
import { Code, type ConnectError } from "@connectrpc/connect";
import type { Logger } from "pino";
import { Health } from "../../gen/health/v1/health_pb.js";
import { AgentService } from "../../gen/opscore/v1/agent_service_pb.js";
import { TaskService } from "../../gen/opscore/v1/task_service_pb.js";
import { OpsCoreError } from "../errors/index.js";
import { callerKey } from "../services/caller.js";
import { rpcName, type CallInfo } from "./call.js";
import { traceIdOf } from "./trace.js";

/** What became of a call, for those who look on. */
export interface CallOutcome {
  readonly call: CallInfo;
  /** How long it took, in milliseconds. */
  readonly durationMs: number;
  /** The first request message, if there was one. */
  readonly request: Message | undefined;
  /** How many messages came and went; undefined for unary calls. */
  readonly counts: { readonly received: number; readonly sent: number } | undefined;
  /** Undefined when all went well. */
  readonly error: ConnectError | undefined;
}

/** The severity of an operation that went well, by method; the rest is `info`. */
function usualLevel(method: DescMethod): "debug" | "info" {
  // What agents and balancers repeat every few seconds drowns what people look for.
  return RENEWALS.has(method) || method.parent.typeName === Health.typeName ? "debug" : "info";
}

const RENEWALS: ReadonlySet<DescMethod> = new Set([AgentService.method.heartbeat, TaskService.method.renewTask]);

/** The codes that are the server's fault, or its trouble; all others are the caller's business. */
const SEVERITY: Partial<Record<Code, "warn" | "error">> = {
  [Code.Internal]: "error",
  [Code.Unknown]: "error",
  [Code.DataLoss]: "error",
  [Code.Unavailable]: "warn",
  [Code.ResourceExhausted]: "warn",
};

export class CallLog {
  constructor(private readonly logger: Logger) {}

  ended(outcome: CallOutcome): void {
    const { call, error } = outcome;
    const level = error === undefined ? usualLevel(call.method) : severityOf(error);
    if (!this.logger.isLevelEnabled(level)) return;
    const { namespace } = call.contextValues.get(callerKey);
    this.logger[level](
      {
        rpc: rpcName(call.method),
        namespace,
        agentId: fieldOf(outcome.request, "agentId"),
        sessionId: fieldOf(outcome.request, "sessionId"),
        taskId: textAt(outcome.request, "taskId"),
        code: error === undefined ? "OK" : codeName(error.code),
        reason: error?.cause instanceof OpsCoreError ? error.cause.reason : undefined,
        durationMs: Math.round(outcome.durationMs * 1000) / 1000,
        ...outcome.counts,
        traceId: traceIdOf(call.header),
      },
      error === undefined ? "ok" : error.rawMessage,
    );
  }

  /** A defect: the one place where what was really thrown is written. */
  defect(errorId: string, thrown: unknown, call?: CallInfo): void {
    const where = call === undefined ? {} : { rpc: rpcName(call.method), traceId: traceIdOf(call.header) };
    this.logger.error({ errorId, ...where, err: thrown }, "internal error");
  }
}

/** `INVALID_ARGUMENT` for Code.InvalidArgument. */
export function codeName(code: Code): string {
  if (code === Code.Canceled) return "CANCELLED";
  return Code[code].replace(/(?<=[a-z])(?=[A-Z])/g, "_").toUpperCase();
}

function severityOf(error: ConnectError): "info" | "warn" | "error" {
  // The framework answers a message that it cannot read with INTERNAL, as gRPC does everywhere; it is the caller's fault.
  if (error.code === Code.Internal && !(error.cause instanceof OpsCoreError)) return "info";
  return SEVERITY[error.code] ?? "info";
}

/** A text field of a request: of itself, or of the one message that it wraps (`report`, `agent`, `session`). */
function fieldOf(request: Message | undefined, name: "agentId" | "sessionId"): string | undefined {
  if (request === undefined) return undefined;
  const own = textAt(request, name);
  if (own !== undefined) return own;
  for (const wrapper of ["report", "agent", "session"]) {
    const inner = propertyOf(request, wrapper);
    const value = inner === undefined ? undefined : textAt(inner, name);
    if (value !== undefined) return value;
  }
  return undefined;
}

function textAt(holder: unknown, name: string): string | undefined {
  const value = propertyOf(holder, name);
  return typeof value === "string" && value !== "" ? value : undefined;
}

function propertyOf(holder: unknown, name: string): unknown {
  return typeof holder === "object" && holder !== null ? Reflect.get(holder, name) : undefined;
}
