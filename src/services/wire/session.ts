import type { Session } from "../../../gen/opscore/v1/session_service_pb.js";
import type { SessionRecord } from "../../storage/records.js";
import { toStruct } from "./struct.js";
import { toTimestamp } from "./time.js";

/** A session for the wire. */
export function toSession(record: SessionRecord): Session {
  return {
    $typeName: "opscore.v1.Session",
    sessionId: record.sessionId,
    agentId: record.agentId,
    workflowId: record.workflowId,
    status: record.status,
    metadata: toStruct(record.metadata),
    result: toStruct(record.result),
    error: record.error,
    startTime: toTimestamp(record.startTime),
    updateTime: toTimestamp(record.updateTime),
    endTime: record.endTime === undefined ? undefined : toTimestamp(record.endTime),
    revision: BigInt(record.revision),
  };
}
