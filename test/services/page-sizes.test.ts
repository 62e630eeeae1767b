/** Answers with the largest pages, of the data that grows most on the wire, fit into what a gRPC client takes by default. */
import { toBinary } from "@bufbuild/protobuf";
import { beforeEach, expect, test } from "vitest";
import { ListAgentsResponseSchema } from "../../gen/opscore/v1/agent_service_pb.js";
import { State } from "../../gen/opscore/v1/common_pb.js";
import { ListSessionsResponseSchema } from "../../gen/opscore/v1/session_service_pb.js";
import { GetStateHistoryResponseSchema } from "../../gen/opscore/v1/state_service_pb.js";
import { ListTasksResponseSchema } from "../../gen/opscore/v1/task_service_pb.js";
import { ListWebhooksResponseSchema } from "../../gen/opscore/v1/webhook_service_pb.js";
import { ListWorkflowsResponseSchema } from "../../gen/opscore/v1/workflow_service_pb.js";
import { createHarness, refusedFields, type Harness } from "./harness.js";

const CLIENT_TAKES = 4 * 1024 * 1024;
const COUNT = 11;
/** 64 KiB as JSON; each `0,` is eleven bytes on the wire. */
const LARGE = { z: Array.from({ length: 32_700 }, () => 0) };
const ALL = { pageSize: 1_000 };
const ids = Array.from({ length: COUNT }, (_, i) => `i-${String(i).padStart(2, "0")}`);

let h: Harness;
beforeEach(() => {
  h = createHarness();
});

/** Walks through all pages: of their sizes the largest is near what a client takes and none is beyond it. */
async function walk(
  read: (pageToken: string) => Promise<{ size: number; count: number; next: string }>,
): Promise<void> {
  const sizes: number[] = [];
  let count = 0;
  let token = "";
  do {
    const page = await read(token);
    sizes.push(page.size);
    count += page.count;
    token = page.next;
  } while (token !== "");
  expect(Math.max(...sizes)).toBeLessThan(CLIENT_TAKES);
  expect(Math.max(...sizes)).toBeGreaterThan(CLIENT_TAKES / 4);
  expect(count).toBe(COUNT);
}

test("ListAgents", async () => {
  for (const agentId of ids) {
    await h.agents.registerAgent({ agentId, metadata: LARGE });
    await h.states.setState({ agentId, state: State.IDLE, details: LARGE });
  }
  await walk(async (pageToken) => {
    const page = await h.agents.listAgents({ ...ALL, pageToken });
    const size = toBinary(ListAgentsResponseSchema, page).length;
    return { size, count: page.agents.length, next: page.nextPageToken };
  });
});

test("ListSessions", async () => {
  await h.agents.registerAgent({ agentId: "a" });
  for (const sessionId of ids) await h.sessions.startSession({ sessionId, agentId: "a", metadata: LARGE });
  await walk(async (pageToken) => {
    const page = await h.sessions.listSessions({ ...ALL, pageToken });
    const size = toBinary(ListSessionsResponseSchema, page).length;
    return { size, count: page.sessions.length, next: page.nextPageToken };
  });
});

test("GetStateHistory", async () => {
  await h.agents.registerAgent({ agentId: "a", initialState: State.IDLE });
  for (const [i] of ids.slice(1).entries()) {
    await h.states.setState({ agentId: "a", state: i % 2 === 0 ? State.ACTIVE : State.IDLE, details: LARGE });
  }
  await walk(async (pageToken) => {
    const page = await h.states.getStateHistory({ agentId: "a", ...ALL, pageToken });
    const size = toBinary(GetStateHistoryResponseSchema, page).length;
    return { size, count: page.events.length, next: page.nextPageToken };
  });
});

test("ListTasks", async () => {
  await h.agents.registerAgent({ agentId: "a" });
  for (const sessionId of ids) {
    await h.workflows.triggerWorkflow({
      sessionId,
      target: { case: "agentId", value: "a" },
      definition: { case: "workflow", value: { tasks: [{ taskId: "t", parameters: LARGE }] } },
    });
  }
  await walk(async (pageToken) => {
    const page = await h.tasks.listTasks({ ...ALL, pageToken });
    const size = toBinary(ListTasksResponseSchema, page).length;
    return { size, count: page.tasks.length, next: page.nextPageToken };
  });
});

test("ListWorkflows", async () => {
  for (const workflowId of ids) {
    await h.workflows.putWorkflow({ workflow: { workflowId, tasks: [{ taskId: "t", parameters: LARGE }] } });
  }
  await walk(async (pageToken) => {
    const page = await h.workflows.listWorkflows({ ...ALL, pageToken });
    const size = toBinary(ListWorkflowsResponseSchema, page).length;
    return { size, count: page.workflows.length, next: page.nextPageToken };
  });
});

test("ListWebhooks", async () => {
  const agentIds = Array.from({ length: 4_000 }, (_, i) => `${"a".repeat(120)}-${i}`);
  for (const webhookId of ids) {
    await h.webhooks.createWebhook({
      webhookId,
      url: "https://receiver.test/",
      secret: "s".repeat(32),
      filter: { agentIds },
    });
  }
  let count = 0;
  let pageToken = "";
  do {
    const page = await h.webhooks.listWebhooks({ ...ALL, pageToken });
    expect(toBinary(ListWebhooksResponseSchema, page).length).toBeLessThan(CLIENT_TAKES);
    count += page.webhooks.length;
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  expect(count).toBe(COUNT);
});

test("a definition that would be more than a page is refused", async () => {
  const tasks = (count: number) => Array.from({ length: count }, (_, i) => ({ taskId: `t-${i}`, parameters: LARGE }));
  const put = (count: number) => h.workflows.putWorkflow({ workflow: { workflowId: "w", tasks: tasks(count) } });
  await put(7);
  expect(await refusedFields(() => put(9))).toEqual(["workflow.tasks"]);
  const answer = await h.workflows.listWorkflows(ALL);
  expect(toBinary(ListWorkflowsResponseSchema, answer).length).toBeLessThan(CLIENT_TAKES);
});
