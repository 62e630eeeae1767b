/** Every field of every request, each with every way of being wrong, alone and together. */
import { beforeEach, describe, expect, test } from "vitest";
import type { DescMessage } from "@bufbuild/protobuf";
import type { State } from "../../../gen/opscore/v1/common_pb.js";
import * as agentService from "../../../gen/opscore/v1/agent_service_pb.js";
import * as sessionService from "../../../gen/opscore/v1/session_service_pb.js";
import * as stateService from "../../../gen/opscore/v1/state_service_pb.js";
import * as taskService from "../../../gen/opscore/v1/task_service_pb.js";
import * as workflowService from "../../../gen/opscore/v1/workflow_service_pb.js";
import { createHarness, failure, lease, refusedFields, type Harness } from "../harness.js";

let h: Harness;
beforeEach(() => {
  h = createHarness();
});

interface Method {
  readonly schema: DescMessage;
  readonly call: (request: object) => Promise<unknown>;
  /** Accepted, and whatever a bad field needs around it. */
  readonly base: object;
  /** Fields in which there is nothing to be wrong: booleans, and what is judged by its token's own rule. */
  readonly harmless?: readonly string[];
  /** The request's fields, each with bad values and the paths that are expected to be named. */
  readonly bad: Readonly<Record<string, readonly (readonly [value: object, ...paths: string[]])[]>>;
}

const LONG = "x".repeat(129);
const TOO_LARGE = { text: "x".repeat(65_536) };
const nested = (depth: number): object => (depth === 1 ? {} : { in: nested(depth - 1) });

const badIds = (name: string, path: string) =>
  ["white space", "slash/", "ünïcode", "new\nline", LONG].map((value) => [{ [name]: value }, path] as const);
const badCounts = (name: string, path: string) =>
  [-1n, 2n ** 53n, 2n ** 63n - 1n].map((value) => [{ [name]: value }, path] as const);
const badData = (name: string, path: string) =>
  [
    [{ [name]: TOO_LARGE }, path],
    [{ [name]: { a: [1, { b: NaN }] } }, `${path}["a"][1]["b"]`],
    [{ [name]: { a: Infinity } }, `${path}["a"]`],
    [{ [name]: nested(33) }, path + '["in"]'.repeat(32)],
    [{ [name]: JSON.parse('{"a":{"__proto__":{}}}') as object }, `${path}["a"]`],
  ] as const;
const badRequestIds = [[{ requestId: LONG }, "request_id"]] as const;
const badPageSizes = [
  [{ pageSize: -1 }, "page_size"],
  [{ pageSize: 1_001 }, "page_size"],
] as const;
const badMasks = (known: string) =>
  [
    [{ updateMask: { paths: ["nonsense"] } }, "update_mask.paths[0]"],
    [{ updateMask: { paths: [known, "", "*"] } }, "update_mask.paths[1]", "update_mask.paths[2]"],
  ] as const;

const badIdLists = (name: string, path: string) =>
  [
    [{ [name]: ["ok", "not ok", ""] }, `${path}[1]`, `${path}[2]`],
    [{ [name]: Array.from({ length: 10_001 }, (_, i) => `id-${i}`) }, path],
  ] as const;
const badProgress = [{ nanos: 99_999_999 }, { seconds: 3_600n, nanos: 1 }, { seconds: -1n }].map(
  (progressInterval) => [{ progressInterval }, "progress_interval"] as const,
);

/** What RegisterAgentRequest and Agent have in common. */
const badProfile = (prefix: string): Method["bad"] => ({
  display_name: [[{ displayName: "x".repeat(256) }, `${prefix}display_name`]],
  version: [[{ version: "x".repeat(256) }, `${prefix}version`]],
  capabilities: [
    [{ capabilities: ["ok", ""] }, `${prefix}capabilities[1]`],
    [{ capabilities: [LONG, "ok", LONG] }, `${prefix}capabilities[0]`, `${prefix}capabilities[2]`],
    [{ capabilities: Array.from({ length: 257 }, (_, i) => `c${i}`) }, `${prefix}capabilities`],
  ],
  contact_endpoint: [
    "agent.example",
    "/run",
    "ftp://agent.example",
    "http:agent.example",
    "http://",
    "http://user:secret@agent.example",
    "http://user@agent.example",
    "http://agent.example/a b",
    "http:\\\\agent.example",
    "javascript:alert(1)",
    `http://agent.example/${"x".repeat(2_048)}`,
  ].map((contactEndpoint) => [{ contactEndpoint }, `${prefix}contact_endpoint`] as const),
  labels: [
    [{ labels: { "bad key": "v", good: "v" } }, `${prefix}labels["bad key"]`],
    [{ labels: { "": "v" } }, `${prefix}labels[""]`],
    [{ labels: { ["k".repeat(64)]: "v" } }, `${prefix}labels["${"k".repeat(64)}"]`],
    [{ labels: { ["k".repeat(500)]: "v" } }, `${prefix}labels["${"k".repeat(64)}…"]`],
    [{ labels: { key: "v".repeat(256) } }, `${prefix}labels["key"]`],
    [{ labels: JSON.parse('{"__proto__":"v"}') as object }, `${prefix}labels["__proto__"]`],
    [{ labels: Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`k${i}`, ""])) }, `${prefix}labels`],
  ],
  metadata: badData("metadata", `${prefix}metadata`),
  lease_ttl: [
    {},
    { nanos: 99_999_999 },
    { seconds: -1n },
    { seconds: 1n, nanos: -1 },
    { seconds: 86_400n, nanos: 1 },
    { seconds: 2n ** 62n },
    { nanos: 1_000_000_000 },
  ].map((leaseTtl) => [{ leaseTtl }, `${prefix}lease_ttl`] as const),
  max_concurrent_tasks: [-1, 1_001].map(
    (maxConcurrentTasks) => [{ maxConcurrentTasks }, `${prefix}max_concurrent_tasks`] as const,
  ),
  task_delivery: [-1, 4].map((taskDelivery) => [{ taskDelivery }, `${prefix}task_delivery`] as const),
});

const badDurations = (name: string, path: string, ...outside: readonly object[]) =>
  [...outside, { seconds: -1n }, { nanos: -1 }, { seconds: 2n ** 62n }].map(
    (value) => [{ [name]: value }, path] as const,
  );
const badText = (name: string, path: string) =>
  [
    [{ [name]: "x".repeat(1_025) }, path],
    [{ [name]: "€".repeat(342) }, path],
  ] as const;

const chainOf = (length: number) =>
  Array.from({ length }, (_, i) => ({ taskId: `t${i}`, dependsOn: [`t${(i + 1) % length}`] }));

/** What is wrong with one task, by what is wrong with it. */
const badTask = (at: string): readonly (readonly [object, ...string[]])[] => [
  [{ taskId: "" }, `${at}.task_id`],
  ...badIds("taskId", `${at}.task_id`),
  [{ displayName: "x".repeat(256) }, `${at}.display_name`],
  [{ agentCapability: LONG }, `${at}.agent_capability`],
  ...badData("parameters", `${at}.parameters`),
  ...badDurations("timeout", `${at}.timeout`, {}, { nanos: 99_999_999 }, { seconds: 86_400n, nanos: 1 }),
  [{ retry: { maxAttempts: -1 } }, `${at}.retry.max_attempts`],
  [{ retry: { maxAttempts: 101 } }, `${at}.retry.max_attempts`],
  [{ retry: { initialBackoff: { seconds: 3_600n, nanos: 1 } } }, `${at}.retry.initial_backoff`],
  [{ retry: { maxBackoff: { seconds: 86_401n } } }, `${at}.retry.max_backoff`],
  ...[0.5, 10.5, -1, Infinity].map((multiplier) => [{ retry: { multiplier } }, `${at}.retry.multiplier`] as const),
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

const badTaskKey = {
  session_id: [[{ sessionId: "" }, "session_id"], ...badIds("sessionId", "session_id")],
  task_id: [[{ taskId: "" }, "task_id"], ...badIds("taskId", "task_id")],
} as const;
const LEASED = { sessionId: "working", taskId: "leased", attempt: 1 };
const unbound = ({ taskId }: { readonly taskId: string }) => ({ taskId });
const badAttempt = [0, -1].map((attempt) => [{ attempt }, "attempt"] as const);

const methods: Readonly<Record<string, Method>> = {
  RegisterAgent: {
    schema: agentService.RegisterAgentRequestSchema,
    call: (request) => h.agents.registerAgent(request),
    base: { agentId: "a" },
    harmless: ["keep_state"],
    bad: {
      agent_id: badIds("agentId", "agent_id"),
      ...badProfile(""),
      initial_state: [7, -1, 1_000_000].map((initialState) => [{ initialState }, "initial_state"] as const),
      request_id: badRequestIds,
    },
  },
  DeregisterAgent: {
    schema: agentService.DeregisterAgentRequestSchema,
    call: (request) => h.agents.deregisterAgent(request),
    base: { agentId: "a" },
    bad: {
      agent_id: [[{ agentId: "" }, "agent_id"], ...badIds("agentId", "agent_id")],
      incarnation: badCounts("incarnation", "incarnation"),
    },
  },
  GetAgent: {
    schema: agentService.GetAgentRequestSchema,
    call: (request) => h.agents.getAgent(request),
    base: { agentId: "a" },
    bad: { agent_id: [[{ agentId: "" }, "agent_id"], ...badIds("agentId", "agent_id")] },
  },
  ListAgents: {
    schema: agentService.ListAgentsRequestSchema,
    call: (request) => h.agents.listAgents(request),
    base: {},
    harmless: ["page_token"],
    bad: {
      label_selector: ["a=b=c", "in (a)", "a in (", "=", "a,", "é", " x".repeat(2_049)].map(
        (labelSelector) => [{ labelSelector }, "label_selector"] as const,
      ),
      capabilities: [
        [{ capabilities: [""] }, "capabilities[0]"],
        [{ capabilities: Array.from({ length: 257 }, (_, i) => `c${i}`) }, "capabilities"],
      ],
      states: [
        [{ states: [3, 0] }, "states[1]"],
        [{ states: [7, 3, -1] }, "states[0]", "states[2]"],
        [{ states: new Array<number>(65).fill(3) }, "states"],
      ],
      liveness: [
        [{ liveness: [0] }, "liveness[0]"],
        [{ liveness: [1, 4] }, "liveness[1]"],
      ],
      page_size: badPageSizes,
    },
  },
  UpdateAgent: {
    schema: agentService.UpdateAgentRequestSchema,
    call: (request) => h.agents.updateAgent(request),
    base: { agent: { agentId: "a", version: "2" } },
    bad: {
      agent: [
        [{ agent: { agentId: "" } }, "agent.agent_id"],
        [{ agent: undefined }, "agent"],
        ...Object.values(badProfile("agent."))
          .flat()
          .map(([agent, ...paths]) => [{ agent: { agentId: "a", ...agent } }, ...paths] as const)
          // Nothing set is nothing to change, unless a mask says otherwise.
          .filter(([{ agent }]) => Object.keys(agent).length > 1),
      ],
      update_mask: badMasks("version"),
      expected_revision: badCounts("expectedRevision", "expected_revision"),
      request_id: badRequestIds,
    },
  },
  Heartbeat: {
    schema: agentService.HeartbeatRequestSchema,
    call: (request) => h.agents.heartbeat(request),
    base: { agentId: "a" },
    bad: {
      agent_id: [[{ agentId: "" }, "agent_id"], ...badIds("agentId", "agent_id")],
      incarnation: badCounts("incarnation", "incarnation"),
    },
  },
  SetState: {
    schema: stateService.SetStateRequestSchema,
    call: (request) => h.states.setState(request),
    base: { agentId: "a", state: 3 },
    bad: {
      agent_id: [[{ agentId: "" }, "agent_id"], ...badIds("agentId", "agent_id")],
      state: [0, 7, -1].map((state) => [{ state }, "state"] as const),
      reason: ["lower", "Two Words", "Snake_Case", "1st", "X".repeat(65)].map(
        (r) => [{ reason: r }, "reason"] as const,
      ),
      message: [
        [{ message: "x".repeat(1_025) }, "message"],
        [{ message: "€".repeat(342) }, "message"],
      ],
      details: badData("details", "details"),
      session_id: badIds("sessionId", "session_id"),
      task_id: badIds("taskId", "task_id"),
      incarnation: badCounts("incarnation", "incarnation"),
      sequence: badCounts("sequence", "sequence"),
      report_time: [
        { seconds: -62_135_596_801n },
        { seconds: 253_402_300_800n },
        { nanos: -1 },
        { nanos: 1_000_000_000 },
      ].map((reportTime) => [{ reportTime }, "report_time"] as const),
      discard_if_older: [[{ discardIfOlder: true }, "report_time"]],
      expected_states: [
        [{ expectedStates: [0] }, "expected_states[0]"],
        [{ expectedStates: [1, 99] }, "expected_states[1]"],
      ],
      expected_revision: badCounts("expectedRevision", "expected_revision"),
      wait_for_registration: [{ seconds: -1n }, { nanos: -1 }, { seconds: 60n, nanos: 1 }].map(
        (waitForRegistration) => [{ waitForRegistration }, "wait_for_registration"] as const,
      ),
      request_id: badRequestIds,
    },
  },
  WatchState: {
    schema: stateService.WatchStateRequestSchema,
    call: (request) => first(h.states.watchState(request)),
    base: {},
    harmless: ["include_snapshot", "resume_token"],
    bad: {
      agent_ids: badIdLists("agentIds", "agent_ids"),
      label_selector: [[{ labelSelector: "a=b=c" }, "label_selector"]],
      capabilities: [[{ capabilities: ["", "x"] }, "capabilities[0]"]],
      states: [[{ states: [3, 0, 7] }, "states[1]", "states[2]"]],
      progress_interval: badProgress,
    },
  },
  WaitForState: {
    schema: stateService.WaitForStateRequestSchema,
    call: (request) => h.states.waitForState(request),
    base: { agentId: "a", states: [1] },
    harmless: ["fail_on_lost"],
    bad: {
      agent_id: [[{ agentId: "" }, "agent_id"], ...badIds("agentId", "agent_id")],
      states: [
        [{ states: [] }, "states"],
        [{ states: [1, 0] }, "states[1]"],
      ],
      fail_states: [[{ failStates: [99] }, "fail_states[0]"]],
      after_revision: badCounts("afterRevision", "after_revision"),
      timeout: [{ seconds: -1n }, { nanos: -1 }].map((timeout) => [{ timeout }, "timeout"] as const),
    },
  },
  GetState: {
    schema: stateService.GetStateRequestSchema,
    call: (request) => h.states.getState(request),
    base: { agentId: "a" },
    bad: { agent_id: [[{ agentId: "" }, "agent_id"], ...badIds("agentId", "agent_id")] },
  },
  GetStateHistory: {
    schema: stateService.GetStateHistoryRequestSchema,
    call: (request) => h.states.getStateHistory(request),
    base: { agentId: "a" },
    harmless: ["page_token"],
    bad: {
      agent_id: [[{ agentId: "" }, "agent_id"], ...badIds("agentId", "agent_id")],
      after_revision: badCounts("afterRevision", "after_revision"),
      page_size: badPageSizes,
    },
  },
  StartSession: {
    schema: sessionService.StartSessionRequestSchema,
    call: (request) => h.sessions.startSession(request),
    base: { agentId: "a" },
    bad: {
      session_id: badIds("sessionId", "session_id"),
      agent_id: [[{ agentId: "" }, "agent_id"], ...badIds("agentId", "agent_id")],
      workflow_id: badIds("workflowId", "workflow_id"),
      metadata: badData("metadata", "metadata"),
      request_id: badRequestIds,
    },
  },
  GetSession: {
    schema: sessionService.GetSessionRequestSchema,
    call: (request) => h.sessions.getSession(request),
    base: { sessionId: "s" },
    bad: { session_id: [[{ sessionId: "" }, "session_id"], ...badIds("sessionId", "session_id")] },
  },
  UpdateSession: {
    schema: sessionService.UpdateSessionRequestSchema,
    call: (request) => h.sessions.updateSession(request),
    base: { session: { sessionId: "s", error: "e" } },
    bad: {
      session: [
        [{ session: { sessionId: "" } }, "session.session_id"],
        [{ session: undefined }, "session"],
        [{ session: { sessionId: "s", status: 7 } }, "session.status"],
        [{ session: { sessionId: "s" }, updateMask: { paths: ["status"] } }, "session.status"],
        [{ session: { sessionId: "s", error: "x".repeat(1_025) } }, "session.error"],
        ...[...badData("metadata", "session.metadata"), ...badData("result", "session.result")].map(
          ([session, path]) => [{ session: { sessionId: "s", ...session } }, path] as const,
        ),
      ],
      update_mask: badMasks("error"),
      expected_revision: badCounts("expectedRevision", "expected_revision"),
      request_id: badRequestIds,
    },
  },
  WatchSessions: {
    schema: sessionService.WatchSessionsRequestSchema,
    call: (request) => first(h.sessions.watchSessions(request)),
    base: {},
    harmless: ["include_snapshot", "resume_token"],
    bad: {
      session_ids: badIdLists("sessionIds", "session_ids"),
      agent_ids: badIdLists("agentIds", "agent_ids"),
      statuses: [[{ statuses: [0, 1, 7] }, "statuses[0]", "statuses[2]"]],
      progress_interval: badProgress,
    },
  },
  PutWorkflow: {
    schema: workflowService.PutWorkflowRequestSchema,
    call: (request) => h.workflows.putWorkflow(request),
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
    call: (request) => h.workflows.getWorkflow(request),
    base: { workflowId: "w" },
    bad: { workflow_id: [[{ workflowId: "" }, "workflow_id"], ...badIds("workflowId", "workflow_id")] },
  },
  ListWorkflows: {
    schema: workflowService.ListWorkflowsRequestSchema,
    call: (request) => h.workflows.listWorkflows(request),
    base: {},
    harmless: ["page_token"],
    bad: { page_size: badPageSizes },
  },
  DeleteWorkflow: {
    schema: workflowService.DeleteWorkflowRequestSchema,
    call: (request) => h.workflows.deleteWorkflow(request),
    base: { workflowId: "w" },
    bad: {
      workflow_id: [[{ workflowId: "" }, "workflow_id"], ...badIds("workflowId", "workflow_id")],
      expected_revision: badCounts("expectedRevision", "expected_revision"),
    },
  },
  TriggerWorkflow: {
    schema: workflowService.TriggerWorkflowRequestSchema,
    call: (request) => h.workflows.triggerWorkflow(request),
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
    call: (request) => h.workflows.cancelWorkflow(request),
    base: { sessionId: "s" },
    bad: {
      session_id: [[{ sessionId: "" }, "session_id"], ...badIds("sessionId", "session_id")],
      message: badText("message", "message"),
    },
  },
  WatchTasks: {
    schema: taskService.WatchTasksRequestSchema,
    call: (request) => first(h.tasks.watchTasks(request)),
    base: {},
    harmless: ["include_snapshot", "resume_token"],
    bad: {
      agent_id: badIds("agentId", "agent_id"),
      session_ids: badIdLists("sessionIds", "session_ids"),
      progress_interval: badProgress,
    },
  },
  RenewTask: {
    schema: taskService.RenewTaskRequestSchema,
    call: (request) => h.tasks.renewTask(request),
    base: LEASED,
    bad: { ...badTaskKey, attempt: badAttempt },
  },
  CompleteTask: {
    schema: taskService.CompleteTaskRequestSchema,
    call: (request) => h.tasks.completeTask(request),
    base: LEASED,
    bad: { ...badTaskKey, attempt: badAttempt, result: badData("result", "result") },
  },
  FailTask: {
    schema: taskService.FailTaskRequestSchema,
    call: (request) => h.tasks.failTask(request),
    base: LEASED,
    harmless: ["permanent"],
    bad: {
      ...badTaskKey,
      attempt: badAttempt,
      reason: [[{ reason: "not CamelCase" }, "reason"]],
      error: badText("error", "error"),
    },
  },
  CancelTask: {
    schema: taskService.CancelTaskRequestSchema,
    call: (request) => h.tasks.cancelTask(request),
    base: { sessionId: "working", taskId: "leased" },
    bad: { ...badTaskKey, message: badText("message", "message") },
  },
  RetryTask: {
    schema: taskService.RetryTaskRequestSchema,
    call: (request) => h.tasks.retryTask(request),
    base: { sessionId: "working", taskId: "failed" },
    bad: badTaskKey,
  },
  GetTask: {
    schema: taskService.GetTaskRequestSchema,
    call: (request) => h.tasks.getTask(request),
    base: { sessionId: "working", taskId: "leased" },
    bad: badTaskKey,
  },
  ListTasks: {
    schema: taskService.ListTasksRequestSchema,
    call: (request) => h.tasks.listTasks(request),
    base: {},
    harmless: ["page_token"],
    bad: {
      session_id: badIds("sessionId", "session_id"),
      agent_id: badIds("agentId", "agent_id"),
      statuses: [
        [{ statuses: [0] }, "statuses[0]"],
        [{ statuses: [1, 7] }, "statuses[1]"],
      ],
      page_size: badPageSizes,
    },
  },
  ListSessions: {
    schema: sessionService.ListSessionsRequestSchema,
    call: (request) => h.sessions.listSessions(request),
    base: {},
    harmless: ["page_token"],
    bad: {
      agent_id: badIds("agentId", "agent_id"),
      workflow_id: badIds("workflowId", "workflow_id"),
      statuses: [
        [{ statuses: [0] }, "statuses[0]"],
        [{ statuses: [1, 7] }, "statuses[1]"],
      ],
      page_size: badPageSizes,
    },
  },
};

async function first(stream: AsyncIterable<unknown>): Promise<unknown> {
  return (await stream[Symbol.asyncIterator]().next()).value;
}

/** A session with a task that is LEASED and one that is FAILED. */
async function startWorking(): Promise<void> {
  const tasks = ["leased", "failed"].map((taskId) => ({ taskId, retry: { maxAttempts: 1 } }));
  await h.workflows.triggerWorkflow({
    sessionId: "working",
    target: { case: "agentId", value: "a" },
    definition: { case: "workflow", value: { tasks } },
  });
  for (const { taskId } of tasks) await lease(h, { sessionId: "working", taskId, agentId: "a" });
  await h.tasks.failTask({ sessionId: "working", taskId: "failed", attempt: 1 });
}

test("has every request of every service but the reports on a stream, which are those of SetState, and one without fields", () => {
  const services = [
    agentService.AgentService,
    stateService.StateService,
    sessionService.SessionService,
    workflowService.WorkflowService,
    taskService.TaskService,
  ];
  const all = services.flatMap((service) => service.methods.map(({ name }) => name));
  const others = ["ReportStates", "ConfirmExpiry"];
  expect([...Object.keys(methods), ...others].sort()).toEqual(all.sort());
});

describe.each(Object.entries(methods))("%s", (_name, { schema, call, base, harmless = [], bad }) => {
  beforeEach(async () => {
    await h.agents.registerAgent({ agentId: "a" });
    await h.sessions.startSession({ sessionId: "s", agentId: "a" });
    await h.workflows.putWorkflow({ workflow: { workflowId: "w", tasks: [{ taskId: "t" }] } });
    await startWorking();
  });

  test("is accepted as it should be", async () => {
    await call(base);
  });

  test("has a case for every field", () => {
    const covered = [...Object.keys(bad), ...harmless];
    expect(covered.sort()).toEqual(schema.fields.map(({ name }) => name).sort());
  });

  const cases = Object.entries(bad).flatMap(([field, values]) =>
    values.map(([value, ...paths], i) => ({ title: `${field}, case ${i + 1}`, value, paths })),
  );
  test.each(cases)("names the bad field: $title", async ({ value, paths }) => {
    expect(await refusedFields(() => call({ ...base, ...value }))).toEqual(paths);
  });

  test("names every bad field at once", async () => {
    const all = Object.values(bad).map((values) => values[0] ?? [{}]);
    const request = all.reduce((merged, [value]) => ({ ...merged, ...value }), base);
    const named = await refusedFields(() => call(request));
    expect(named.sort()).toEqual([...new Set(all.flatMap(([, ...paths]) => paths))].sort());
  });
});

/** A number that a newer client may know; proto3 lets it through. */
const UNKNOWN_STATE = 9 as State;

describe("a report of violations", () => {
  test("describes each field, and the first of them in its message", async () => {
    const error = await failure("INVALID_FIELD", () => h.states.setState({ state: UNKNOWN_STATE, reason: "nope" }));
    expect(error.message).toBe("agent_id must be set (and 2 more)");
    expect(error.violations).toEqual([
      { field: "agent_id", description: "must be set" },
      {
        field: "state",
        description: "must be one of UNKNOWN, INITIALIZING, IDLE, ACTIVE, ERROR, FINISHED; 9 is none of them",
      },
      {
        field: "reason",
        description: "must be one CamelCase word of at most 64 letters and digits, such as RateLimited",
      },
    ]);
  });

  test("stays small whatever was sent", async () => {
    const capabilities = Array.from({ length: 200 }, (_, i) => `${"x".repeat(10_000)}${i}`);
    const paths = Array.from({ length: 200 }, (_, i) => `${"y".repeat(10_000)}${i}`);
    const error = await failure("INVALID_FIELD", () => h.agents.registerAgent({ capabilities }));
    expect(error.violations).toHaveLength(20);
    const masked = await failure("INVALID_FIELD", () =>
      h.agents.updateAgent({ agent: { agentId: "a" }, updateMask: { paths } }),
    );
    for (const { violations } of [error, masked]) expect(JSON.stringify(violations).length).toBeLessThan(8_000);
  });

  test("comes before anything is done", async () => {
    await refusedFields(() => h.agents.registerAgent({ agentId: "a", version: "x".repeat(256) }));
    await failure("AGENT_NOT_FOUND", () => h.agents.getAgent({ agentId: "a" }));
  });
});
