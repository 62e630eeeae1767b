/** Why storages refuse commands, in the same words whichever storage it is. */
import { OpsCoreError } from "../errors/index.js";
import type { SessionStatus, State, TaskStatus } from "./records.js";
import { sessionStatusName, stateName } from "./state-machine.js";
import { taskStatusName } from "./task-machine.js";

/** When a caller that found no room should come back: some of the held reports have been answered by then. */
const RETRY_AFTER_MS = 1_000;

export function staleIncarnation(agentId: string, incarnation: number, current: number): OpsCoreError {
  const message = `incarnation ${incarnation} of agent ${agentId} was replaced by incarnation ${current}`;
  return new OpsCoreError("STALE_INCARNATION", message, incarnations(incarnation, current));
}

export function unknownIncarnation(agentId: string, incarnation: number, current: number): OpsCoreError {
  const message = `agent ${agentId} never had incarnation ${incarnation}, its current one is ${current}`;
  return new OpsCoreError("UNKNOWN_INCARNATION", message, incarnations(incarnation, current));
}

export function staleSequence(agentId: string, sequence: number, current: number): OpsCoreError {
  const message = `sequence ${sequence} of agent ${agentId} is not after ${current}`;
  return new OpsCoreError("STALE_SEQUENCE", message, { sequence: String(sequence), current: String(current) });
}

/** A precondition on an agent's state does not hold. */
export function agentMismatch(agentId: string, current: State, revision: number): OpsCoreError {
  const state = stateName(current);
  const message = `agent ${agentId} is ${state} at revision ${revision}, not what was expected`;
  return new OpsCoreError("STATE_MISMATCH", message, { state, revision: String(revision) });
}

/** An agent's data, which has a revision of its own, is not what the caller has read. */
export function recordMismatch(agentId: string, expected: number, revision: number): OpsCoreError {
  const message = `the data of agent ${agentId} is at revision ${revision}, not ${expected}`;
  return new OpsCoreError("STATE_MISMATCH", message, { revision: String(revision) });
}

export function illegalTransition(agentId: string, current: State, next: State): OpsCoreError {
  const [from, to] = [stateName(current), stateName(next)];
  return new OpsCoreError("ILLEGAL_TRANSITION", `agent ${agentId} is ${from} and cannot become ${to}`, { from, to });
}

export function tooManyHeld(limit: number, what: string): OpsCoreError {
  return new OpsCoreError("TOO_MANY", `${limit} ${what}`, { limit: String(limit) }, { retryAfterMs: RETRY_AFTER_MS });
}

export function tooManyClaims(limit: number): OpsCoreError {
  const message = `${limit} claims are remembered`;
  return new OpsCoreError("TOO_MANY", message, { limit: String(limit) }, { retryAfterMs: RETRY_AFTER_MS });
}

/** Of one kind, in one namespace. There is room again when somebody deletes one, which no time tells. */
export function tooManyDocuments(kind: string, limit: number): OpsCoreError {
  return new OpsCoreError("TOO_MANY", `the namespace has ${limit} of the kind ${kind}`, { limit: String(limit) });
}

export function sessionExists(sessionId: string): OpsCoreError {
  const metadata = { session_id: sessionId };
  return new OpsCoreError("SESSION_ALREADY_EXISTS", `session ${sessionId} exists already`, metadata);
}

export function sessionEnded(sessionId: string, current: SessionStatus): OpsCoreError {
  const metadata = { session_id: sessionId, status: sessionStatusName(current) };
  return new OpsCoreError("SESSION_ENDED", `session ${sessionId} has ended as ${metadata.status}`, metadata);
}

export function sessionMismatch(sessionId: string, current: SessionStatus, revision: number): OpsCoreError {
  const metadata = { status: sessionStatusName(current), revision: String(revision) };
  const message = `session ${sessionId} is ${metadata.status} at revision ${revision}, not what was expected`;
  return new OpsCoreError("STATE_MISMATCH", message, metadata);
}

export function illegalStatus(sessionId: string, current: SessionStatus, next: SessionStatus): OpsCoreError {
  const [from, to] = [sessionStatusName(current), sessionStatusName(next)];
  const message = `session ${sessionId} is ${from} and cannot become ${to}`;
  return new OpsCoreError("ILLEGAL_TRANSITION", message, { from, to });
}

/** @param current the task's last attempt, whose status this is */
export function staleAttempt(taskId: string, attempt: number, current: number, status: TaskStatus): OpsCoreError {
  const metadata = { attempt: String(attempt), current: String(current), status: taskStatusName(status) };
  const message = `attempt ${attempt} of task ${taskId} is not under way: the task is ${metadata.status} at attempt ${current}`;
  return new OpsCoreError("STALE_ATTEMPT", message, metadata);
}

export function taskEnded(taskId: string, status: TaskStatus): OpsCoreError {
  const metadata = { task_id: taskId, status: taskStatusName(status) };
  return new OpsCoreError("TASK_ENDED", `task ${taskId} has ended as ${metadata.status}`, metadata);
}

/** A task that was to be retried is not FAILED. */
export function taskMismatch(taskId: string, current: TaskStatus, revision: number): OpsCoreError {
  const metadata = { status: taskStatusName(current), revision: String(revision) };
  return new OpsCoreError("STATE_MISMATCH", `task ${taskId} is ${metadata.status}, not FAILED`, metadata);
}

/** @param revision 0 when there is no such workflow */
export function workflowMismatch(workflowId: string, revision: number): OpsCoreError {
  const message = `workflow ${workflowId} is at revision ${revision}, not what was expected`;
  return new OpsCoreError("STATE_MISMATCH", message, { revision: String(revision) });
}

function incarnations(incarnation: number, current: number): Readonly<Record<string, string>> {
  return { incarnation: String(incarnation), current: String(current) };
}
