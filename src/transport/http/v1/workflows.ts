/** Work that is started on an agent: a stored workflow, or one that comes with the request. */
import { create } from "@bufbuild/protobuf";
import {
  TriggerWorkflowRequestSchema,
  TriggerWorkflowResponseSchema,
  WorkflowSchema,
  type TriggerWorkflowRequest,
  type Workflow,
} from "../../../../gen/opscore/v1/workflow_service_pb.js";
import { SessionStatus } from "../../../../gen/opscore/v1/session_service_pb.js";
import { agentNotFound } from "../../../errors/index.js";
import { chain, type Awaitable } from "../../../lib/awaitable.js";
import type { JsonObject, JsonValue } from "../../../lib/json.js";
import type { Services } from "../../../services/index.js";
import { isId } from "../../../services/validation/index.js";
import { toStruct } from "../../../services/wire/index.js";
import type { HttpCall } from "../call.js";
import { Faults, Fields, isObject, type Loc } from "../faults.js";
import { readJsonObject } from "../json-body.js";
import { badRequest } from "../refusal.js";
import { answer, type HttpAnswer } from "../routes.js";

const DEFINITION = ["body", "workflowDefinition"] as const;

/** Where the fields of a TriggerWorkflowRequest stand in the body, and what those of a definition are called in it. */
export const TRIGGER_PLACES: Readonly<Record<string, Loc>> = {
  workflow_id: ["body", "workflowDefinitionId"],
  workflow: DEFINITION,
  initial_payload: ["body", "initialPayload"],
  ".workflow_id": ["id"],
  ".display_name": ["name"],
  ".task_id": ["taskId"],
  ".agent_capability": ["agentCapability"],
  ".depends_on": ["nextTaskId"],
};

/** A task as its author wrote it: each names the one that comes after it. */
interface Step {
  readonly taskId: string;
  readonly name: string;
  readonly agentCapability: string;
  readonly parameters: JsonObject | undefined;
  readonly nextTaskId: string;
}

export class WorkflowRoutes {
  constructor(private readonly services: Pick<Services, "workflows">) {}

  /** Starts a workflow on the agent that the path names. @throws Refusal; what TriggerWorkflow throws */
  trigger(call: HttpCall, body: Buffer): Awaitable<HttpAnswer> {
    const request = call.calls(readTrigger(call, body));
    return chain(this.services.workflows.triggerWorkflow(request, call), (response) => {
      const { session } = create(TriggerWorkflowResponseSchema, response);
      // A session whose tasks are still to be done has not ended.
      const isEmpty = session?.status === SessionStatus.COMPLETED;
      return answer(202, {
        sessionId: session?.sessionId ?? "",
        workflowId: session?.workflowId ?? "",
        message: isEmpty ? "Workflow triggered but has no tasks." : "Workflow triggered successfully",
      });
    });
  }
}

function readTrigger(call: HttpCall, body: Buffer): TriggerWorkflowRequest {
  const faults = new Faults();
  const fields = new Fields(faults, readJsonObject(body, call.get("content-type") ?? undefined), ["body"]);
  const workflowId = fields.optionalText("workflowDefinitionId");
  const definition = fields.optionalFields("workflowDefinition");
  const initialPayload = fields.optionalObject("initialPayload");
  if ((workflowId === undefined) === (definition === undefined)) {
    const msg = "Value error, exactly one of workflowDefinitionId and workflowDefinition must be given";
    faults.add(["body"], msg, "value_error");
  }
  const workflow = definition === undefined ? undefined : readDefinition(faults, definition);
  faults.throwIfAny();
  const unnamed = workflow?.tasks.findIndex(({ taskId }) => taskId === "") ?? -1;
  if (unnamed >= 0) throw badRequest(`Task ${unnamed + 1} of the workflow has no taskId`);
  const agentId = call.params[0] ?? "";
  // No agent can be called so.
  if (!isId(agentId)) throw agentNotFound(agentId);
  return create(TriggerWorkflowRequestSchema, {
    target: { case: "agentId", value: agentId },
    definition:
      workflow === undefined ? { case: "workflowId", value: workflowId ?? "" } : { case: "workflow", value: workflow },
    ...(initialPayload !== undefined && { initialPayload: toStruct(initialPayload) ?? {} }),
  });
}

function readDefinition(faults: Faults, fields: Fields): Workflow {
  const workflowId = fields.text("id");
  const displayName = fields.text("name");
  const steps = fields.list("tasks").map((task, place) => readStep(faults, task, [...DEFINITION, "tasks", place]));
  const description = fields.optionalText("description") ?? "";
  const version = fields.optionalText("version") ?? "1.0";
  checkNext(faults, steps);
  const tasks = steps.map(({ taskId, name, agentCapability, parameters }) => ({
    taskId,
    displayName: name,
    agentCapability,
    ...(parameters !== undefined && { parameters: toStruct(parameters) ?? {} }),
    dependsOn: taskId === "" ? [] : predecessorsOf(steps, taskId),
  }));
  return create(WorkflowSchema, { workflowId, displayName, description, version, tasks });
}

function readStep(faults: Faults, task: JsonValue, loc: Loc): Step {
  const values = isObject(task) ? task : {};
  if (values !== task) faults.add(loc, "Input should be a valid dictionary", "dict_type");
  const fields = new Fields(faults, values, loc);
  return {
    taskId: fields.optionalText("taskId") ?? "",
    name: fields.optionalText("name") ?? "",
    agentCapability: fields.optionalText("agentCapability") ?? "",
    parameters: fields.optionalObject("parameters"),
    nextTaskId: fields.optionalText("nextTaskId") ?? "",
  };
}

function checkNext(faults: Faults, steps: readonly Step[]): void {
  const known = new Set(steps.map(({ taskId }) => taskId));
  steps.forEach(({ nextTaskId }, place) => {
    if (nextTaskId === "" || known.has(nextTaskId)) return;
    const msg = "Value error, must be the taskId of a task of this workflow";
    faults.add([...DEFINITION, "tasks", place, "nextTaskId"], msg, "value_error");
  });
}

/** The tasks that name this one as the next. */
function predecessorsOf(steps: readonly Step[], taskId: string): string[] {
  return [...new Set(steps.filter(({ nextTaskId }) => nextTaskId === taskId).map((step) => step.taskId))];
}
