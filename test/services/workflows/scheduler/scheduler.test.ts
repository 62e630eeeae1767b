/** What the scheduler makes of what happens to agents, tasks and sessions, with a memory storage. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { systemClock } from "../../../../src/lib/clock.js";
import { Scheduler } from "../../../../src/services/workflows/scheduler/scheduler.js";
import { createMemoryStorage } from "../../../../src/storage/memory/index.js";
import { SessionStatus, State, TaskStatus, type TaskPlan } from "../../../../src/storage/records.js";
import type { Storage } from "../../../../src/storage/storage.js";
import { aRegistration, aReport, aSession, aSessionUpdate, NAMESPACE } from "../../../helpers/records.js";
import { TaskLog } from "../../../helpers/task-log.js";
import { aTask } from "../../../helpers/tasks.js";

let storage: Storage;
let log: TaskLog;
let scheduler: Scheduler;
const failures: unknown[] = [];

beforeEach(async () => {
  storage = createMemoryStorage();
  log = await TaskLog.open(storage);
  scheduler = create();
});
afterEach(async () => {
  await scheduler.stop();
  await log.close();
  await storage.close();
  expect(failures.splice(0)).toEqual([]);
});

function create(): Scheduler {
  return new Scheduler(storage, {
    clock: systemClock,
    deliver: () => undefined,
    recall: () => undefined,
    onFailure: (thrown) => failures.push(thrown),
  });
}

async function idleAgent(agentId: string, agent: Parameters<typeof aRegistration>[1] = {}): Promise<void> {
  await storage.registerAgent(aRegistration(agentId, { capabilities: ["work"], ...agent }));
  await storage.setState(aReport(agentId, State.IDLE));
}

async function run(tasks: readonly TaskPlan[], sessionId = "s"): Promise<void> {
  await storage.startSession(aSession(sessionId, "", { tasks }));
}

const work = (taskId: string, task: Partial<TaskPlan> = {}): TaskPlan => aTask(taskId, { capability: "work", ...task });
const key = (taskId: string) => ({ namespace: NAMESPACE, sessionId: "s", taskId });
const failure = { reason: "Broken", error: "", permanent: true, jitter: 0 };

describe("a scheduler", () => {
  it("finds work and agents that were there before it", async () => {
    await idleAgent("a");
    await run([work("t")]);
    await scheduler.start();
    expect(await log.task("t", TaskStatus.LEASED)).toMatchObject({ agentId: "a", agentIncarnation: 1, attempt: 1 });
  });

  it("waits for an agent, and for one that can do the task", async () => {
    await scheduler.start();
    await run([work("t")]);
    await idleAgent("other", { capabilities: ["cook"] });
    await storage.registerAgent(aRegistration("a", { capabilities: ["work"] }));
    await storage.setState(aReport("a", State.INITIALIZING));
    await storage.setState(aReport("a", State.IDLE));
    expect(await log.task("t", TaskStatus.LEASED)).toMatchObject({ agentId: "a" });
  });

  it("puts a task aside whose lease fails for a reason of its own, tells of it once, and leases it when that has passed", async () => {
    const lease = storage.leaseTask.bind(storage);
    const defect = new TypeError("a defect");
    let tries = 0;
    storage.leaseTask = (command) => {
      if (command.taskId === "bad" && (tries += 1) <= 2) throw defect;
      return lease(command);
    };
    await scheduler.start();
    await run([work("bad", { priority: 9 }), work("t")]);
    await idleAgent("a", { maxConcurrentTasks: 2 });
    await log.task("t", TaskStatus.LEASED);
    expect(tries).toBe(1);
    await log.task("bad", TaskStatus.LEASED);
    expect(failures.splice(0)).toEqual([defect]);
  });

  it("sees new capabilities, and more room", async () => {
    await scheduler.start();
    await idleAgent("a", { capabilities: [] });
    await run([work("one"), work("two")]);
    const update = { namespace: NAMESPACE, agentId: "a", expectedRevision: 0, requestId: "", actor: "test" };
    await storage.updateAgent({ ...update, patch: { capabilities: ["work"] } });
    await log.task("one", TaskStatus.LEASED);
    await storage.updateAgent({ ...update, patch: { maxConcurrentTasks: 2 } });
    await log.task("two", TaskStatus.LEASED);
  });

  it.each<[string, () => unknown]>([
    ["completed", () => storage.completeTask({ ...key("one"), attempt: 1, result: undefined })],
    ["failed", () => storage.failTask({ ...key("one"), attempt: 1, ...failure })],
    ["called off", () => storage.cancelTask({ ...key("one"), message: "" })],
    [
      "called off with its session",
      () => storage.updateSession(aSessionUpdate("s", { status: SessionStatus.CANCELLED })),
    ],
  ])("gives an agent the next task when the one before was %s", async (_how, end) => {
    await scheduler.start();
    await idleAgent("a");
    await run([work("one")]);
    await log.task("one", TaskStatus.LEASED);
    await run([work("two")], "next");
    await end();
    expect(await log.task("two", TaskStatus.LEASED)).toMatchObject({ agentId: "a" });
  });

  it("gives a task another agent when its own is gone, without waiting for the lease", async () => {
    await scheduler.start();
    await idleAgent("a");
    await run([work("t")]);
    await log.task("t", TaskStatus.LEASED);
    await idleAgent("b");
    await storage.deregisterAgent({ namespace: NAMESPACE, agentId: "a", incarnation: 0, actor: "test" });
    expect(await log.task("t", TaskStatus.READY, 1)).toMatchObject({ reason: "AgentLost", error: "agent a is gone" });
    expect(await log.task("t", TaskStatus.LEASED, 2)).toMatchObject({ agentId: "b" });
  });

  it("takes a task back from an agent that FINISHED", async () => {
    await scheduler.start();
    await idleAgent("a");
    await run([work("t")]);
    await log.task("t", TaskStatus.LEASED);
    await storage.setState(aReport("a", State.FINISHED));
    expect(await log.task("t", TaskStatus.READY, 1)).toMatchObject({ reason: "AgentLost" });
  });

  it("leaves the tasks of a held session until it goes on", async () => {
    await run([work("one"), work("two", { dependsOn: ["one"] })]);
    await storage.updateSession(aSessionUpdate("s", { status: SessionStatus.PAUSED }));
    await scheduler.start();
    await idleAgent("a");
    await run([work("other", { priority: -1 })], "t");
    // The held ones would have gone first.
    await log.task("other", TaskStatus.LEASED);
    await storage.completeTask({
      namespace: NAMESPACE,
      sessionId: "t",
      taskId: "other",
      attempt: 1,
      result: undefined,
    });
    await storage.updateSession(aSessionUpdate("s", { status: SessionStatus.RUNNING }));
    expect(await log.task("one", TaskStatus.LEASED)).toMatchObject({ attempt: 1 });
  });

  it("does not ask again and again for a task whose time has come, but whose session is held", async () => {
    let leases = 0;
    const lease = storage.leaseTask.bind(storage);
    storage.leaseTask = (command) => {
      if (command.taskId === "late") leases += 1;
      return lease(command);
    };
    await scheduler.start();
    await idleAgent("a");
    await run([work("late", { startDelayMs: 1 })]);
    await storage.updateSession(aSessionUpdate("s", { status: SessionStatus.PAUSED }));
    // Both come later than the other would be asked for again.
    await run([work("later", { startDelayMs: 150 })], "t");
    await log.task("later", TaskStatus.LEASED);
    await storage.completeTask({ ...key("later"), sessionId: "t", attempt: 1, result: undefined });
    await run([work("last", { startDelayMs: 150 })], "u");
    await log.task("last", TaskStatus.LEASED);
    await storage.completeTask({ ...key("last"), sessionId: "u", attempt: 1, result: undefined });
    expect(leases).toBe(1);
    await storage.updateSession(aSessionUpdate("s", { status: SessionStatus.RUNNING }));
    expect(await log.task("late", TaskStatus.LEASED)).toMatchObject({ agentId: "a", attempt: 1 });
  });

  it("sees that a held session goes on while the refusal of its task is on its way", async () => {
    await idleAgent("a");
    await run([work("t")]);
    await storage.updateSession(aSessionUpdate("s", { status: SessionStatus.PAUSED }));
    const release = storage.releaseSlot.bind(storage);
    // The log of a Redis may be as much faster than the answers of its commands.
    storage.releaseSlot = async (slot) => {
      storage.releaseSlot = release;
      await storage.updateSession(aSessionUpdate("s", { status: SessionStatus.RUNNING }));
      await new Promise((resolve) => setImmediate(resolve));
      return release(slot);
    };
    await scheduler.start();
    expect(await log.task("t", TaskStatus.LEASED)).toMatchObject({ agentId: "a", attempt: 1 });
  });

  it("finds the slot of a task that ended while nobody looked", async () => {
    await idleAgent("a");
    await run([work("one"), work("two", { dependsOn: ["one"] })]);
    const reservation = { ...key("one"), attempt: 1, agentId: "a", incarnation: 1 };
    await storage.reserveSlot(reservation);
    await storage.leaseTask({ ...reservation, agentIncarnation: 1, agentRevision: 2, delivery: 1, leaseMs: 1_000 });
    await storage.completeTask({ ...key("one"), attempt: 1, result: undefined });
    await scheduler.start();
    expect(await log.task("two", TaskStatus.LEASED)).toMatchObject({ agentId: "a" });
  });

  it("does not let two replicas give one task to two agents, or one agent two tasks", async () => {
    const others = [create(), create()];
    for (const each of [scheduler, ...others]) await each.start();
    const names = Array.from({ length: 20 }, (_, index) => `t${index}`);
    await run(names.map((name) => work(name)));
    for (let index = 0; index < 5; index += 1) await idleAgent(`a${index}`);
    for (const name of names) {
      await log.task(name, TaskStatus.LEASED);
      const leased = log.tasks.filter(({ status }) => status === TaskStatus.LEASED);
      const ended = log.tasks.filter(({ status }) => status === TaskStatus.COMPLETED);
      expect(leased.length - ended.length).toBeLessThanOrEqual(5);
      await storage.completeTask({ ...key(name), attempt: 1, result: undefined });
    }
    expect(await log.sessionEnd("s")).toMatchObject({ status: SessionStatus.COMPLETED });
    expect(log.tasks.filter(({ status }) => status === TaskStatus.LEASED).length).toBe(20);
    for (const each of others) await each.stop();
  });

  it("keeps namespaces apart", async () => {
    await scheduler.start();
    const far = { namespace: "other", capabilities: ["work"], initialState: State.IDLE };
    await storage.registerAgent(aRegistration("a", far));
    await storage.startSession(aSession("s", "", { tasks: [work("far")], namespace: "other" }));
    await run([work("near")]);
    expect(await log.task("far", TaskStatus.LEASED)).toMatchObject({ namespace: "other" });
    expect(await storage.getTask(key("near"))).toMatchObject({ status: TaskStatus.READY });
  });

  it("forgets a namespace that is empty, and follows it again when there is work", async () => {
    await scheduler.start();
    for (const sessionId of ["first", "second"]) {
      const tasks = [work(`${sessionId}-task`)];
      await storage.startSession(aSession(sessionId, "", { tasks, namespace: "brief" }));
      const registration = { namespace: "brief", capabilities: ["work"], initialState: State.IDLE };
      await storage.registerAgent(aRegistration("a", registration));
      const { taskId, attempt } = await log.task(`${sessionId}-task`, TaskStatus.LEASED);
      await storage.completeTask({ namespace: "brief", sessionId, taskId, attempt, result: undefined });
      await storage.deregisterAgent({ namespace: "brief", agentId: "a", incarnation: 0, actor: "test" });
      // By the time that another namespace's task is leased, the news of this one have been taken.
      await idleAgent(`for-${sessionId}`, { capabilities: [sessionId] });
      await run([aTask(sessionId, { capability: sessionId })], `near-${sessionId}`);
      await log.task(sessionId, TaskStatus.LEASED);
      expect(scheduler.size).toBe(1);
    }
  });

  it("keeps no namespace waiting for one that has much to do", async () => {
    const many = Array.from({ length: 1_000 }, (_, index) => work(`big${index}`));
    for (let index = 0; index < 300; index += 1) {
      const registration = { namespace: "big", capabilities: ["work"], initialState: State.IDLE };
      await storage.registerAgent(aRegistration(`a${index}`, registration));
    }
    await idleAgent("a");
    const tail = await storage.tail({
      onChanges: (changes) => {
        for (const change of changes) {
          if (change.kind !== "task" || change.namespace !== "big" || change.task.status !== TaskStatus.LEASED)
            continue;
          const { namespace, sessionId, taskId, attempt } = change.task;
          const command = { namespace, sessionId, taskId, attempt, result: undefined };
          setImmediate(() => void storage.completeTask(command));
        }
      },
      onLost: () => undefined,
    });
    await scheduler.start();
    await storage.startSession(aSession("s", "", { tasks: many, namespace: "big" }));
    await log.task("big0", TaskStatus.LEASED);
    await run([work("small")]);
    await log.task("small", TaskStatus.LEASED);
    const before = log.tasks.filter(({ namespace, status }) => namespace === "big" && status === TaskStatus.COMPLETED);
    await log.sessionEnd("s");
    await tail.close();
    expect(before.length).toBeLessThan(250);
  });
});
