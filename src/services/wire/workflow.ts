import type { TaskDefinition as TaskMessage, Workflow } from "../../../gen/opscore/v1/workflow_service_pb.js";
import type { TaskDefinition, WorkflowRecord } from "../../storage/records.js";
import { toStruct } from "./struct.js";
import { toDuration, toTimestamp } from "./time.js";

/** A workflow for the wire. */
export function toWorkflow(record: WorkflowRecord): Workflow {
  return {
    $typeName: "opscore.v1.Workflow",
    workflowId: record.workflowId,
    displayName: record.displayName,
    description: record.description,
    version: record.version,
    tasks: record.tasks.map(toTaskDefinition),
    createTime: toTimestamp(record.createTime),
    updateTime: toTimestamp(record.updateTime),
    revision: BigInt(record.revision),
  };
}

function toTaskDefinition(task: TaskDefinition): TaskMessage {
  const { maxAttempts, initialBackoffMs, maxBackoffMs, multiplier } = task.retry;
  return {
    $typeName: "opscore.v1.TaskDefinition",
    taskId: task.taskId,
    displayName: task.displayName,
    agentCapability: task.capability,
    parameters: toStruct(task.parameters),
    dependsOn: [...task.dependsOn],
    timeout: toDuration(task.timeoutMs),
    retry: {
      $typeName: "opscore.v1.RetryPolicy",
      maxAttempts,
      initialBackoff: toDuration(initialBackoffMs),
      maxBackoff: toDuration(maxBackoffMs),
      multiplier,
    },
    priority: task.priority,
    startDelay: task.startDelayMs === 0 ? undefined : toDuration(task.startDelayMs),
  };
}
