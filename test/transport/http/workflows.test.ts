/** Work that is started over HTTP. */
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { SessionService, SessionStatus } from "../../../gen/opscore/v1/session_service_pb.js";
import { TaskService, TaskStatus } from "../../../gen/opscore/v1/task_service_pb.js";
import { WorkflowService } from "../../../gen/opscore/v1/workflow_service_pb.js";
import { startServerUnowned, type TestServer } from "../../helpers/server.js";
import { register, send } from "./harness.js";

let running: TestServer;
const PATH = "/v1/opscore/agent/a/workflow";
const TRIGGERED = "Workflow triggered successfully";

const clients = () => {
  const transport = createGrpcTransport({ baseUrl: running.url });
  return {
    workflows: createClient(WorkflowService, transport),
    sessions: createClient(SessionService, transport),
    tasks: createClient(TaskService, transport),
  };
};
const trigger = (body: object | string, path = PATH) => send(running.url, path, { body });
const chain = [
  { taskId: "one", name: "First", agentCapability: "write", parameters: { n: 1 }, nextTaskId: "two" },
  { taskId: "two", name: "Second", agentCapability: "review", parameters: { n: 2 }, nextTaskId: null },
];
const inline = (more: object = {}) => ({ workflowDefinition: { id: "inline", name: "Inline", tasks: chain, ...more } });

beforeAll(async () => {
  running = await startServerUnowned();
  await register(running.url, "a");
  await clients().workflows.putWorkflow({
    workflow: {
      workflowId: "sample_workflow_id",
      tasks: [{ taskId: "step_1" }, { taskId: "step_2", dependsOn: ["step_1"] }],
    },
  });
  await clients().workflows.putWorkflow({ workflow: { workflowId: "empty" } });
});

afterAll(() => running.server.close());

/** What became of a trigger, as others see it. */
async function outcomeOf(body: object) {
  const { status, text } = await trigger(body);
  expect(status).toBe(202);
  const { sessionId, ...rest } = JSON.parse(text) as { sessionId: string; workflowId: string; message: string };
  const { sessions, tasks } = clients();
  const { session } = await sessions.getSession({ sessionId });
  const listed = await tasks.listTasks({ sessionId });
  const facts = listed.tasks.map(({ taskId, status: state, parameters, dependsOn }) => ({
    taskId,
    state,
    parameters,
    dependsOn,
  }));
  return { ...rest, session, tasks: facts };
}

describe("POST …/workflow", () => {
  it("starts a stored workflow, with a payload and what the load tests send besides", async () => {
    const outcome = await outcomeOf({
      workflowDefinitionId: "sample_workflow_id",
      initialPayload: { topic: "x" },
      agentId: "a",
      context: {},
    });
    expect(outcome).toMatchObject({ workflowId: "sample_workflow_id", message: TRIGGERED });
    expect(outcome.session).toMatchObject({ agentId: "a", workflowId: "sample_workflow_id" });
    expect(outcome.tasks).toEqual([
      { taskId: "step_1", state: TaskStatus.READY, parameters: { topic: "x" }, dependsOn: [] },
      { taskId: "step_2", state: TaskStatus.PENDING, parameters: undefined, dependsOn: ["step_1"] },
    ]);
  });

  it("starts a workflow that comes with it, whose tasks name the next one", async () => {
    const outcome = await outcomeOf({ ...inline(), workflowDefinitionId: null, initialPayload: null });
    expect(outcome).toMatchObject({ workflowId: "inline", message: TRIGGERED });
    expect(outcome.tasks).toEqual([
      { taskId: "one", state: TaskStatus.READY, parameters: { n: 1 }, dependsOn: [] },
      { taskId: "two", state: TaskStatus.PENDING, parameters: { n: 2 }, dependsOn: ["one"] },
    ]);
  });

  it("gives the payload to the first task in place of its parameters", async () => {
    const { tasks } = await outcomeOf({ ...inline(), initialPayload: {} });
    expect(tasks.map(({ parameters }) => parameters)).toEqual([{}, { n: 2 }]);
  });

  it.each([
    ["that is stored", { workflowDefinitionId: "empty" }, "empty"],
    ["that comes with it", inline({ tasks: [] }), "inline"],
  ])("ends a workflow without tasks %s at once", async (_, body, workflowId) => {
    const { session, ...rest } = await outcomeOf(body);
    expect(rest).toEqual({ workflowId, message: "Workflow triggered but has no tasks.", tasks: [] });
    expect(session?.status).toBe(SessionStatus.COMPLETED);
  });

  const detail = (value: unknown): string => JSON.stringify({ detail: value });
  const fault = (loc: (string | number)[], msg: string, type: string) => detail([{ loc: ["body", ...loc], msg, type }]);
  const value = (loc: (string | number)[], msg: string) => fault(loc, `Value error, ${msg}`, "value_error");
  const one = "exactly one of workflowDefinitionId and workflowDefinition must be given";
  const definition = (...steps: (string | number)[]) => ["workflowDefinition", ...steps];
  const withTask = (task: unknown) => inline({ tasks: [chain[1], task] });

  it.each<[string, object, number, string]>([
    ["neither definition nor id", {}, 422, value([], one)],
    ["nothing but null", { workflowDefinitionId: null, workflowDefinition: null }, 422, value([], one)],
    ["both", { ...inline(), workflowDefinitionId: "x" }, 422, value([], one)],
    [
      "a payload that is a list",
      { ...inline(), initialPayload: [] },
      422,
      fault(["initialPayload"], "Input should be a valid dictionary", "dict_type"),
    ],
    [
      "an id that is none",
      { workflowDefinitionId: "a b" },
      422,
      value(["workflowDefinitionId"], "must be 1 to 128 characters of [A-Za-z0-9._:-]"),
    ],
    [
      "a definition that is none",
      { workflowDefinition: [] },
      422,
      fault(
        definition(),
        "Input should be a valid dictionary or object to extract fields from",
        "model_attributes_type",
      ),
    ],
    [
      "a definition without tasks",
      { workflowDefinition: { id: "x", name: "x" } },
      422,
      fault(definition("tasks"), "Field required", "missing"),
    ],
    [
      "a task that is none",
      withTask("one"),
      422,
      fault(definition("tasks", 1), "Input should be a valid dictionary", "dict_type"),
    ],
    [
      "a task with a wrong field",
      withTask({ taskId: 1 }),
      422,
      fault(definition("tasks", 1, "taskId"), "Input should be a valid string", "string_type"),
    ],
    [
      "a task that leads nowhere",
      withTask({ taskId: "x", nextTaskId: "y" }),
      422,
      value(definition("tasks", 1, "nextTaskId"), "must be the taskId of a task of this workflow"),
    ],
    [
      "two tasks of one name",
      withTask({ taskId: "two" }),
      422,
      value(definition("tasks", 1, "taskId"), "must differ from that of workflow.tasks[0]"),
    ],
    [
      "tasks in a circle",
      withTask({ taskId: "x", nextTaskId: "x" }),
      422,
      value(definition("tasks", 1, "nextTaskId", 0), "must not make a task wait for itself: x → x"),
    ],
    [
      "a definition with an id that is none",
      inline({ id: "a b" }),
      422,
      value(definition("id"), "must be 1 to 128 characters of [A-Za-z0-9._:-]"),
    ],
    [
      "a first task without an id",
      inline({ tasks: [{ name: "x" }] }),
      400,
      detail("Task 1 of the workflow has no taskId"),
    ],
    ["a later task without an id", withTask({ taskId: null }), 400, detail("Task 2 of the workflow has no taskId")],
    [
      "a workflow that is not there",
      { workflowDefinitionId: "nope" },
      404,
      detail("Workflow definition not found: nope"),
    ],
  ])("refuses %s", async (_, body, status, text) => {
    const answer = await trigger(body);
    expect([answer.status, answer.text]).toEqual([status, text]);
  });

  it.each([
    ["nobody", "nobody"],
    ["a%20b", "a b"],
  ])("refuses the agent %s, after everything else", async (path, agentId) => {
    const at = `/v1/opscore/agent/${path}/workflow`;
    for (const body of [inline(), { workflowDefinitionId: "sample_workflow_id" }]) {
      const answer = await trigger(body, at);
      expect([answer.status, answer.text]).toEqual([404, detail(`Agent not found: ${agentId}`)]);
    }
    expect((await trigger(inline({ tasks: [{}] }), at)).status).toBe(400);
    expect((await trigger({}, at)).status).toBe(422);
  });
});
