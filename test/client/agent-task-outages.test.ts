/** Tasks as an agent takes them while lines are cut and servers forget. */
import { Code } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { State } from "../../gen/opscore/v1/common_pb.js";
import { SessionStatus } from "../../gen/opscore/v1/session_service_pb.js";
import { TaskStatus } from "../../gen/opscore/v1/task_service_pb.js";
import { TaskEndedError } from "../../src/client/index.js";
import { startServer } from "../helpers/server.js";
import { rejection } from "./helpers/failures.js";
import { FakeScheduler } from "./helpers/fake-scheduler.js";
import { Proxy } from "./helpers/proxy.js";
import { RestartableServer } from "./helpers/restartable-server.js";
import { aborted, agentOf, AT_ONCE, CHAIN, clientOf, ended, next, reached, trigger } from "./helpers/tasks.js";

describe("over a line that is cut", () => {
  test("each task is handed over once, and all are done", async () => {
    const { url } = await startServer();
    const direct = clientOf(url);
    const proxy = await Proxy.start(url);
    const agent = await agentOf(clientOf(proxy.url), { maxConcurrentTasks: 4 });
    const taskIds = Array.from({ length: 60 }, (_, i) => `t${i}`);
    await trigger(
      direct,
      taskIds.map((taskId) => ({ taskId })),
    );
    const done = ended(direct);
    const handedOver: string[] = [];
    const answers: Promise<void>[] = [];
    for await (const task of agent.tasks()) {
      handedOver.push(`${task.taskId} ${task.attempt}`);
      if (handedOver.length % 7 === 0) proxy.cut();
      answers.push(task.complete({ by: task.attempt }));
      if (handedOver.length === taskIds.length) break;
      if (handedOver.length % 5 === 0) proxy.cut();
    }
    await Promise.allSettled(answers);
    expect(handedOver.sort()).toEqual(taskIds.map((taskId) => `${taskId} 1`).sort());
    expect((await done).status).toBe(SessionStatus.COMPLETED);
  });

  test("a lease that began meanwhile is renewed at once: most of it may have gone by", async () => {
    const { url } = await startServer();
    const direct = clientOf(url);
    const proxy = await Proxy.start(url);
    const scheduler = new FakeScheduler();
    const tasks = (await agentOf(clientOf(proxy.url), { scheduler, leaseTtlMs: 0 })).tasks();
    await direct.waitForState({ agentId: "a", states: [State.IDLE] });
    proxy.sever();
    await trigger(direct, [{ taskId: "one" }]);
    await reached(direct, "one", TaskStatus.LEASED);
    proxy.mend();
    const task = await next(tasks);
    await scheduler.armed(0);
    await task.complete();
    scheduler.advance(60_000);
    await trigger(direct, [{ taskId: "two" }], "s2");
    await next(tasks);
    expect(scheduler.running).not.toContain(0);
  });

  test("an answer reaches the server when it is back", async () => {
    const { url } = await startServer();
    const direct = clientOf(url);
    const proxy = await Proxy.start(url);
    const tasks = (await agentOf(clientOf(proxy.url))).tasks();
    await trigger(direct, CHAIN);
    const task = await next(tasks);
    proxy.sever();
    const answered = task.complete({ n: 2 });
    await proxy.disconnected();
    proxy.mend();
    await answered;
    await (await next(tasks)).complete();
    expect((await ended(direct)).status).toBe(SessionStatus.COMPLETED);
  });
});

test("a loop that fails has given back what it had before it says so, so that the next one gets nothing twice", async () => {
  const { url } = await startServer();
  const direct = clientOf(url);
  const proxy = await Proxy.start(url);
  const client = clientOf(proxy.url);
  let watches = 0;
  const agent = await agentOf(
    {
      ...client,
      watchTasks(filter, options) {
        watches += 1;
        return client.watchTasks(filter, watches === 1 ? { ...options, reconnect: { maxAttempts: 1 } } : options);
      },
    },
    { maxConcurrentTasks: 2 },
  );
  await trigger(direct, [{ taskId: "one", retry: AT_ONCE }]);
  const tasks = agent.tasks();
  const task = await next(tasks);
  const failed = rejection(tasks.next());
  proxy.cut();
  expect((await failed).code).toBe(Code.Unavailable);
  expect(task.signal.reason).toMatchObject({ end: "stopped" });
  expect((await next(agent.tasks())).attempt).toBe(2);
});

test("a server that is restarted without its memory gives tasks that are called as those it forgot", async () => {
  const server = await RestartableServer.start();
  const client = clientOf(server.url);
  const tasks = (await agentOf(client, { maxConcurrentTasks: 2 })).tasks();
  await trigger(client, [{ taskId: "one" }, { taskId: "two" }]);
  const before = new Map([await next(tasks), await next(tasks)].map((task) => [task.taskId, task]));
  await before.get("one")?.complete();
  await server.restart();
  await trigger(client, [{ taskId: "one" }, { taskId: "two" }]);
  for (const task of [await next(tasks), await next(tasks)]) {
    expect(task.attempt).toBe(1);
    await task.complete({ again: task.taskId });
  }
  const { result } = await ended(client);
  expect(result).toEqual({ one: { again: "one" }, two: { again: "two" } });
  await expect(before.get("two")?.complete()).rejects.toThrow(TaskEndedError);
});

test("a server that is restarted without its memory: what it forgot is lost, and new tasks come", async () => {
  const server = await RestartableServer.start();
  const client = clientOf(server.url);
  const agent = await agentOf(client);
  const tasks = agent.tasks();
  await trigger(client, [{ taskId: "one" }]);
  const task = await next(tasks);
  const end = aborted(task);
  await server.restart();
  expect(await end).toMatchObject({ end: "lost" });
  await trigger(client, [{ taskId: "two" }]);
  const other = await next(tasks);
  expect(other.taskId).toBe("two");
  await other.complete();
  expect((await ended(client)).status).toBe(SessionStatus.COMPLETED);
  await reached(client, "two", TaskStatus.COMPLETED);
});
