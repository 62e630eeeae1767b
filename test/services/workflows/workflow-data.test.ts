import { describe, expect, test } from "vitest";
import type { Workflow } from "../../../gen/opscore/v1/workflow_service_pb.js";
import { Violations } from "../../../src/services/validation/index.js";
import { readWorkflowData } from "../../../src/services/workflows/workflow-data.js";
import { refusedFields } from "../harness.js";

function read(data: unknown): Workflow {
  const bad = new Violations();
  const workflow = readWorkflowData(bad, data, () => undefined);
  bad.throwIfAny();
  return workflow;
}

describe("readWorkflowData", () => {
  test("reads a chain of tasks in the older format", () => {
    const workflow = read({
      id: "w",
      name: "Flow",
      version: "1.0",
      description: null,
      tasks: [
        { taskId: "one", name: "First", agentCapability: "c", parameters: { a: 1 }, nextTaskId: "two" },
        { taskId: "two", name: "Second", agentCapability: "c", parameters: {}, nextTaskId: null },
      ],
    });
    expect(workflow).toMatchObject({ workflowId: "w", displayName: "Flow", description: "", version: "1.0" });
    expect(workflow.tasks).toMatchObject([
      { taskId: "one", displayName: "First", agentCapability: "c", parameters: { a: 1 }, dependsOn: [] },
      { taskId: "two", displayName: "Second", parameters: {}, dependsOn: ["one"] },
    ]);
  });

  test("joins what has the same successor, each once", () => {
    const { tasks } = read({
      tasks: [
        { taskId: "a", nextTaskId: "c" },
        { taskId: "b", nextTaskId: "c" },
        { taskId: "c", dependsOn: ["a"] },
      ],
    });
    expect(tasks.at(-1)?.dependsOn).toEqual(["a", "b"]);
  });

  test.each<[string, unknown, string[]]>([
    ["a list", [], ["workflow"]],
    ["nothing", null, ["workflow"]],
    ["a task that is none", { tasks: ["a", null, {}] }, ["tasks[0]", "tasks[1]"]],
    [
      "types",
      { id: 1, tasks: [{ taskId: {}, parameters: "p" }] },
      ["workflow_id", "tasks[0].task_id", "tasks[0].parameters"],
    ],
    ["an unknown successor", { tasks: [{ taskId: "a", nextTaskId: "b" }] }, ["tasks[0].next_task_id"]],
  ])("refuses %s by the fields", async (_, data, fields) => {
    expect(await refusedFields(() => read(data))).toEqual(fields);
  });
});
