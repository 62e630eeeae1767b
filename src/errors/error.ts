import { REASONS, type GrpcCode, type Reason } from "./reasons.js";

/** One field that is not acceptable. */
export interface FieldViolation {
  /** The path of the field as it stands in the proto file: `labels["x y"]`, `session.metadata`. */
  readonly field: string;
  /** What is wrong with it, as a sentence without subject: "must be at most 1024 characters". */
  readonly description: string;
}

export interface ErrorExtras {
  /** INVALID_FIELD: every bad field. */
  readonly violations?: readonly FieldViolation[];
  /** When to come back, in milliseconds. */
  readonly retryAfterMs?: number;
  /** What went wrong underneath; logged, never sent. */
  readonly cause?: unknown;
}

/**
 * A failure that callers are meant to see. Services and storages throw nothing else on purpose; any other error is a defect and
 * reaches the caller as INTERNAL with an error id.
 */
export class OpsCoreError extends Error {
  override readonly name = "OpsCoreError";
  readonly violations: readonly FieldViolation[];
  readonly retryAfterMs: number | undefined;

  constructor(
    readonly reason: Reason,
    message: string,
    /** Facts for programs; see the reason's entry for the keys. */
    readonly metadata: Readonly<Record<string, string>> = {},
    extras: ErrorExtras = {},
  ) {
    super(message, extras.cause === undefined ? undefined : { cause: extras.cause });
    this.violations = extras.violations ?? [];
    this.retryAfterMs = extras.retryAfterMs;
  }

  get code(): GrpcCode {
    return REASONS[this.reason].code;
  }
}

export function agentNotFound(agentId: string): OpsCoreError {
  return new OpsCoreError("AGENT_NOT_FOUND", `agent ${agentId} is not registered`, { agent_id: agentId });
}

export function sessionNotFound(sessionId: string): OpsCoreError {
  return new OpsCoreError("SESSION_NOT_FOUND", `session ${sessionId} does not exist`, { session_id: sessionId });
}

export function workflowNotFound(workflowId: string): OpsCoreError {
  return new OpsCoreError("WORKFLOW_NOT_FOUND", `workflow ${workflowId} does not exist`, { workflow_id: workflowId });
}

export function taskNotFound(sessionId: string, taskId: string): OpsCoreError {
  const metadata = { session_id: sessionId, task_id: taskId };
  return new OpsCoreError("TASK_NOT_FOUND", `session ${sessionId} has no task ${taskId}`, metadata);
}

export function serverStopping(): OpsCoreError {
  return new OpsCoreError("SERVER_STOPPING", "the server is stopping", {}, { retryAfterMs: 250 });
}

/** Whether a record is damaged: what needs it succeeds only when somebody repairs that. */
export function isCorrupt(thrown: unknown): thrown is OpsCoreError {
  return thrown instanceof OpsCoreError && thrown.reason === "CORRUPT_RECORD";
}

/** @param violations at least one */
export function invalidFields(violations: readonly FieldViolation[]): OpsCoreError {
  const [first] = violations;
  const rest = violations.length > 1 ? ` (and ${violations.length - 1} more)` : "";
  return new OpsCoreError("INVALID_FIELD", `${first?.field} ${first?.description}${rest}`, {}, { violations });
}

/**
 * Makes any failure one that callers may see. A defect becomes INTERNAL with an id under which `onDefect` can log the rest.
 *
 * @param onDefect called with the id and what was thrown, for everything that is not an OpsCoreError
 */
export function toOpsCoreError(thrown: unknown, onDefect: (errorId: string, thrown: unknown) => void): OpsCoreError {
  if (thrown instanceof OpsCoreError) return thrown;
  const errorId = crypto.randomUUID();
  onDefect(errorId, thrown);
  return new OpsCoreError("INTERNAL", `internal error ${errorId}`, { error_id: errorId }, { cause: thrown });
}
