/**
 * What a failed call says, in types. Calls fail with a `ConnectError`, whose details hold what `opscore.v1` promises; these helpers
 * read them, and answer undefined (or nothing) for whatever else was thrown.
 */
import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import { durationMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from "../../gen/google/rpc/error_details_pb.js";
import { AgentStateSchema, type AgentState } from "../../gen/opscore/v1/common_pb.js";
import { REASONS, type FieldViolation, type Reason } from "../errors/index.js";

const DOMAIN = "opscore";

/**
 * Why a call failed. Undefined when the server did not say: the failure is the connection's, a proxy's, the caller's own deadline or
 * signal, or its reason is newer than this client.
 */
export function errorReason(error: unknown): Reason | undefined {
  const reason = errorInfo(error)?.reason;
  return reason !== undefined && isReason(reason) ? reason : undefined;
}

/** The facts that go with the reason, such as `agent_id`; see `error_reason.proto` for the keys of each. Empty when there are none. */
export function errorMetadata(error: unknown): Readonly<Record<string, string>> {
  return errorInfo(error)?.metadata ?? {};
}

/** Every field that was not acceptable (INVALID_FIELD), by its path in the request. */
export function fieldViolations(error: unknown): readonly FieldViolation[] {
  const violations = details(error, BadRequestSchema)[0]?.fieldViolations ?? [];
  return violations.map(({ field, description }) => ({ field, description }));
}

/** When the server wants to be asked again, in milliseconds; undefined when it did not say. */
export function retryAfterMs(error: unknown): number | undefined {
  const delay = details(error, RetryInfoSchema)[0]?.retryDelay;
  return delay === undefined ? undefined : Math.max(0, durationMs(delay));
}

/** What was last known of the agent when a wait for it ran out of time (WAIT_TIMED_OUT). */
export function lastKnownState(error: unknown): AgentState | undefined {
  return details(error, AgentStateSchema)[0];
}

/** A wait that ran out of time while no server could say so; the same as the server's own failure. */
export function waitTimedOut(agentId: string, lastKnown: AgentState | undefined, cause?: unknown): ConnectError {
  const info = { reason: "WAIT_TIMED_OUT" satisfies Reason, domain: DOMAIN, metadata: { agent_id: agentId } };
  return new ConnectError(
    `the time to wait for agent ${agentId} ran out`,
    Code.DeadlineExceeded,
    undefined,
    [
      { desc: ErrorInfoSchema, value: info },
      ...(lastKnown === undefined ? [] : [{ desc: AgentStateSchema, value: lastKnown }]),
    ],
    cause,
  );
}

/** Whether the server itself, and nothing on the way to it, failed the call. */
export function isServerError(error: unknown): boolean {
  return errorInfo(error) !== undefined;
}

function errorInfo(error: unknown) {
  return details(error, ErrorInfoSchema).find(({ domain }) => domain === DOMAIN);
}

function details<Desc extends DescMessage>(error: unknown, schema: Desc): MessageShape<Desc>[] {
  return error instanceof ConnectError ? error.findDetails(schema) : [];
}

function isReason(reason: string): reason is Reason {
  return Object.hasOwn(REASONS, reason);
}
