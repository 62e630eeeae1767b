import type { Task } from "../../../gen/opscore/v1/task_service_pb.js";
import type { TaskRecord } from "../../storage/records.js";
import { toStruct } from "./struct.js";
import { toDuration, toTimestamp } from "./time.js";

/** A task for the wire. */
export function toTask(record: TaskRecord): Task {
  return {
    $typeName: "opscore.v1.Task",
    sessionId: record.sessionId,
    taskId: record.taskId,
    workflowId: record.workflowId,
    displayName: record.displayName,
    status: record.status,
    agentCapability: record.capability,
    boundAgentId: record.boundAgentId,
    parameters: toStruct(record.parameters),
    inputs: toStruct(record.inputs),
    dependsOn: [...record.dependsOn],
    priority: record.priority,
    attempt: record.attempt,
    attemptsLeft: record.attemptsLeft,
    agentId: record.agentId,
    agentIncarnation: BigInt(record.agentIncarnation),
    timeout: toDuration(record.timeoutMs),
    notBefore: optionalTime(record.notBefore),
    leaseExpireTime: optionalTime(record.leaseExpireTime),
    deadline: optionalTime(record.deadline),
    result: toStruct(record.result),
    reason: record.reason,
    error: record.error,
    createTime: toTimestamp(record.createTime),
    startTime: optionalTime(record.startTime),
    updateTime: toTimestamp(record.updateTime),
    endTime: optionalTime(record.endTime),
    revision: BigInt(record.revision),
  };
}

function optionalTime(ms: number | undefined): Task["endTime"] {
  return ms === undefined ? undefined : toTimestamp(ms);
}
