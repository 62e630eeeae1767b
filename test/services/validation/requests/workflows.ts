/** The requests of WorkflowService. */
import * as workflowService from "../../../../gen/opscore/v1/workflow_service_pb.js";
import {
  badCounts,
  badData,
  badDurations,
  badIds,
  badPageSizes,
  badRequestIds,
  badText,
  LONG,
  type Methods,
} from "./method.js";

const chainOf = (length: number) =>
  Array.from({ length }, (_, i) => ({ taskId: `t${i}`, dependsOn: [`t${(i + 1) % length}`] }));

/** What is wrong with one task, by what is wrong with it. */
const badTask = (at: string): readonly (readonly [object, ...string[]])[] => [
  [{ taskId: "" }, `${at}.task_id`],
  ...badIds("taskId", `${at}.task_id`),
  [{ taskId: "__proto__" }, `${at}.task_id`],
  [{ displayName: "x".repeat(256) }, `${at}.display_name`],
  [{ agentCapability: LONG }, `${at}.agent_capability`],
  ...badData("parameters", `${at}.parameters`),
  ...badDurations("timeout", `${at}.timeout`, {}, { nanos: 99_999_999 }, { seconds: 86_400n, nanos: 1 }),
  [{ retry: { maxAttempts: -1 } }, `${at}.retry.max_attempts`],
  [{ retry: { maxAttempts: 101 } }, `${at}.retry.max_attempts`],
  [{ retry: { initialBackoff: { seconds: 3_600n, nanos: 1 } } }, `${at}.retry.initial_backoff`],
  [{ retry: { maxBackoff: { seconds: 86_401n } } }, `${at}.retry.max_backoff`],
  ...[0.5, 10.5, -1, Infinity, NaN].map((multiplier) => [{ retry: { multiplier } }, `${at}.retry.multiplier`] as const),
  ...[-1_001, 1_001].map((priority) => [{ priority }, `${at}.priority`] as const),
  ...badDurations("startDelay", `${at}.start_delay`, { seconds: 30n * 86_400n, nanos: 1 }),
];

/** What is wrong with a definition, as fields of the request under `workflow`. */
const badDefinition: readonly (readonly [object, ...string[]])[] = [
  [{ displayName: "x".repeat(256) }, "workflow.display_name"],
  ...badText("description", "workflow.description"),
  [{ version: "x".repeat(256) }, "workflow.version"],
  [{ tasks: Array.from({ length: 1_001 }, (_, i) => ({ taskId: `t${i}` })) }, "workflow.tasks"],
  ...badTask("workflow.tasks[1]").map(
    ([task, ...paths]) => [{ tasks: [{ taskId: "first" }, { taskId: "second", ...task }] }, ...paths] as const,
  ),
  [{ tasks: [{ taskId: "a" }, { taskId: "b" }, { taskId: "a" }] }, "workflow.tasks[2].task_id"],
  [{ tasks: [{ taskId: "a", dependsOn: ["b", "c"] }, { taskId: "b" }] }, "workflow.tasks[0].depends_on[1]"],
  [{ tasks: [{ taskId: "a", dependsOn: ["b", "b"] }, { taskId: "b" }] }, "workflow.tasks[0].depends_on[1]"],
  [{ tasks: [{ taskId: "a", dependsOn: ["a"] }] }, "workflow.tasks[0].depends_on[0]"],
  [{ tasks: chainOf(3) }, "workflow.tasks[2].depends_on[0]"],
  [{ tasks: chainOf(1_000) }, "workflow.tasks[999].depends_on[0]"],
];
const badWorkflow = badDefinition.map(
  ([workflow, ...paths]) => [{ workflow: { workflowId: "w", ...workflow } }, ...paths] as const,
);
/** The same where the definition is one of several. */
const badInline = badDefinition.map(
  ([value, ...paths]) => [{ definition: { case: "workflow", value } }, ...paths] as const,
);

const unbound = ({ taskId }: { readonly taskId: string }) => ({ taskId });

export const WORKFLOW_METHODS: Methods = {
  PutWorkflow: {
    schema: workflowService.PutWorkflowRequestSchema,
    call: (h, request) => h.workflows.putWorkflow(request),
    base: { workflow: { workflowId: "new" } },
    bad: {
      workflow: [
        [{ workflow: { workflowId: "" } }, "workflow.workflow_id"],
        [{ workflow: undefined }, "workflow"],
        ...badIds("workflowId", "workflow.workflow_id").map(([workflow, path]) => [{ workflow }, path] as const),
        ...badWorkflow,
      ],
      expected_revision: badCounts("expectedRevision", "expected_revision"),
    },
  },
  GetWorkflow: {
    schema: workflowService.GetWorkflowRequestSchema,
    call: (h, request) => h.workflows.getWorkflow(request),
    base: { workflowId: "w" },
    bad: { workflow_id: [[{ workflowId: "" }, "workflow_id"], ...badIds("workflowId", "workflow_id")] },
  },
  ListWorkflows: {
    schema: workflowService.ListWorkflowsRequestSchema,
    call: (h, request) => h.workflows.listWorkflows(request),
    base: {},
    harmless: ["page_token"],
    bad: { page_size: badPageSizes },
  },
  DeleteWorkflow: {
    schema: workflowService.DeleteWorkflowRequestSchema,
    call: (h, request) => h.workflows.deleteWorkflow(request),
    base: { workflowId: "w" },
    bad: {
      workflow_id: [[{ workflowId: "" }, "workflow_id"], ...badIds("workflowId", "workflow_id")],
      expected_revision: badCounts("expectedRevision", "expected_revision"),
    },
  },
  TriggerWorkflow: {
    schema: workflowService.TriggerWorkflowRequestSchema,
    call: (h, request) => h.workflows.triggerWorkflow(request),
    base: { target: { case: "agentId", value: "a" }, definition: { case: "workflowId", value: "w" } },
    // Their places in the two groups of which a request has one each.
    harmless: ["capability", "workflow"],
    bad: {
      agent_id: ["", "not ok", LONG].map((value) => [{ target: { case: "agentId", value } }, "agent_id"] as const),
      workflow_id: [
        [{ definition: { case: "workflowId", value: "" } }, "workflow_id"],
        [{ definition: { case: undefined } }, "workflow_id"],
        ...["", LONG].map((value) => [{ target: { case: "capability", value } }, "capability"] as const),
        [{ definition: { case: "workflow", value: { workflowId: "not ok" } } }, "workflow.workflow_id"],
        ...badInline,
        [{ target: { case: undefined } }, "capability"],
        [
          { target: { case: undefined }, definition: { case: "workflow", value: { tasks: chainOf(1).map(unbound) } } },
          "workflow.tasks[0].agent_capability",
        ],
      ],
      initial_payload: badData("initialPayload", "initial_payload"),
      session_id: badIds("sessionId", "session_id"),
      metadata: badData("metadata", "metadata"),
      request_id: badRequestIds,
    },
  },
  CancelWorkflow: {
    schema: workflowService.CancelWorkflowRequestSchema,
    call: (h, request) => h.workflows.cancelWorkflow(request),
    base: { sessionId: "s" },
    bad: {
      session_id: [[{ sessionId: "" }, "session_id"], ...badIds("sessionId", "session_id")],
      message: badText("message", "message"),
    },
  },
};
