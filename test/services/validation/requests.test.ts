/** Every field of every request, each with every way of being wrong, alone and together. */
import { beforeEach, describe, expect, test } from "vitest";
import type { State } from "../../../gen/opscore/v1/common_pb.js";
import * as agentService from "../../../gen/opscore/v1/agent_service_pb.js";
import * as sessionService from "../../../gen/opscore/v1/session_service_pb.js";
import * as stateService from "../../../gen/opscore/v1/state_service_pb.js";
import * as taskService from "../../../gen/opscore/v1/task_service_pb.js";
import * as workflowService from "../../../gen/opscore/v1/workflow_service_pb.js";
import { AGENT_METHODS } from "./requests/agents.js";
import type { Methods } from "./requests/method.js";
import { SESSION_METHODS } from "./requests/sessions.js";
import { STATE_METHODS } from "./requests/states.js";
import { TASK_METHODS } from "./requests/tasks.js";
import { WORKFLOW_METHODS } from "./requests/workflows.js";
import { createHarness, failure, lease, refusedFields, type Harness } from "../harness.js";

let h: Harness;
beforeEach(() => {
  h = createHarness();
});

const methods: Methods = {
  ...AGENT_METHODS,
  ...STATE_METHODS,
  ...SESSION_METHODS,
  ...WORKFLOW_METHODS,
  ...TASK_METHODS,
};

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
    await call(h, base);
  });

  test("has a case for every field", () => {
    const covered = [...Object.keys(bad), ...harmless];
    expect(covered.sort()).toEqual(schema.fields.map(({ name }) => name).sort());
  });

  const cases = Object.entries(bad).flatMap(([field, values]) =>
    values.map(([value, ...paths], i) => ({ title: `${field}, case ${i + 1}`, value, paths })),
  );
  test.each(cases)("names the bad field: $title", async ({ value, paths }) => {
    expect(await refusedFields(() => call(h, { ...base, ...value }))).toEqual(paths);
  });

  test("names every bad field at once", async () => {
    const all = Object.values(bad).map((values) => values[0] ?? [{}]);
    const request = all.reduce((merged, [value]) => ({ ...merged, ...value }), base);
    const named = await refusedFields(() => call(h, request));
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
        description:
          "must be one of STATE_UNKNOWN, STATE_INITIALIZING, STATE_IDLE, STATE_ACTIVE, STATE_ERROR, STATE_FINISHED; 9 is none of them",
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
