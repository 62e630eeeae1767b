import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { describe, expect, it, onTestFinished } from "vitest";
import { TaskService } from "../../gen/opscore/v1/task_service_pb.js";
import { WorkflowService } from "../../gen/opscore/v1/workflow_service_pb.js";
import { createMemoryStorage } from "../../src/storage/memory/index.js";
import { root } from "../helpers/repository.js";
import { startServer } from "../helpers/server.js";
import { register, send } from "../transport/http/harness.js";

const workflowsDir = join(root, "examples/workflows");

const workflows = ({ url }: { readonly url: string }) =>
  createClient(WorkflowService, createGrpcTransport({ baseUrl: url }));

describe("a directory of workflows", () => {
  it("is stored before the first call is taken, and not again at the next start", async () => {
    const storage = createMemoryStorage();
    onTestFinished(() => storage.close());
    const first = await startServer({ workflowsDir }, { storage });
    const { workflow } = await workflows(first).getWorkflow({ workflowId: "sample_workflow_id" });
    expect(workflow?.tasks.map(({ taskId, dependsOn }) => [taskId, dependsOn])).toEqual([
      ["step_1", []],
      ["step_2", ["step_1"]],
    ]);
    expect(first.logs.find(({ msg }) => msg === "workflows loaded")).toMatchObject({
      stored: ["report", "sample_workflow_id"],
      unchanged: 0,
    });
    const second = await startServer({ workflowsDir }, { storage });
    const again = await workflows(second).getWorkflow({ workflowId: "sample_workflow_id" });
    expect(again.workflow).toEqual(workflow);
  });

  it("can be triggered by the older route", async () => {
    const { url } = await startServer({ workflowsDir });
    await register(url, "a");
    const body = { workflowDefinitionId: "sample_workflow_id", agentId: "a", initialPayload: { n: 1 } };
    const { status, text } = await send(url, "/v1/opscore/agent/a/workflow", { body });
    expect(status).toBe(202);
    const { sessionId, workflowId } = JSON.parse(text) as Record<string, string>;
    expect(workflowId).toBe("sample_workflow_id");
    const tasks = createClient(TaskService, createGrpcTransport({ baseUrl: url }));
    const listed = await tasks.listTasks({ sessionId: sessionId ?? "" });
    expect(listed.tasks.map(({ taskId, parameters }) => [taskId, parameters])).toEqual([
      ["step_1", { n: 1 }],
      ["step_2", expect.anything()],
    ]);
  });

  it("keeps the server from starting when there is something wrong with it", async () => {
    const path = await mkdtemp(join(tmpdir(), "opscore-workflows-"));
    onTestFinished(() => rm(path, { recursive: true }));
    await writeFile(join(path, "a.yaml"), "workflow_id: a\ntasks:\n  - task_id: t\n    depends_on: [t]\n");
    await expect(startServer({ workflowsDir: path })).rejects.toThrow(
      `${path}/a.yaml:4:18: tasks[0].depends_on[0] must not make a task wait for itself: t → t`,
    );
    await expect(startServer({ workflowsDir: join(path, "none") })).rejects.toThrow(
      `${path}/none: cannot be read: no such file or directory`,
    );
  });
});
