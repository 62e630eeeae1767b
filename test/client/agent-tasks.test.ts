/** Tasks as an agent takes them, over real sockets from the real server. */
import { describe, expect, test } from "vitest";
import { SessionStatus } from "../../gen/opscore/v1/session_service_pb.js";
import { State } from "../../gen/opscore/v1/common_pb.js";
import { TaskStatus } from "../../gen/opscore/v1/task_service_pb.js";
import { TaskEndedError } from "../../src/client/index.js";
import { startServer } from "../helpers/server.js";
import { rejection } from "./helpers/failures.js";
import { aborted, agentOf, AT_ONCE, CHAIN, clientOf, ended, next, trigger } from "./helpers/tasks.js";

describe("an agent", () => {
  test("works through a workflow, and its states say so", async () => {
    const { url } = await startServer();
    const client = clientOf(url);
    const agent = await agentOf(client);
    const session = await trigger(client, CHAIN);
    const done = ended(client);
    for await (const task of agent.tasks()) {
      expect(task).toMatchObject({ sessionId: session.sessionId, attempt: 1 });
      expect(task.deadline?.getTime()).toBeGreaterThan(0);
      if (task.taskId === "one") {
        expect(task.parameters).toEqual({ n: 1 });
        await task.complete({ n: 2 });
      } else {
        expect(task.inputs).toEqual({ one: { n: 2 } });
        await task.complete();
        break;
      }
    }
    expect(await done).toMatchObject({ status: SessionStatus.COMPLETED, result: { one: { n: 2 }, two: {} } });
    await agent.stop({ state: State.FINISHED });
    const { events } = await client.states.getStateHistory({ agentId: "a" });
    expect(events.map(({ state }) => [State[state?.state ?? 0], state?.taskId, state?.reason])).toEqual([
      ["UNKNOWN", "", ""],
      ["IDLE", "", ""],
      ["ACTIVE", "one", ""],
      ["IDLE", "", ""],
      ["ACTIVE", "two", ""],
      ["IDLE", "", ""],
      ["INITIALIZING", "", "NotTakingTasks"],
      ["FINISHED", "", ""],
    ]);
  });

  test("fails a task, which is tried again, until there is no use in it", async () => {
    const { url } = await startServer();
    const client = clientOf(url);
    const tasks = (await agentOf(client)).tasks();
    await trigger(client, [{ taskId: "one", retry: AT_ONCE }]);
    const first = await next(tasks);
    await first.fail(new RangeError("é".repeat(2_000)));
    expect(first.signal.aborted).toBe(false);
    await expect(first.complete()).rejects.toThrow("answered already");
    const second = await next(tasks);
    expect(second.attempt).toBe(2);
    const { reason, error } = second.message;
    expect(reason).toBe("RangeError");
    expect(error).toBe("é".repeat(510) + "…");
    await second.fail("no use", { reason: "OutOfScope", permanent: true });
    expect(await ended(client)).toMatchObject({
      status: SessionStatus.FAILED,
      error: "task one failed: OutOfScope: no use",
    });
  });

  test("is told when its task is called off", async () => {
    const { url } = await startServer();
    const client = clientOf(url);
    const tasks = (await agentOf(client)).tasks();
    await trigger(client, [{ taskId: "one" }]);
    const task = await next(tasks);
    const end = aborted(task);
    await client.workflows.cancelWorkflow({ sessionId: "s" });
    expect(await end).toMatchObject({ name: "TaskEndedError", end: "cancelled" });
    await expect(task.complete()).rejects.toThrow(TaskEndedError);
    await trigger(client, [{ taskId: "two" }], "t");
    await (await next(tasks)).complete();
    expect((await ended(client, "t")).status).toBe(SessionStatus.COMPLETED);
  });

  test("is told when the attempt is not its own any more", async () => {
    const { url, server } = await startServer();
    const client = clientOf(url);
    const tasks = (await agentOf(client)).tasks();
    await trigger(client, [{ taskId: "one", retry: AT_ONCE }]);
    const first = await next(tasks);
    const end = aborted(first);
    const key = { namespace: "default", sessionId: "s", taskId: "one", attempt: 1 };
    await server.storage.failTask({ ...key, reason: "LeaseExpired", error: "", permanent: false, jitter: 0 });
    expect(await end).toMatchObject({ end: "lost" });
    const second = await next(tasks);
    expect(second.attempt).toBe(2);
    await second.complete();
    expect((await ended(client)).status).toBe(SessionStatus.COMPLETED);
  });

  test("answers otherwise when an answer is refused", async () => {
    const { url } = await startServer();
    const client = clientOf(url);
    const tasks = (await agentOf(client)).tasks();
    await trigger(client, [{ taskId: "one" }]);
    const task = await next(tasks);
    const failure = await rejection(task.complete({ text: "x".repeat(65_536) }));
    expect(failure.rawMessage).toContain("result must be at most");
    await task.complete({ text: "x" });
    expect((await ended(client)).status).toBe(SessionStatus.COMPLETED);
  });

  test("fails a task with whatever was thrown", async () => {
    const { url } = await startServer();
    const client = clientOf(url);
    const tasks = (await agentOf(client)).tasks();
    const circle: { self?: unknown } = {};
    circle.self = circle;
    const thrown = [circle, 10n, { status: 429 }, undefined, Symbol("s")];
    await trigger(client, [{ taskId: "one", retry: { ...AT_ONCE, maxAttempts: thrown.length } }]);
    const told: string[] = [];
    for (const each of thrown) {
      await (await next(tasks)).fail(each);
      const { task } = await client.tasks.getTask({ sessionId: "s", taskId: "one" });
      told.push(task?.error ?? "");
    }
    expect(told).toEqual(["[object Object]", "10", '{"status":429}', "", ""]);
  });

  test("works on several at a time, as many as it said", async () => {
    const { url } = await startServer();
    const client = clientOf(url);
    const agent = await agentOf(client, { maxConcurrentTasks: 3 });
    const tasks = agent.tasks();
    await trigger(
      client,
      Array.from({ length: 5 }, (_, i) => ({ taskId: `t${i}` })),
    );
    const working = [await next(tasks), await next(tasks), await next(tasks)];
    const { tasks: leased } = await client.tasks.listTasks({ agentId: "a", statuses: [TaskStatus.LEASED] });
    expect(leased).toHaveLength(3);
    for (let done = 0; done < 5; done += 1) {
      await working.shift()?.complete();
      if (done < 2) working.push(await next(tasks));
    }
    expect((await ended(client)).status).toBe(SessionStatus.COMPLETED);
  });

  test("gives back what it has not answered when it stops", async () => {
    const { url } = await startServer();
    const client = clientOf(url);
    const first = await agentOf(client);
    await trigger(client, [{ taskId: "one", retry: AT_ONCE }]);
    const task = await next(first.tasks());
    const end = aborted(task);
    await first.stop({ state: State.FINISHED });
    expect(await end).toMatchObject({ end: "stopped" });
    const second = await agentOf(client, { agentId: "b" });
    for await (const again of second.tasks()) {
      expect(again).toMatchObject({ attempt: 2, message: { reason: "AgentStopped" } });
      await again.complete();
      break;
    }
    expect((await ended(client)).status).toBe(SessionStatus.COMPLETED);
  });

  test("gives back the task of a loop that was left by an error", async () => {
    const { url } = await startServer();
    const client = clientOf(url);
    const agent = await agentOf(client);
    await trigger(client, [{ taskId: "one", retry: { maxAttempts: 1 } }]);
    const loop = async () => {
      for await (const task of agent.tasks()) throw new Error(`cannot do ${task.taskId}`);
    };
    await expect(loop()).rejects.toThrow("cannot do one");
    expect(await ended(client)).toMatchObject({
      error: "task one failed: AgentStopped: the agent stopped before it was done",
    });
  });

  test("takes no more when another process takes its place", async () => {
    const { url } = await startServer();
    const client = clientOf(url);
    const first = await agentOf(client, { leaseTtlMs: 100 });
    const tasks = first.tasks();
    await trigger(client, [{ taskId: "one", retry: AT_ONCE }]);
    const end = aborted(await next(tasks));
    const second = await agentOf(client, { leaseTtlMs: 100 });
    expect(await end).toMatchObject({ end: "lost" });
    const again = await next(second.tasks());
    expect(again.attempt).toBe(2);
    await again.complete();
    expect(await tasks.next()).toEqual({ done: true, value: undefined });
    expect(() => first.tasks()).toThrow("was replaced by incarnation 2");
  });

  test("gets nothing of what is given to the process that took its place, also before it knows of it", async () => {
    const { url } = await startServer();
    const client = clientOf(url);
    const first = await agentOf(client);
    const late = first.tasks().next();
    // What its open watch makes it say.
    await client.states.waitForState({ agentId: "a", states: [State.IDLE] });
    const second = await agentOf(client);
    await trigger(client, CHAIN);
    for await (const task of second.tasks()) {
      expect(task.message).toMatchObject({ attempt: 1, agentIncarnation: 2n });
      await task.complete();
      if (task.taskId === "two") break;
    }
    expect((await ended(client)).status).toBe(SessionStatus.COMPLETED);
    expect(first.status).toBe("connected");
    await expect(first.idle()).rejects.toThrow("was replaced by incarnation 2");
    expect(await late).toEqual({ done: true, value: undefined });
  });

  test("gets none again that it is about to give back, and does not stop before it has", async () => {
    const { url } = await startServer();
    const client = clientOf(url);
    const agent = await agentOf(client);
    const tasks = agent.tasks();
    await trigger(client, [{ taskId: "one" }]);
    const end = aborted(await next(tasks));
    const closing = tasks.close();
    const late = tasks.next();
    expect(() => agent.tasks()).toThrow("already");
    await agent.stop();
    expect(await end).toMatchObject({ end: "stopped" });
    const { task } = await client.tasks.getTask({ sessionId: "s", taskId: "one" });
    expect(task?.reason).toBe("AgentStopped");
    await closing;
    expect(await late).toEqual({ done: true, value: undefined });
  });

  test("takes tasks once at a time, and only on its stream", async () => {
    const { url } = await startServer();
    const client = clientOf(url);
    const agent = await agentOf(client);
    const tasks = agent.tasks();
    expect(() => agent.tasks()).toThrow("already");
    await tasks.close();
    expect(await tasks.next()).toEqual({ done: true, value: undefined });
    await agent.tasks().close();
    const pushed = await agentOf(client, { agentId: "b", contactEndpoint: "http://b.example" });
    expect(() => pushed.tasks()).toThrow("taskDelivery must be STREAM");
  });
});
