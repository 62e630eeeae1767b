import type { Timestamp } from "@bufbuild/protobuf/wkt";
import type { Agent as AgentMessage, AgentState } from "../../../gen/opscore/v1/common_pb.js";
import type { StateEvent, StateEvent_Type } from "../../../gen/opscore/v1/state_service_pb.js";
import type { StateRecord } from "../../storage/records.js";
import { toStruct } from "./struct.js";
import { toTimestamp } from "./time.js";

/** The state of an agent for the wire. Every event and nearly every answer passes through here. */
export function toAgentState(record: StateRecord): AgentState {
  return new AgentStateMessage(record);
}

/**
 * All fields are there, undefined rather than left out, so that all messages have one shape.
 *
 * It is a class and not a literal for V8's sake, which decides for each literal in the source whether what it makes is put into the
 * old generation of the heap. Ten thousand watches, which do last, made it believe so of the literals on their way; then the answer
 * to every report, and all that it holds, stayed until the next full collection. What a constructor makes begins young.
 */
class AgentStateMessage implements AgentState {
  readonly $typeName = "opscore.v1.AgentState";
  readonly agentId: string;
  readonly state: AgentState["state"];
  readonly liveness: AgentState["liveness"];
  readonly reason: string;
  readonly message: string;
  readonly details: AgentState["details"];
  readonly sessionId: string;
  readonly taskId: string;
  readonly incarnation: bigint;
  readonly sequence: bigint;
  readonly reportTime: Timestamp | undefined;
  readonly commitTime: Timestamp;
  readonly revision: bigint;
  readonly actor: string;

  constructor(record: StateRecord) {
    this.agentId = record.agentId;
    this.state = record.state;
    this.liveness = record.liveness;
    this.reason = record.reason;
    this.message = record.message;
    this.details = toStruct(record.details);
    this.sessionId = record.sessionId;
    this.taskId = record.taskId;
    this.incarnation = BigInt(record.incarnation);
    this.sequence = BigInt(record.sequence);
    this.reportTime = record.reportTime === undefined ? undefined : toTimestamp(record.reportTime);
    this.commitTime = toTimestamp(record.commitTime);
    this.revision = BigInt(record.revision);
    this.actor = record.actor;
  }
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
