import { beforeEach, describe, expect, test } from "vitest";
import { SessionStatus } from "../../../gen/opscore/v1/session_service_pb.js";
import { TaskStatus, type Task } from "../../../gen/opscore/v1/task_service_pb.js";
import { WatchKind } from "../../../gen/opscore/v1/common_pb.js";
import { TaskDelivery } from "../../../src/storage/records.js";
import { createHarness, failure, lease, type Harness } from "../harness.js";

let h: Harness;
beforeEach(async () => {
  h = createHarness();
  await begin();
});

/** A session `s` of two tasks, of which `one` is leased to `a`. */
async function begin(retry: object = {}): Promise<void> {
  await h.agents.registerAgent({ agentId: "a", initialState: 3 });
  await h.workflows.triggerWorkflow({
    sessionId: "s",
    target: { case: "agentId", value: "a" },
    definition: {
      case: "workflow",
      value: {
        tasks: [
          { taskId: "one", retry },
          { taskId: "two", dependsOn: ["one"] },
        ],
      },
    },
  });
  await lease(h, { sessionId: "s", taskId: "one", agentId: "a" });
}

const ONE = { sessionId: "s", taskId: "one", attempt: 1 };

async function get(taskId: string): Promise<Task | undefined> {
  return (await h.tasks.getTask({ sessionId: "s", taskId })).task;
}

describe("RenewTask", () => {
  test("renews for the length of a lease of its delivery, never beyond the attempt's deadline", async () => {
    expect(await h.tasks.renewTask(ONE)).toMatchObject({ ttl: { seconds: 30n }, remaining: { seconds: 30n } });
    h.clock.advance(290_000);
    expect(await h.tasks.renewTask(ONE)).toMatchObject({ ttl: { seconds: 30n }, remaining: { seconds: 10n } });
  });

  test("does not shorten the lease of a task that was sent by a request", async () => {
    await h.tasks.failTask(ONE);
    h.clock.advance(2_000);
    await lease(h, { sessionId: "s", taskId: "one", agentId: "a" }, TaskDelivery.ENDPOINT);
    h.clock.advance(1_000);
    const renewed = await h.tasks.renewTask({ ...ONE, attempt: 2 });
    expect(renewed).toMatchObject({ ttl: { seconds: 300n }, remaining: { seconds: 299n } });
  });

  test("keeps the attempt from running out", async () => {
    for (let i = 0; i < 3; i += 1) {
      h.clock.advance(20_000);
      await h.tasks.renewTask(ONE);
      expect(await h.storage.expireTasks({ jitter: 0 })).toBe(0);
    }
    h.clock.advance(30_100);
    expect(await h.storage.expireTasks({ jitter: 0 })).toBe(1);
    expect(await get("one")).toMatchObject({ status: TaskStatus.READY, reason: "LeaseExpired" });
    await failure("STALE_ATTEMPT", () => h.tasks.renewTask(ONE));
  });

  test("fails for a task that is not there, and for another attempt", async () => {
    await failure("TASK_NOT_FOUND", () => h.tasks.renewTask({ ...ONE, taskId: "three" }));
    await failure("TASK_NOT_FOUND", () => h.tasks.renewTask({ ...ONE, sessionId: "t" }));
    const stale = await failure("STALE_ATTEMPT", () => h.tasks.renewTask({ ...ONE, attempt: 2 }));
    expect(stale.metadata).toEqual({ attempt: "2", current: "1", status: "LEASED" });
  });
});

describe("CompleteTask", () => {
  test("hands the result on and ends the session with the last task", async () => {
    const { task } = await h.tasks.completeTask({ ...ONE, result: { n: 1 } });
    expect(task).toMatchObject({ status: TaskStatus.COMPLETED, result: { n: 1 }, agentId: "a", attempt: 1 });
    expect(await get("two")).toMatchObject({ status: TaskStatus.READY, inputs: { one: { n: 1 } } });
    await lease(h, { sessionId: "s", taskId: "two", agentId: "a" });
    await h.tasks.completeTask({ ...ONE, taskId: "two", result: { n: 2 } });
    expect((await h.sessions.getSession({ sessionId: "s" })).session).toMatchObject({
      status: SessionStatus.COMPLETED,
      result: { one: { n: 1 }, two: { n: 2 } },
    });
  });

  test("gives the same answer again, and refuses any other attempt", async () => {
    const first = await h.tasks.completeTask({ ...ONE, result: { n: 1 } });
    expect(await h.tasks.completeTask({ ...ONE, result: { n: 2 } })).toEqual(first);
    await failure("STALE_ATTEMPT", () => h.tasks.completeTask({ ...ONE, attempt: 2 }));
    await failure("STALE_ATTEMPT", () => h.tasks.failTask(ONE));
    await failure("TASK_NOT_FOUND", () => h.tasks.completeTask({ ...ONE, taskId: "three" }));
  });
});

describe("FailTask", () => {
  test("puts the task back for another attempt", async () => {
    const { task } = await h.tasks.failTask({ ...ONE, reason: "OutOfMemory", error: "too much" });
    expect(task).toMatchObject({
      status: TaskStatus.READY,
      reason: "OutOfMemory",
      error: "too much",
      attempt: 1,
      attemptsLeft: 2,
    });
    const wait = Number(task?.notBefore?.seconds) * 1_000 + Number(task?.notBefore?.nanos) / 1e6 - h.clock.now();
    expect(wait).toBeGreaterThanOrEqual(1_000);
    expect(wait).toBeLessThanOrEqual(1_200);
    expect(await h.tasks.failTask(ONE)).toEqual({ $typeName: "opscore.v1.FailTaskResponse", task });
  });

  test("is final when trying again is no use; the session fails with it", async () => {
    const { task } = await h.tasks.failTask({ ...ONE, permanent: true });
    expect(task).toMatchObject({ status: TaskStatus.FAILED, reason: "Failed" });
    expect((await h.sessions.getSession({ sessionId: "s" })).session).toMatchObject({
      status: SessionStatus.FAILED,
      error: "task one failed: Failed",
    });
  });
});

describe("RetryTask", () => {
  test("takes a task out of the dead letter, and its session with it", async () => {
    await h.tasks.failTask({ ...ONE, permanent: true });
    const { task } = await h.tasks.retryTask({ sessionId: "s", taskId: "one" });
    expect(task).toMatchObject({ status: TaskStatus.READY, attempt: 1, attemptsLeft: 3 });
    expect((await h.sessions.getSession({ sessionId: "s" })).session?.status).toBe(SessionStatus.RUNNING);
    await failure("STATE_MISMATCH", () => h.tasks.retryTask({ sessionId: "s", taskId: "one" }));
    await failure("TASK_NOT_FOUND", () => h.tasks.retryTask({ sessionId: "s", taskId: "three" }));
  });

  test("fails when the session was called off", async () => {
    await h.agents.registerAgent({ agentId: "a", initialState: 3 });
    await h.tasks.failTask({ ...ONE, permanent: true });
    await h.tasks.retryTask({ sessionId: "s", taskId: "one" });
    await lease(h, { sessionId: "s", taskId: "one", agentId: "a" });
    await h.tasks.failTask({ ...ONE, attempt: 2, permanent: true });
    await h.tasks.retryTask({ sessionId: "s", taskId: "one" });
    await h.workflows.cancelWorkflow({ sessionId: "s" });
    await failure("STATE_MISMATCH", () => h.tasks.retryTask({ sessionId: "s", taskId: "one" }));
  });
});

describe("CancelTask", () => {
  test("calls the task off, tells who watches", async () => {
    const events: unknown[] = [];
    const watching = (async () => {
      for await (const message of h.tasks.watchTasks({ agentId: "a" })) {
        if (message.kind === WatchKind.SYNCED) {
          await h.tasks.cancelTask({ sessionId: "s", taskId: "one", message: "never mind" });
        }
        events.push(...message.events);
        if (message.kind === WatchKind.EVENTS) return;
      }
    })();
    await watching;
    expect(events).toMatchObject([
      { task: { taskId: "one", status: TaskStatus.CANCELLED, error: "never mind" }, previousStatus: TaskStatus.LEASED },
    ]);
    await failure("STALE_ATTEMPT", () => h.tasks.completeTask(ONE));
    const ended = await failure("TASK_ENDED", () => h.tasks.cancelTask({ sessionId: "s", taskId: "one" }));
    expect(ended.metadata).toEqual({ task_id: "one", status: "CANCELLED" });
    expect(await get("two")).toMatchObject({ status: TaskStatus.CANCELLED });
  });
});

describe("GetTask and ListTasks", () => {
  test("fail for a task that is not there, also in another namespace", async () => {
    const error = await failure("TASK_NOT_FOUND", () => h.tasks.getTask({ sessionId: "s", taskId: "three" }));
    expect(error.metadata).toEqual({ session_id: "s", task_id: "three" });
    const other = h.as({ namespace: "other" });
    await failure("TASK_NOT_FOUND", () => other.tasks.getTask({ sessionId: "s", taskId: "one" }));
  });

  test.each([
    ["nothing", {}, ["one", "two", "x"]],
    ["session", { sessionId: "s" }, ["one", "two"]],
    ["agent", { agentId: "a" }, ["one"]],
    ["statuses", { statuses: [TaskStatus.READY, TaskStatus.PENDING] }, ["two", "x"]],
    ["all at once", { sessionId: "s", agentId: "a", statuses: [TaskStatus.PENDING] }, []],
  ])("filter by %s", async (_, filter, expected) => {
    await h.workflows.triggerWorkflow({
      target: { case: "capability", value: "c" },
      definition: { case: "workflow", value: { tasks: [{ taskId: "x" }] } },
    });
    const { tasks } = await h.tasks.listTasks(filter);
    expect(tasks.map(({ taskId }) => taskId)).toEqual(expected);
  });

  test("walk the pages, and refuse a token of another query", async () => {
    const first = await h.tasks.listTasks({ sessionId: "s", pageSize: 1 });
    const second = await h.tasks.listTasks({ sessionId: "s", pageSize: 1, pageToken: first.nextPageToken });
    expect([...first.tasks, ...second.tasks].map(({ taskId }) => taskId)).toEqual(["one", "two"]);
    const { nextPageToken: pageToken } = first;
    for (const other of [{}, { sessionId: "s", agentId: "a" }, { sessionId: "s", statuses: [TaskStatus.READY] }]) {
      await failure("INVALID_PAGE_TOKEN", () => h.tasks.listTasks({ ...other, pageToken }));
    }
  });
});
