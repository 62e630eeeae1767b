import type { TriggerWorkflowRequest } from "../../../gen/opscore/v1/workflow_service_pb.js";
import type { JsonObject } from "../../lib/json.js";
import type { TaskDefinition, TaskPlan } from "../../storage/records.js";
import type { StartSession } from "../../storage/storage.js";
import type { Caller } from "../caller.js";
import type { ServiceDependencies } from "../dependencies.js";
import type { Limits } from "../limits.js";
import { excerpt, freeData, id, jsonBytes, optionalId, requestId, Violations, word } from "../validation/index.js";
import { readDefinition } from "./definition.js";
import { arrange } from "./graph.js";

/** What a trigger asks for, but for a stored definition, which is still to be read. */
export interface Trigger {
  readonly session: Omit<StartSession, "tasks">;
  /** Of tasks that have none of their own; empty: there is none. */
  readonly capability: string;
  readonly initialPayload: JsonObject | undefined;
  /** Of an inline workflow; undefined: those of the stored workflow that `session` names. */
  readonly inlineTasks: readonly TaskDefinition[] | undefined;
}

/**
 * Reads a request to start a session.
 *
 * @throws OpsCoreError INVALID_FIELD
 */
export function readTrigger(
  request: TriggerWorkflowRequest,
  { namespace, actor }: Caller,
  { limits, makeId }: Pick<ServiceDependencies, "limits" | "makeId">,
): Trigger {
  const { target, definition } = request;
  const bad = new Violations();
  const request_id = requestId(bad, "request_id", request.requestId);
  const sessionId = optionalId(bad, "session_id", request.sessionId) || makeId("session", namespace, request_id);
  const agentId = target.case === "agentId" ? id(bad, "agent_id", target.value) : "";
  const capability = target.case === "capability" ? word(bad, "capability", target.value) : "";
  const metadata = freeData(bad, "metadata", request.metadata, limits);
  const initialPayload = freeData(bad, "initial_payload", request.initialPayload, limits);
  const { workflowId, inlineTasks } = readWork(bad, definition, limits);
  bad.throwIfAny();
  const session = { namespace, actor, sessionId, agentId, workflowId, metadata, requestId: request_id };
  return { session, capability, initialPayload, inlineTasks };
}

function readWork(
  bad: Violations,
  definition: TriggerWorkflowRequest["definition"],
  limits: Limits,
): { readonly workflowId: string; readonly inlineTasks: readonly TaskDefinition[] | undefined } {
  switch (definition.case) {
    case "workflowId":
      return { workflowId: id(bad, "workflow_id", definition.value), inlineTasks: undefined };
    case "workflow": {
      const workflowId = optionalId(bad, "workflow.workflow_id", definition.value.workflowId);
      return { workflowId, inlineTasks: readDefinition(bad, "workflow.", definition.value, limits).tasks };
    }
    case undefined:
      bad.add("workflow_id", "must be set, unless there is a workflow");
      return { workflowId: "", inlineTasks: undefined };
  }
}

/**
 * What the session is to do: dependencies first, apart from that in the order of the definition.
 *
 * @throws OpsCoreError INVALID_FIELD when nobody could get one of the tasks, or the payload is too much for so many
 */
export function planTasks(
  { session: { agentId }, capability, initialPayload, inlineTasks }: Trigger,
  tasks: readonly TaskDefinition[],
  limits: Limits,
): readonly TaskPlan[] {
  const bad = new Violations();
  const plans = tasks.map((task, i): TaskPlan => {
    const own = agentId === "" ? task.capability || capability : "";
    if (agentId === "" && own === "") refuseUnassigned(bad, task, inlineTasks === undefined ? undefined : i);
    const isFirst = task.dependsOn.length === 0;
    const parameters = isFirst && initialPayload !== undefined ? initialPayload : task.parameters;
    return { ...task, capability: own, parameters, boundAgentId: agentId };
  });
  checkHandedOut(bad, plans, initialPayload, limits);
  bad.throwIfAny();
  const arrangement = arrange(plans);
  // A definition with a cycle was refused when it was read.
  return arrangement.kind === "cycle" ? plans : arrangement.order.flatMap((index) => plans[index] ?? []);
}

/** @param place of the task in an inline workflow */
function refuseUnassigned(bad: Violations, { taskId }: TaskDefinition, place: number | undefined): void {
  const field = place === undefined ? "capability" : `workflow.tasks[${place}].agent_capability`;
  bad.add(field, `must be set: no agent would get task ${excerpt(taskId)}, which names no capability`);
}

function checkHandedOut(
  bad: Violations,
  plans: readonly TaskPlan[],
  payload: JsonObject | undefined,
  { handedOutBytes }: Limits,
): void {
  if (payload === undefined) return;
  const takers = plans.filter(({ dependsOn }) => dependsOn.length === 0).length;
  if (takers * jsonBytes(payload) <= handedOutBytes) return;
  bad.add("initial_payload", `must be at most ${handedOutBytes} bytes as JSON over the ${takers} tasks that get it`);
}
