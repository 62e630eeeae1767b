import type { ServiceImpl } from "@connectrpc/connect";
import type {
  CancelWorkflowResponse,
  DeleteWorkflowResponse,
  GetWorkflowResponse,
  ListWorkflowsResponse,
  PutWorkflowRequest,
  PutWorkflowResponse,
  TriggerWorkflowResponse,
  WorkflowService,
} from "../../../gen/opscore/v1/workflow_service_pb.js";
import { invalidFields, workflowNotFound } from "../../errors/index.js";
import { chain, type Awaitable } from "../../lib/awaitable.js";
import { SessionStatus, type SessionRecord } from "../../storage/records.js";
import type { DeleteWorkflow, PutWorkflow, UpdateSession } from "../../storage/storage.js";
import { callerKey, type Caller } from "../caller.js";
import type { ServiceDependencies } from "../dependencies.js";
import type { Limits } from "../limits.js";
import { pageToken, readPageToken, type Query } from "../paging.js";
import { count, id, pageSize, text, Violations } from "../validation/index.js";
import { toSession, toWorkflow } from "../wire/index.js";
import { readDefinition } from "./definition.js";
import { planTasks, readTrigger, type Trigger } from "./trigger.js";

/** WorkflowService: what work there is, and its beginning. See the proto file for what each method promises. */
export function createWorkflowService(dependencies: ServiceDependencies): ServiceImpl<typeof WorkflowService> {
  const { storage, limits } = dependencies;
  return {
    putWorkflow(request, ctx) {
      const command = readPut(request, ctx.values.get(callerKey), limits);
      return chain(storage.putWorkflow(command), ({ workflow, created }): PutWorkflowResponse => ({
        $typeName: "opscore.v1.PutWorkflowResponse",
        workflow: toWorkflow(workflow),
        created,
      }));
    },

    getWorkflow(request, ctx) {
      const { namespace } = ctx.values.get(callerKey);
      const bad = new Violations();
      const workflowId = id(bad, "workflow_id", request.workflowId);
      bad.throwIfAny();
      return chain(storage.getWorkflow({ namespace, workflowId }), (workflow): GetWorkflowResponse => {
        if (workflow === undefined) throw workflowNotFound(workflowId);
        return { $typeName: "opscore.v1.GetWorkflowResponse", workflow: toWorkflow(workflow) };
      });
    },

    listWorkflows(request, ctx) {
      const { namespace } = ctx.values.get(callerKey);
      const bad = new Violations();
      const limit = pageSize(bad, "page_size", request.pageSize, limits);
      bad.throwIfAny();
      const query: Query = ["ListWorkflows", namespace];
      const cursor = readPageToken(query, request.pageToken);
      return chain(storage.listWorkflows({ namespace, limit, cursor }), ({ items, next }): ListWorkflowsResponse => ({
        $typeName: "opscore.v1.ListWorkflowsResponse",
        workflows: items.map(toWorkflow),
        nextPageToken: pageToken(query, next),
      }));
    },

    deleteWorkflow(request, ctx) {
      const { namespace } = ctx.values.get(callerKey);
      const bad = new Violations();
      const command: DeleteWorkflow = {
        namespace,
        workflowId: id(bad, "workflow_id", request.workflowId),
        expectedRevision: count(bad, "expected_revision", request.expectedRevision),
      };
      bad.throwIfAny();
      return chain(storage.deleteWorkflow(command), (workflow): DeleteWorkflowResponse => ({
        $typeName: "opscore.v1.DeleteWorkflowResponse",
        workflow: toWorkflow(workflow),
      }));
    },

    triggerWorkflow(request, ctx) {
      const trigger = readTrigger(request, ctx.values.get(callerKey), dependencies);
      return chain(start(dependencies, trigger), (session): TriggerWorkflowResponse => ({
        $typeName: "opscore.v1.TriggerWorkflowResponse",
        session: toSession(session),
      }));
    },

    cancelWorkflow(request, ctx) {
      const { namespace, actor } = ctx.values.get(callerKey);
      const bad = new Violations();
      const message = text(bad, "message", request.message, limits.messageBytes);
      const command: UpdateSession = {
        namespace,
        actor,
        sessionId: id(bad, "session_id", request.sessionId),
        patch: { status: SessionStatus.CANCELLED, ...(message === "" ? {} : { error: message }) },
        expectedRevision: 0,
        requestId: "",
      };
      bad.throwIfAny();
      return chain(storage.updateSession(command), (session): CancelWorkflowResponse => ({
        $typeName: "opscore.v1.CancelWorkflowResponse",
        session: toSession(session),
      }));
    },
  };
}

function readPut(
  { workflow, expectedRevision }: PutWorkflowRequest,
  { namespace }: Caller,
  limits: Limits,
): PutWorkflow {
  if (workflow === undefined) throw invalidFields([{ field: "workflow", description: "must be set" }]);
  const bad = new Violations();
  const command: PutWorkflow = {
    namespace,
    workflowId: id(bad, "workflow.workflow_id", workflow.workflowId),
    ...readDefinition(bad, "workflow.", workflow, limits),
    expectedRevision: count(bad, "expected_revision", expectedRevision),
  };
  bad.throwIfAny();
  return command;
}

function start(dependencies: ServiceDependencies, trigger: Trigger): Awaitable<SessionRecord> {
  const { storage, limits } = dependencies;
  const { session, inlineTasks } = trigger;
  if (inlineTasks !== undefined) return run(dependencies, trigger, planTasks(trigger, inlineTasks, limits));
  const { namespace, workflowId } = session;
  return chain(storage.getWorkflow({ namespace, workflowId }), (workflow) => {
    if (workflow === undefined) return recall(dependencies, trigger);
    return run(dependencies, trigger, planTasks(trigger, workflow.tasks, limits));
  });
}

/** A repeated request finds its session, although the workflow was deleted since. */
function recall({ storage }: ServiceDependencies, { session }: Trigger): Awaitable<SessionRecord> {
  const { namespace, sessionId, workflowId, requestId } = session;
  if (requestId === "") throw workflowNotFound(workflowId);
  return chain(storage.getSession({ namespace, sessionId }), (started) => {
    if (started?.workflowId !== workflowId) throw workflowNotFound(workflowId);
    return started;
  });
}

function run(
  { storage }: ServiceDependencies,
  { session }: Trigger,
  tasks: ReturnType<typeof planTasks>,
): Awaitable<SessionRecord> {
  return chain(storage.startSession({ ...session, tasks }), (started) => {
    if (tasks.length > 0) return started;
    // Nothing will end it. Should the process end before this, a repeated request (of the same request id) makes up for it.
    const { namespace, actor, sessionId, requestId } = session;
    const patch = { status: SessionStatus.COMPLETED };
    return storage.updateSession({ namespace, actor, sessionId, patch, expectedRevision: 0, requestId });
  });
}
