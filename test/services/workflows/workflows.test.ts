import { beforeEach, describe, expect, test } from "vitest";
import { SessionStatus, type Session } from "../../../gen/opscore/v1/session_service_pb.js";
import { TaskStatus, type Task } from "../../../gen/opscore/v1/task_service_pb.js";
import type { Workflow } from "../../../gen/opscore/v1/workflow_service_pb.js";
import { createHarness, failure, lease, refusedFields, type Harness } from "../harness.js";

let h: Harness;
beforeEach(async () => {
  h = createHarness();
  await h.agents.registerAgent({ agentId: "a", initialState: 3 });
});

async function put(workflow: object, request: object = {}): Promise<Workflow> {
  const answer = await h.workflows.putWorkflow({ workflow: { workflowId: "w", ...workflow }, ...request });
  if (answer.workflow === undefined) throw new Error("no workflow in the answer");
  return answer.workflow;
}

async function trigger(request: object = {}): Promise<Session> {
  const { session } = await h.workflows.triggerWorkflow({
    target: { case: "agentId", value: "a" },
    definition: { case: "workflowId", value: "w" },
    ...request,
  });
  if (session === undefined) throw new Error("no session in the answer");
  return session;
}

async function tasksOf({ sessionId }: { readonly sessionId: string }): Promise<readonly Task[]> {
  return (await h.tasks.listTasks({ sessionId })).tasks;
}

const FULL = {
  displayName: "Report",
  description: "what happened",
  version: "7",
  tasks: [
    {
      taskId: "sum",
      displayName: "Sum up",
      agentCapability: "sum",
      parameters: { of: [1, 2] },
      dependsOn: ["left", "right"],
      timeout: { seconds: 9n },
      retry: { maxAttempts: 5, initialBackoff: { seconds: 2n }, maxBackoff: { seconds: 4n }, multiplier: 1.5 },
      priority: -3,
      startDelay: { nanos: 1_000_000 },
    },
    { taskId: "left", agentCapability: "count" },
    { taskId: "right", parameters: {} },
  ],
};

describe("PutWorkflow, GetWorkflow, ListWorkflows, DeleteWorkflow", () => {
  test("keep what was given, and fill in the defaults", async () => {
    const workflow = await put(FULL);
    expect(workflow).toMatchObject({ workflowId: "w", ...FULL });
    expect(workflow.tasks[1]).toMatchObject({
      displayName: "",
      dependsOn: [],
      timeout: { seconds: 300n },
      retry: { maxAttempts: 3, initialBackoff: { seconds: 1n }, maxBackoff: { seconds: 60n }, multiplier: 2 },
      priority: 0,
    });
    expect(workflow.tasks[1]?.parameters).toBeUndefined();
    expect(workflow.tasks[1]?.startDelay).toBeUndefined();
    expect((await h.workflows.getWorkflow({ workflowId: "w" })).workflow).toEqual(workflow);
    expect((await h.workflows.listWorkflows({})).workflows).toEqual([workflow]);
    expect((await h.workflows.deleteWorkflow({ workflowId: "w" })).workflow).toEqual(workflow);
    const gone = await failure("WORKFLOW_NOT_FOUND", () => h.workflows.getWorkflow({ workflowId: "w" }));
    expect(gone.metadata).toEqual({ workflow_id: "w" });
    await failure("WORKFLOW_NOT_FOUND", () => h.workflows.deleteWorkflow({ workflowId: "w" }));
  });

  test("what was read can be stored again", async () => {
    const { tasks } = await put(FULL);
    expect((await put({ ...FULL, tasks })).tasks).toEqual(tasks);
  });

  test("a first wait that is longer than the longest wait by default is not cut", async () => {
    const [task] = (await put({ tasks: [{ taskId: "t", retry: { initialBackoff: { seconds: 600n } } }] })).tasks;
    expect(task?.retry).toMatchObject({ maxBackoff: { seconds: 600n } });
  });

  test("compare the revision, and say whether the id is new", async () => {
    expect(await h.workflows.putWorkflow({ workflow: { workflowId: "w" } })).toMatchObject({ created: true });
    const { revision } = await put({});
    await put({ version: "2" }, { expectedRevision: revision });
    await failure("STATE_MISMATCH", () => put({ version: "3" }, { expectedRevision: revision }));
    await failure("STATE_MISMATCH", () => h.workflows.deleteWorkflow({ workflowId: "w", expectedRevision: revision }));
    expect(await h.workflows.putWorkflow({ workflow: { workflowId: "w" } })).toMatchObject({ created: false });
  });

  test("page through the ids in order, each namespace its own", async () => {
    for (const workflowId of ["c", "a", "d", "b"]) await put({ workflowId });
    await h.as({ namespace: "other" }).workflows.putWorkflow({ workflow: { workflowId: "z" } });
    const seen: string[] = [];
    let pageToken = "";
    do {
      const page = await h.workflows.listWorkflows({ pageSize: 3, pageToken });
      seen.push(...page.workflows.map(({ workflowId }) => workflowId));
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    expect(seen).toEqual(["a", "b", "c", "d"]);
    const { nextPageToken } = await h.workflows.listWorkflows({ pageSize: 1 });
    const other = h.as({ namespace: "other" });
    await failure("INVALID_PAGE_TOKEN", () => other.workflows.listWorkflows({ pageToken: nextPageToken }));
  });

  test.each([
    [
      [
        { taskId: "a", dependsOn: ["b"] },
        { taskId: "b", dependsOn: ["c"] },
        { taskId: "c", dependsOn: ["a"] },
      ],
      "workflow.tasks[2].depends_on[0] must not make a task wait for itself: c → a → b → c",
    ],
    [
      [{ taskId: "a", dependsOn: ["a"] }],
      "workflow.tasks[0].depends_on[0] must not make a task wait for itself: a → a",
    ],
    [
      [{ taskId: "a", dependsOn: ["b"] }],
      'workflow.tasks[0].depends_on[0] must be the id of a task of this workflow; "b" is none',
    ],
    [[{ taskId: "a" }, { taskId: "a" }], "workflow.tasks[1].task_id must differ from that of workflow.tasks[0]"],
    [
      Array.from({ length: 100 }, (_, i) => ({ taskId: `t${i}`, dependsOn: [`t${(i + 1) % 100}`] })),
      "workflow.tasks[99].depends_on[0] must not make a task wait for itself: t99 → t0 → t1 → t2 → (93 more) → t96 → t97 → t98 → t99",
    ],
  ])("say what is wrong with a graph", async (tasks, message) => {
    expect((await failure("INVALID_FIELD", () => put({ tasks }))).message).toBe(message);
  });
});

describe("TriggerWorkflow", () => {
  test("starts a session whose tasks are in order, bound to the agent", async () => {
    await put(FULL);
    const session = await trigger({ sessionId: "s", metadata: { why: "test" } });
    expect(session).toMatchObject({
      sessionId: "s",
      agentId: "a",
      workflowId: "w",
      status: SessionStatus.STARTED,
      metadata: { why: "test" },
    });
    const tasks = await tasksOf(session);
    expect(tasks.map(({ taskId, status }) => [taskId, status])).toEqual([
      ["left", TaskStatus.READY],
      ["right", TaskStatus.READY],
      ["sum", TaskStatus.PENDING],
    ]);
    for (const task of tasks) expect(task).toMatchObject({ boundAgentId: "a", agentCapability: "", workflowId: "w" });
    expect(tasks[2]).toMatchObject({ displayName: "Sum up", priority: -3, attemptsLeft: 5, timeout: { seconds: 9n } });
  });

  test("gives the capability to the tasks that have none, and needs none when all have one", async () => {
    await put(FULL);
    const session = await trigger({ target: { case: "capability", value: "any" } });
    expect(session.agentId).toBe("");
    expect(
      (await tasksOf(session)).map(({ agentCapability, boundAgentId }) => [agentCapability, boundAgentId]),
    ).toEqual([
      ["count", ""],
      ["any", ""],
      ["sum", ""],
    ]);
    await put({ tasks: [{ taskId: "t", agentCapability: "x" }] });
    const [task] = await tasksOf(await trigger({ target: { case: undefined } }));
    expect(task?.agentCapability).toBe("x");
  });

  test("refuses a task that nobody would get, by its name", async () => {
    await put(FULL);
    const target = { case: undefined };
    const error = await failure("INVALID_FIELD", () => trigger({ target }));
    expect(error.message).toBe('capability must be set: no agent would get task "right", which names no capability');
    const inline = { case: "workflow", value: FULL };
    expect(await refusedFields(() => trigger({ target, definition: inline }))).toEqual([
      "workflow.tasks[2].agent_capability",
    ]);
    expect((await h.sessions.listSessions({})).sessions).toEqual([]);
  });

  test("hands the payload to the tasks without dependencies, in place of their parameters", async () => {
    await put(FULL);
    const tasks = await tasksOf(await trigger({ initialPayload: { go: true } }));
    expect(tasks.map(({ taskId, parameters }) => [taskId, parameters])).toEqual([
      ["left", { go: true }],
      ["right", { go: true }],
      ["sum", { of: [1, 2] }],
    ]);
  });

  test("refuses a payload that is too much for so many tasks", async () => {
    await put({ tasks: Array.from({ length: 100 }, (_, i) => ({ taskId: `t${i}` })) });
    const of = (bytes: number) => ({ initialPayload: { text: "x".repeat(bytes - '{"text":""}'.length) } });
    await trigger(of(41_943));
    expect(await refusedFields(() => trigger(of(41_944)))).toEqual(["initial_payload"]);
  });

  test("runs a workflow that is not stored, named or not", async () => {
    const value = { tasks: [{ taskId: "t" }] };
    const unnamed = await trigger({ definition: { case: "workflow", value } });
    expect(unnamed.workflowId).toBe("");
    const named = await trigger({ definition: { case: "workflow", value: { ...value, workflowId: "inline" } } });
    expect(named.workflowId).toBe("inline");
    expect(await tasksOf(named)).toMatchObject([{ taskId: "t", workflowId: "inline" }]);
    await failure("WORKFLOW_NOT_FOUND", () => h.workflows.getWorkflow({ workflowId: "inline" }));
  });

  test("keeps the tasks as they were, whatever becomes of the workflow", async () => {
    await put({ tasks: [{ taskId: "old" }] });
    const session = await trigger();
    await put({ tasks: [{ taskId: "new" }] });
    await h.workflows.deleteWorkflow({ workflowId: "w" });
    expect((await tasksOf(session)).map(({ taskId }) => taskId)).toEqual(["old"]);
  });

  test("is over at once when there is nothing to do", async () => {
    await put({});
    const session = await trigger({ requestId: "r" });
    expect(session.status).toBe(SessionStatus.COMPLETED);
    expect(session.endTime).toBeDefined();
    expect(await trigger({ requestId: "r" })).toEqual(session);
    expect((await h.sessions.listSessions({})).sessions).toEqual([session]);
    expect((await trigger()).status).toBe(SessionStatus.COMPLETED);
  });

  test("is safe to repeat with a request id, also when the workflow is gone by then", async () => {
    await put({ tasks: [{ taskId: "t" }] });
    const session = await trigger({ requestId: "r" });
    expect(await trigger({ requestId: "r" })).toEqual(session);
    await h.workflows.deleteWorkflow({ workflowId: "w" });
    expect(await trigger({ requestId: "r" })).toEqual(session);
    await failure("WORKFLOW_NOT_FOUND", () => trigger({ requestId: "another" }));
    await failure("WORKFLOW_NOT_FOUND", () => trigger());
    expect((await h.sessions.listSessions({})).sessions).toEqual([session]);
  });

  test("fails for what is not there, and for an id that is taken", async () => {
    await failure("WORKFLOW_NOT_FOUND", () => trigger());
    await put({ tasks: [{ taskId: "t" }] });
    await failure("AGENT_NOT_FOUND", () => trigger({ target: { case: "agentId", value: "nobody" } }));
    await trigger({ sessionId: "s" });
    await failure("SESSION_ALREADY_EXISTS", () => trigger({ sessionId: "s" }));
    const other = h.as({ namespace: "other" });
    await failure("WORKFLOW_NOT_FOUND", () =>
      other.workflows.triggerWorkflow({ definition: { case: "workflowId", value: "w" } }),
    );
  });
});

describe("CancelWorkflow", () => {
  test("calls off the session and its tasks", async () => {
    await put({ tasks: [{ taskId: "one" }, { taskId: "two", dependsOn: ["one"] }] });
    const { sessionId } = await trigger();
    await lease(h, { sessionId, taskId: "one", agentId: "a" });
    const { session } = await h.workflows.cancelWorkflow({ sessionId, message: "not today" });
    expect(session).toMatchObject({ status: SessionStatus.CANCELLED, error: "not today" });
    for (const task of await tasksOf({ sessionId })) expect(task.status).toBe(TaskStatus.CANCELLED);
    const ended = await failure("SESSION_ENDED", () => h.workflows.cancelWorkflow({ sessionId }));
    expect(ended.metadata).toMatchObject({ status: "CANCELLED" });
    await failure("SESSION_NOT_FOUND", () => h.workflows.cancelWorkflow({ sessionId: "none" }));
  });
});
