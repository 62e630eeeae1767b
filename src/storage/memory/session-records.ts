import type { SessionRecord } from "../records.js";
import { sessionSize } from "../sizes.js";

/** Makes a session record. */
export function sessionRecord(fields: Omit<SessionRecord, "size">): SessionRecord {
  return {
    namespace: fields.namespace,
    sessionId: fields.sessionId,
    agentId: fields.agentId,
    workflowId: fields.workflowId,
    status: fields.status,
    metadata: fields.metadata,
    result: fields.result,
    error: fields.error,
    startTime: fields.startTime,
    updateTime: fields.updateTime,
    endTime: fields.endTime,
    revision: fields.revision,
    size: sessionSize(fields),
  };
}
