import type { Agent as AgentMessage, AgentState } from "../../../gen/opscore/v1/common_pb.js";
import type { StateEvent, StateEvent_Type } from "../../../gen/opscore/v1/state_service_pb.js";
import type { StateRecord } from "../../storage/records.js";
import { toStruct } from "./struct.js";
import { toTimestamp } from "./time.js";

/**
 * The state of an agent for the wire. Every event and nearly every answer passes through here, so it is one literal of one
 * shape: optional fields are there and undefined rather than left out.
 */
export function toAgentState(record: StateRecord): AgentState {
  return {
    $typeName: "opscore.v1.AgentState",
    agentId: record.agentId,
    state: record.state,
    liveness: record.liveness,
    reason: record.reason,
    message: record.message,
    details: toStruct(record.details),
    sessionId: record.sessionId,
    taskId: record.taskId,
    incarnation: BigInt(record.incarnation),
    sequence: BigInt(record.sequence),
    reportTime: record.reportTime === undefined ? undefined : toTimestamp(record.reportTime),
    commitTime: toTimestamp(record.commitTime),
    revision: BigInt(record.revision),
    actor: record.actor,
  };
}

/** @param agent the agent's data, for the events of a watch that carry it */
export function toStateEvent(
  type: StateEvent_Type,
  state: StateRecord,
  previous: StateRecord | undefined,
  agent?: AgentMessage,
): StateEvent {
  return {
    $typeName: "opscore.v1.StateEvent",
    type,
    state: toAgentState(state),
    previous: previous === undefined ? undefined : toAgentState(previous),
    agent,
  };
}
