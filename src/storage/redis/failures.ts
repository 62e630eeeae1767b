import { agentNotFound, OpsCoreError, sessionNotFound, taskNotFound, workflowNotFound } from "../../errors/index.js";
import type { SessionStatus, State, TaskStatus } from "../records.js";
import {
  agentMismatch,
  illegalStatus,
  illegalTransition,
  recordMismatch,
  sessionEnded,
  sessionExists,
  sessionMismatch,
  staleAttempt,
  staleIncarnation,
  staleSequence,
  taskEnded,
  taskMismatch,
  tooManyHeld,
  unknownIncarnation,
  workflowMismatch,
} from "../refusals.js";
import type { TaskKey } from "../storage.js";

/** When to try again while Redis cannot be reached, in milliseconds. */
const RETRY_AFTER_MS = 250;

/** What is under a key is not what this version writes there. It is never taken for something that is not there. */
export class CorruptRecordError extends OpsCoreError {
  constructor(
    readonly key: string,
    what: string,
    cause?: unknown,
  ) {
    super(
      "CORRUPT_RECORD",
      `the record ${key} cannot be read (${what}): it is damaged, or a newer version wrote it`,
      { key },
      { cause },
    );
  }
}

/** Redis is away, or takes no commands now. What was asked may have been done all the same, unless it came too late. */
export function unavailable(cause: unknown): OpsCoreError {
  return new OpsCoreError(
    "STORAGE_UNAVAILABLE",
    "the storage cannot be reached",
    {},
    { retryAfterMs: RETRY_AFTER_MS, cause },
  );
}

/** What Redis answers when it is there but cannot serve: another server must be asked, or this one later. */
const TRANSIENT = new Set([
  "LOADING",
  "READONLY",
  "MASTERDOWN",
  "CLUSTERDOWN",
  "TRYAGAIN",
  "MOVED",
  "ASK",
  "OOM",
  "MISCONF",
  "NOREPLICAS",
  "BUSY",
  "UNBLOCKED",
  "LATE",
  "NOAUTH",
  "NOPERM",
  "WRONGPASS",
]);
/** A script in a slot that is on its way to another node found one of its keys gone there. Nothing was written. */
const SLOT_IS_MOVING = "non local key";

/** Makes a failure of the Redis client one of ours. What is a defect of ours stays as it is. */
export function toFailure(thrown: unknown): unknown {
  if (thrown instanceof OpsCoreError || !(thrown instanceof Error)) return thrown;
  if (thrown.name !== "ReplyError") return unavailable(thrown);
  const [code = "", ...words] = thrown.message.split(" ");
  if (code === "CORRUPT") return new CorruptRecordError(words[0] ?? "", "not as expected", thrown);
  if (TRANSIENT.has(code) || thrown.message.includes(SLOT_IS_MOVING)) return unavailable(thrown);
  return thrown;
}

/** Whether the reply of a script is a refusal rather than a record. */
export function isRefusal(reply: string): boolean {
  return reply.startsWith('["');
}

/** What a refused command was about. */
export interface RefusedReport {
  readonly agentId: string;
  readonly incarnation: number;
  readonly sequence?: number;
  readonly state?: State;
  /** The revision that the agent's data was to have. */
  readonly expectedRevision?: number;
  /** The limit of held reports of this replica. */
  readonly maxHeldReports?: number;
}

/** The error that a refusal of a command on an agent stands for. */
export function agentRefusal(reply: string, command: RefusedReport): unknown {
  const [code, first, second] = parseRefusal(reply);
  const { agentId, incarnation } = command;
  switch (code) {
    case "AGENT_NOT_FOUND":
      return agentNotFound(agentId);
    case "STALE_INCARNATION":
      return staleIncarnation(agentId, incarnation, Number(first));
    case "UNKNOWN_INCARNATION":
      return unknownIncarnation(agentId, incarnation, Number(first));
    case "STALE_SEQUENCE":
      return staleSequence(agentId, command.sequence ?? 0, Number(first));
    case "STATE_MISMATCH":
      return agentMismatch(agentId, Number(first) as State, Number(second));
    case "RECORD_MISMATCH":
      return recordMismatch(agentId, command.expectedRevision ?? 0, Number(first));
    case "ILLEGAL_TRANSITION":
      return illegalTransition(agentId, Number(first) as State, Number(second) as State);
    case "TOO_MANY":
      return first === "0"
        ? tooManyHeld(command.maxHeldReports ?? 0, "reports wait for registrations")
        : tooManyHeld(Number(first), `reports wait for ${agentId}`);
    default:
      return new Error(`a script refused with ${reply}`);
  }
}

/** The error that a refusal of a command on a session stands for. */
export function sessionRefusal(reply: string, sessionId: string, agentId = ""): unknown {
  const [code, first, second] = parseRefusal(reply);
  switch (code) {
    case "AGENT_NOT_FOUND":
      return agentNotFound(agentId);
    case "SESSION_NOT_FOUND":
      return sessionNotFound(sessionId);
    case "SESSION_ALREADY_EXISTS":
      return sessionExists(sessionId);
    case "SESSION_ENDED":
      return sessionEnded(sessionId, Number(first) as SessionStatus);
    case "STATE_MISMATCH":
      return sessionMismatch(sessionId, Number(first) as SessionStatus, Number(second));
    case "ILLEGAL_TRANSITION":
      return illegalStatus(sessionId, Number(first) as SessionStatus, Number(second) as SessionStatus);
    default:
      return new Error(`a script refused with ${reply}`);
  }
}

/** The error that a refusal of a command on a task stands for. @param attempt the one that was named */
export function taskRefusal(reply: string, { sessionId, taskId }: TaskKey, attempt = 0): unknown {
  const [code, first, second] = parseRefusal(reply);
  switch (code) {
    case "TASK_NOT_FOUND":
      return taskNotFound(sessionId, taskId);
    case "STALE_ATTEMPT":
      return staleAttempt(taskId, attempt, Number(first), Number(second) as TaskStatus);
    case "TASK_ENDED":
      return taskEnded(taskId, Number(first) as TaskStatus);
    case "STATE_MISMATCH":
      return taskMismatch(taskId, Number(first) as TaskStatus, Number(second));
    default:
      return sessionRefusal(reply, sessionId);
  }
}

/** The error that a refusal of a command on a workflow stands for. */
export function workflowRefusal(reply: string, workflowId: string): unknown {
  const [code, first] = parseRefusal(reply);
  switch (code) {
    case "WORKFLOW_NOT_FOUND":
      return workflowNotFound(workflowId);
    case "STATE_MISMATCH":
      return workflowMismatch(workflowId, Number(first));
    default:
      return new Error(`a script refused with ${reply}`);
  }
}

function parseRefusal(reply: string): readonly [code: string, ...facts: (string | undefined)[]] {
  const parsed: unknown = JSON.parse(reply);
  const [code = "", ...facts] = Array.isArray(parsed) ? parsed.map(String) : [];
  return [code, ...facts];
}
