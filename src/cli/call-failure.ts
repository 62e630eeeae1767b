import { Code, ConnectError } from "@connectrpc/connect";
import { State } from "../../gen/opscore/v1/common_pb.js";
import { errorMetadata, errorReason, fieldViolations, lastKnownState, retryAfterMs } from "../client/index.js";
import { formatDuration } from "../config/units.js";
import type { Reason } from "../errors/index.js";
import type { Exit } from "./exit-codes.js";
import { CommandFailure } from "./failure.js";
import type { Target } from "./target.js";
import { unansweredCall } from "./unanswered-call.js";
import { enumName } from "../lib/enum-name.js";

const EXIT_BY_CODE: Readonly<Partial<Record<Code, Exit>>> = {
  [Code.InvalidArgument]: "USAGE",
  [Code.OutOfRange]: "USAGE",
  [Code.NotFound]: "NOT_FOUND",
  [Code.AlreadyExists]: "CONFLICT",
  [Code.FailedPrecondition]: "CONFLICT",
  [Code.Aborted]: "CONFLICT",
  [Code.DeadlineExceeded]: "TIMEOUT",
  [Code.ResourceExhausted]: "UNAVAILABLE",
  [Code.Unavailable]: "UNAVAILABLE",
  [Code.Unauthenticated]: "UNAUTHENTICATED",
  [Code.PermissionDenied]: "UNAUTHENTICATED",
};

/** What to do about a failure, by its reason, where a command knows better than what holds for all of them. */
export type HintsByReason = Readonly<Partial<Record<Reason, string>>>;

/**
 * What the user is told when a call failed.
 *
 * @param own the hints of the command
 * @returns whatever was thrown, when it was not a call that failed
 */
export function callFailure(thrown: unknown, target: Target, own: HintsByReason = {}): unknown {
  if (!(thrown instanceof ConnectError)) return thrown;
  const reason = errorReason(thrown);
  const code = codeName(thrown.code);
  const exit = reason === "TOO_LARGE" ? "USAGE" : (EXIT_BY_CODE[thrown.code] ?? "FAILURE");
  if (reason === undefined) {
    const { message, hints } = unansweredCall(thrown, target);
    return new CommandFailure(exit, message, { code, hints });
  }
  const violations = fieldViolations(thrown);
  const hint = own[reason];
  return new CommandFailure(exit, messageOf(thrown, violations.length), {
    code,
    reason,
    metadata: errorMetadata(thrown),
    problems: violations.map(({ field, description }) => ({ name: field, description })),
    hints: hint === undefined ? (HINTS[reason]?.(thrown, target) ?? []) : [hint],
  });
}

/** `NOT_FOUND` for Code.NotFound. */
function codeName(code: Code): string {
  if (code === Code.Canceled) return "CANCELLED";
  return Code[code].replace(/(?<=[a-z])(?=[A-Z])/g, "_").toUpperCase();
}

function messageOf(error: ConnectError, violations: number): string {
  if (violations === 0) return error.rawMessage;
  return violations === 1 ? "the server refused a value" : `the server refused ${violations} values`;
}

type Hint = (error: ConnectError, target: Target) => readonly string[];

const comeBack: Hint = (error) => {
  const ms = retryAfterMs(error);
  return [`Try again ${ms === undefined ? "in a moment" : `in ${formatDuration(Math.ceil(ms / 100) * 100)}`}.`];
};

/** The command that lists what there is of a kind has the name of the kind. */
function lookAmong(kind: string): Hint {
  return (_error, { namespace }) => [
    `\`opscore ${kind} list\` shows the ${kind}s of namespace ${namespace}; --namespace names another.`,
  ];
}

/** What to do about it, by reason, where the message does not say it all. */
const HINTS: Readonly<Partial<Record<Reason, Hint>>> = {
  INVALID_RESUME_TOKEN: () => [
    "A token belongs to the filter and the namespace that it came from: give the same ones, or watch without --resume-token.",
  ],
  INVALID_PAGE_TOKEN: () => ["Start the list again."],
  CREDENTIALS_MISSING: () => ["Set OPSCORE_API_KEY, or give --api-key."],
  CREDENTIALS_INVALID: () => ["Look at OPSCORE_API_KEY or --api-key: it is not the server's key."],
  AGENT_NOT_FOUND: lookAmong("agent"),
  SESSION_NOT_FOUND: lookAmong("session"),
  TASK_NOT_FOUND: lookAmong("task"),
  WORKFLOW_NOT_FOUND: lookAmong("workflow"),
  WEBHOOK_NOT_FOUND: lookAmong("webhook"),
  WEBHOOK_ALREADY_EXISTS: () => ["Give another --id, or none: then the server makes one."],
  SESSION_ALREADY_EXISTS: () => ["Give another --session-id, or none: then the server makes one."],
  ILLEGAL_TRANSITION: (error) =>
    errorMetadata(error)["from"] === "FINISHED"
      ? ["FINISHED is the end of an incarnation: `opscore agent register` begins the next one."]
      : [],
  STALE_INCARNATION: () => ["The agent was registered again since. `opscore agent get` shows its incarnation."],
  UNKNOWN_INCARNATION: () => ["The server has lost that registration. `opscore agent register` makes a new one."],
  STALE_SEQUENCE: () => ["There is nothing to repeat: a later report has been accepted."],
  STATE_MISMATCH: () => ["What was expected of it does not hold: read it again, and decide again."],
  SESSION_ENDED: () => ["`opscore session start` starts another one."],
  WAIT_TIMED_OUT: (error) => {
    const last = lastKnownState(error);
    return last === undefined ? [] : [`It was last seen ${enumName(State, last.state)}.`];
  },
  TOO_MANY: comeBack,
  STORAGE_UNAVAILABLE: comeBack,
  SERVER_STOPPING: comeBack,
  INTERNAL: () => ["The server's log has more under this id."],
  CORRUPT_RECORD: () => ["An operator must look at that key in the storage."],
};
