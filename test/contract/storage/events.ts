import {
  AgentChangeType,
  Liveness,
  SessionChangeType,
  State,
  type AgentChange,
  type Change,
  type SessionChange,
  type TaskChange,
} from "../../../src/storage/records.js";
import { sessionStatusName, stateName } from "../../../src/storage/state-machine.js";
import { taskStatusName } from "../../../src/storage/task-machine.js";

export const STATES: readonly State[] = Object.values(State);

/**
 * A change in one line: `REGISTERED a: IDLE`, `TRANSITION a: IDLE>ACTIVE`, `LIVENESS a: ALIVE>SUSPECT`, `UPDATED a`,
 * `ENDED s: RUNNING>FAILED`, `TASK s/t: READY>LEASED`. A transition that also changes the liveness says so: `TRANSITION a: IDLE>ACTIVE LOST>ALIVE`.
 */
export function describeChange(change: Change): string {
  switch (change.kind) {
    case "agent":
      return describeAgentChange(change);
    case "session":
      return describeSessionChange(change);
    case "task":
      return describeTaskChange(change);
  }
}

function describeAgentChange({ type, state, previous }: AgentChange): string {
  const head = `${nameOf(AgentChangeType, type)} ${state.agentId}`;
  const states = arrow(previous && stateName(previous.state), stateName(state.state));
  const lives = arrow(previous && livenessName(previous.liveness), livenessName(state.liveness));
  switch (type) {
    case AgentChangeType.REGISTERED:
      return `${head}: ${states}`;
    case AgentChangeType.TRANSITION:
      return `${head}: ${states}${previous?.liveness === state.liveness ? "" : ` ${lives}`}`;
    case AgentChangeType.LIVENESS:
      return `${head}: ${lives}`;
    case AgentChangeType.UPDATED:
    case AgentChangeType.DEREGISTERED:
      return head;
  }
}

function describeSessionChange({ type, session, previousStatus }: SessionChange): string {
  const statuses = arrow(previousStatus && sessionStatusName(previousStatus), sessionStatusName(session.status));
  return `${nameOf(SessionChangeType, type)} ${session.sessionId}: ${statuses}`;
}

function describeTaskChange({ task, previousStatus }: TaskChange): string {
  const statuses = arrow(previousStatus && taskStatusName(previousStatus), taskStatusName(task.status));
  return `TASK ${task.sessionId}/${task.taskId}: ${statuses}`;
}

export function livenessName(liveness: Liveness): string {
  return nameOf(Liveness, liveness);
}

function arrow(from: string | undefined, to: string): string {
  return from === undefined ? to : `${from}>${to}`;
}

function nameOf(names: Readonly<Record<string, number>>, value: number): string {
  return Object.entries(names).find(([, number]) => number === value)?.[0] ?? String(value);
}
