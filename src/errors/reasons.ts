/**
 * Why a call fails: the one table behind every failure. A reason has its place here, in `error_reason.proto` and in
 * `docs/errors.md`; tests hold the three together.
 */

/** gRPC status codes, by number, as far as reasons use them. */
export const GrpcCode = {
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  DATA_LOSS: 15,
  UNAUTHENTICATED: 16,
} as const;
export type GrpcCode = keyof typeof GrpcCode;

interface ReasonEntry {
  readonly code: GrpcCode;
  /** The status of the plain HTTP routes. Connect and gRPC-Web have their own mapping of `code`. */
  readonly http: number;
  /** Keys that the metadata of this reason always has. */
  readonly metadata: readonly string[];
  /** One sentence for the docs: what it means and what to do. */
  readonly meaning: string;
}

function entry(code: GrpcCode, http: number, metadata: readonly string[], meaning: string): ReasonEntry {
  return { code, http, metadata, meaning };
}

export const REASONS = {
  INVALID_FIELD: entry(
    "INVALID_ARGUMENT",
    400,
    [],
    "One or more fields are not acceptable; `google.rpc.BadRequest` names each.",
  ),
  INVALID_RESUME_TOKEN: entry(
    "INVALID_ARGUMENT",
    400,
    [],
    "The resume token is not one of ours, or belongs to another filter or namespace. Watch again without it.",
  ),
  INVALID_PAGE_TOKEN: entry(
    "INVALID_ARGUMENT",
    400,
    [],
    "The page token is not one of ours, or belongs to another query. Start at the first page.",
  ),
  CREDENTIALS_MISSING: entry("UNAUTHENTICATED", 401, [], "The server wants `authorization: Bearer KEY` and got none."),
  CREDENTIALS_INVALID: entry("UNAUTHENTICATED", 401, [], "The key is not the right one."),
  AGENT_NOT_FOUND: entry("NOT_FOUND", 404, ["agent_id"], "No such agent in the namespace."),
  SESSION_NOT_FOUND: entry("NOT_FOUND", 404, ["session_id"], "No such session in the namespace."),
  SESSION_ALREADY_EXISTS: entry("ALREADY_EXISTS", 409, ["session_id"], "The session id is taken."),
  ILLEGAL_TRANSITION: entry("FAILED_PRECONDITION", 409, ["from", "to"], "The state machine has no such transition."),
  STALE_INCARNATION: entry(
    "FAILED_PRECONDITION",
    409,
    ["incarnation", "current"],
    "The caller is an earlier incarnation of the agent, a zombie: stop, or register again.",
  ),
  UNKNOWN_INCARNATION: entry(
    "FAILED_PRECONDITION",
    409,
    ["incarnation", "current"],
    "The caller names an incarnation that this server never gave: its registration was lost; register again.",
  ),
  STALE_SEQUENCE: entry(
    "ABORTED",
    409,
    ["sequence", "current"],
    "A report with this sequence or a later one was already accepted; there is nothing to repeat.",
  ),
  STATE_MISMATCH: entry(
    "FAILED_PRECONDITION",
    409,
    ["revision"],
    "The precondition (`expected_states` or `expected_revision`) does not hold. Read, decide again, retry.",
  ),
  SESSION_ENDED: entry(
    "FAILED_PRECONDITION",
    409,
    ["session_id", "status"],
    "The session has ended and cannot change.",
  ),
  WAIT_TIMED_OUT: entry(
    "DEADLINE_EXCEEDED",
    504,
    ["agent_id"],
    "The time to wait ran out; an `opscore.v1.AgentState` detail holds the last known state, if there is one.",
  ),
  TOO_LARGE: entry("RESOURCE_EXHAUSTED", 413, ["limit"], "A message is larger than the server takes."),
  TOO_MANY: entry(
    "RESOURCE_EXHAUSTED",
    429,
    ["limit"],
    "Too many of something at once: held reports, watches, open calls. `google.rpc.RetryInfo` says when to come back.",
  ),
  STORAGE_UNAVAILABLE: entry(
    "UNAVAILABLE",
    503,
    [],
    "The storage cannot be reached. `google.rpc.RetryInfo` says when to come back.",
  ),
  SERVER_STOPPING: entry(
    "UNAVAILABLE",
    503,
    [],
    "The server is stopping: come back to another replica, or to this one when it is up again.",
  ),
  INTERNAL: entry("INTERNAL", 500, ["error_id"], "A defect of the server; `error_id` finds it in the server's log."),
  CORRUPT_RECORD: entry(
    "DATA_LOSS",
    500,
    ["key"],
    "A record in the storage cannot be read: it is damaged, or a newer version wrote it. `key` says which.",
  ),
  WORKFLOW_NOT_FOUND: entry("NOT_FOUND", 404, ["workflow_id"], "No such workflow in the namespace."),
  TASK_NOT_FOUND: entry("NOT_FOUND", 404, ["session_id", "task_id"], "No such task in the session."),
  STALE_ATTEMPT: entry(
    "FAILED_PRECONDITION",
    409,
    ["attempt", "current", "status"],
    "The attempt is not the one under way: its lease ran out, it was called off, or it was answered. Stop working on it.",
  ),
  TASK_ENDED: entry("FAILED_PRECONDITION", 409, ["task_id", "status"], "The task has ended and cannot change."),
  WEBHOOK_NOT_FOUND: entry("NOT_FOUND", 404, ["webhook_id"], "No such webhook in the namespace."),
  WEBHOOK_ALREADY_EXISTS: entry("ALREADY_EXISTS", 409, ["webhook_id"], "The webhook id is taken."),
} as const satisfies Record<string, ReasonEntry>;

export type Reason = keyof typeof REASONS;
