/**
 * The makers of state records. All write the same fields in the same order: records then share one hidden class, which the
 * hottest path of the server depends on.
 */
import { AgentChangeType, LEASE_ACTOR, Liveness, type State, type StateRecord } from "../records.js";
import type { SetState } from "../storage.js";
import { stateSize } from "../sizes.js";

/** What the storage adds to a record. */
interface Stamp {
  readonly commitTime: number;
  readonly revision: number;
}

/** The state of an agent that has just registered. */
export function registeredState(
  agentId: string,
  state: State,
  incarnation: number,
  actor: string,
  stamp: Stamp,
): StateRecord {
  const content = { state, reason: "", message: "", details: undefined, sessionId: "", taskId: "" };
  return {
    state,
    reason: "",
    message: "",
    details: undefined,
    sessionId: "",
    taskId: "",
    agentId,
    liveness: Liveness.ALIVE,
    incarnation,
    sequence: 0,
    reportTime: undefined,
    commitTime: stamp.commitTime,
    revision: stamp.revision,
    actor,
    cause: AgentChangeType.REGISTERED,
    size: stateSize(agentId, content, actor),
  };
}

/** The state after a report, which shows that the agent is alive. */
export function reportedState(
  previous: StateRecord,
  report: SetState,
  sequence: number,
  commitTime: number,
  revision: number,
): StateRecord {
  return {
    state: report.state,
    reason: report.reason,
    message: report.message,
    details: report.details,
    sessionId: report.sessionId,
    taskId: report.taskId,
    // Not the report's own copy of the id, so that all records of an agent share one string.
    agentId: previous.agentId,
    liveness: Liveness.ALIVE,
    incarnation: previous.incarnation,
    sequence,
    reportTime: report.reportTime,
    commitTime,
    revision,
    actor: report.actor === previous.actor ? previous.actor : report.actor,
    cause: AgentChangeType.TRANSITION,
    size: stateSize(previous.agentId, report, report.actor),
  };
}

/** The state after the server observed another liveness. What the agent said stays. */
export function observedState(previous: StateRecord, liveness: Liveness, sequence: number, stamp: Stamp): StateRecord {
  return {
    state: previous.state,
    reason: previous.reason,
    message: previous.message,
    details: previous.details,
    sessionId: previous.sessionId,
    taskId: previous.taskId,
    agentId: previous.agentId,
    liveness,
    incarnation: previous.incarnation,
    sequence,
    reportTime: previous.reportTime,
    commitTime: stamp.commitTime,
    revision: stamp.revision,
    actor: LEASE_ACTOR,
    cause: AgentChangeType.LIVENESS,
    size: previous.size,
  };
}

/** The last state of an agent that was removed. */
export function removedState(previous: StateRecord, sequence: number, actor: string, stamp: Stamp): StateRecord {
  return {
    state: previous.state,
    reason: previous.reason,
    message: previous.message,
    details: previous.details,
    sessionId: previous.sessionId,
    taskId: previous.taskId,
    agentId: previous.agentId,
    liveness: previous.liveness,
    incarnation: previous.incarnation,
    sequence,
    reportTime: previous.reportTime,
    commitTime: stamp.commitTime,
    revision: stamp.revision,
    actor,
    cause: AgentChangeType.DEREGISTERED,
    size: previous.size,
  };
}
