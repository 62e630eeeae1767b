/** Tasks brought to agents over real HTTP, with a memory storage, the scheduler, and peers that behave as they like. */
import { createHmac } from "node:crypto";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { systemClock } from "../../../../src/lib/clock.js";
import { AgentKitCourier } from "../../../../src/services/workflows/dispatch/agentkit.js";
import { Dispatcher } from "../../../../src/services/workflows/dispatch/dispatcher.js";
import { EndpointCourier } from "../../../../src/services/workflows/dispatch/endpoint.js";
import { Scheduler } from "../../../../src/services/workflows/scheduler/scheduler.js";
import { createMemoryStorage } from "../../../../src/storage/memory/index.js";
import { SessionStatus, State, TaskDelivery, TaskStatus, type TaskPlan } from "../../../../src/storage/records.js";
import type { Storage } from "../../../../src/storage/storage.js";
import { FakeClock } from "../../../helpers/fake-clock.js";
import { HttpPeer, type PeerConduct } from "../../../helpers/http-peer.js";
import { aRegistration, aReport, aSession, NAMESPACE } from "../../../helpers/records.js";
import { TaskLog } from "../../../helpers/task-log.js";
import { aTask } from "../../../helpers/tasks.js";

const SECRET = "a secret";
const SCHEDULED = { status: 202, body: { data: { dispatch_status: "scheduled" } } };

let storage: Storage;
let log: TaskLog;
let failures: unknown[];
let closers: (() => unknown)[];

beforeEach(async () => {
  failures = [];
  storage = createMemoryStorage();
  log = await TaskLog.open(storage);
  closers = [() => log.close(), () => storage.close()];
});
afterEach(async () => {
  for (const close of closers.reverse()) await close();
  expect(failures).toEqual([]);
});

interface Setting {
  readonly agentKit?: string;
  readonly secret?: string;
  readonly allowInside?: boolean;
}

/** One replica: its scheduler and its dispatcher. */
async function replica({ agentKit = "", secret = SECRET, allowInside = true }: Setting): Promise<Dispatcher> {
  const dispatcher = new Dispatcher(storage, {
    endpoint: new EndpointCourier({ secret, allowInside, now: () => Date.now() }),
    agentKit: new AgentKitCourier(agentKit),
    onFailure: (thrown) => failures.push(thrown),
  });
  const scheduler = new Scheduler(storage, {
    clock: systemClock,
    deliver: (task) => dispatcher.deliver(task),
    recall: (task) => dispatcher.recall(task),
    onFailure: (thrown) => failures.push(thrown),
  });
  await scheduler.start();
  closers.push(() => {
    dispatcher.stop();
    return scheduler.stop();
  });
  return dispatcher;
}

async function peer(conduct: PeerConduct): Promise<HttpPeer> {
  const started = await HttpPeer.start(conduct);
  closers.push(() => started.close());
  return started;
}

async function idleAgent(agentId: string, taskDelivery: TaskDelivery, contactEndpoint = ""): Promise<void> {
  await storage.registerAgent(aRegistration(agentId, { taskDelivery, contactEndpoint, capabilities: ["work"] }));
  await storage.setState(aReport(agentId, State.IDLE));
}

async function run(tasks: readonly TaskPlan[]): Promise<void> {
  await storage.startSession(aSession("s", "", { tasks, workflowId: "w" }));
}

const work = (taskId: string, task: Partial<TaskPlan> = {}): TaskPlan => aTask(taskId, { capability: "work", ...task });

describe("AgentKit", () => {
  it("gets what its agents are to do, as it knows it, and its agents' reports are the answers", async () => {
    const kit = await peer(() => SCHEDULED);
    await replica({ agentKit: kit.url });
    await idleAgent("writer one:1", TaskDelivery.AGENTKIT);
    await run([
      work("plan", { displayName: "Plan it", parameters: { topic: "tea" } }),
      work("write", { dependsOn: ["plan"], parameters: { tone: "dry" } }),
    ]);
    const [first] = await kit.until(1);
    expect(first).toMatchObject({ method: "POST", path: "/agents/writer%20one%3A1/run" });
    expect(JSON.parse(first?.body ?? "")).toEqual({
      senderId: "opscore_system_id",
      messageType: "workflow_task",
      payload: { topic: "tea" },
      task_name: "Plan it",
      opscore_session_id: "s",
      opscore_task_id: "plan",
    });
    await storage.setState(aReport("writer one:1", State.ACTIVE));
    await storage.setState(aReport("writer one:1", State.IDLE, { details: { result: { outline: [1, 2] } } }));
    const [, second] = await kit.until(2);
    expect(JSON.parse(second?.body ?? "")).toMatchObject({
      payload: { tone: "dry", inputs: { plan: { outline: [1, 2] } } },
      task_name: "write",
    });
    await storage.setState(aReport("writer one:1", State.IDLE, { details: { opscore_task_id: "write", words: 100 } }));
    expect(await log.sessionEnd("s")).toMatchObject({
      status: SessionStatus.COMPLETED,
      result: { plan: { outline: [1, 2] }, write: { words: 100 } },
    });
  });

  it("is asked again when it was not there, and the attempt stays the same", async () => {
    let calls = 0;
    const kit = await peer(() => {
      calls += 1;
      return calls < 3 ? { status: 503 } : SCHEDULED;
    });
    await replica({ agentKit: kit.url });
    await idleAgent("a", TaskDelivery.AGENTKIT);
    await run([work("t")]);
    await kit.until(3);
    await storage.setState(aReport("a", State.IDLE, { details: { opscore_task_id: "t" } }));
    expect(await log.task("t", TaskStatus.COMPLETED)).toMatchObject({ attempt: 1 });
  });

  it.each([
    [422, TaskStatus.FAILED, 1],
    [404, TaskStatus.FAILED, 3],
    [500, TaskStatus.FAILED, 3],
    [302, TaskStatus.FAILED, 1],
  ])("that answers %i ends the attempt; the task is then %i after %i attempts", async (status, ends, attempts) => {
    const kit = await peer(() => ({ status, body: { detail: "no" } }));
    await replica({ agentKit: kit.url });
    await idleAgent("a", TaskDelivery.AGENTKIT);
    await run([work("t")]);
    const task = await log.task("t", ends);
    expect(task).toMatchObject({ attempt: attempts, reason: "DeliveryRefused" });
    expect(task.error).toContain(`status ${status}: {"detail":"no"}`);
    expect(kit.requests.length).toBe(attempts);
  });

  it("is not asked again where nobody knows whether it has the task", async () => {
    const kit = await peer(() => undefined);
    await replica({ agentKit: kit.url });
    await idleAgent("a", TaskDelivery.AGENTKIT);
    await run([work("t")]);
    await kit.until(1);
    await storage.setState(aReport("a", State.ACTIVE, { details: { opscore_task_id: "t" } }));
    await storage.setState(aReport("a", State.IDLE, { details: { opscore_task_id: "t" } }));
    expect(await log.task("t", TaskStatus.COMPLETED)).toMatchObject({ attempt: 1 });
    expect(kit.requests.length).toBe(1);
  });

  it("does not get an attempt that ended while others were brought, which are no leak", async () => {
    const warnings: Error[] = [];
    const onWarning = (warning: Error) => void warnings.push(warning);
    process.on("warning", onWarning);
    closers.push(() => process.off("warning", onWarning));
    let answer: () => void = () => undefined;
    const told = new Promise<void>((resolve) => (answer = resolve));
    const kit = await peer(() => told.then(() => SCHEDULED));
    await replica({ agentKit: kit.url });
    const names = Array.from({ length: 129 }, (_, index) => `t${index}`);
    for (const name of names) await idleAgent(`agent-of-${name}`, TaskDelivery.AGENTKIT);
    await run(names.map((name) => work(name)));
    for (const name of names) await log.task(name, TaskStatus.LEASED);
    const brought = async (count: number) =>
      (await kit.until(count)).map(({ body }) => (JSON.parse(body) as { opscore_task_id: string }).opscore_task_id);
    // As many as are brought at once.
    const first = new Set(await brought(128));
    const left = names.find((name) => !first.has(name)) ?? "";
    await storage.cancelTask({ namespace: NAMESPACE, sessionId: "s", taskId: left, message: "" });
    await idleAgent("b", TaskDelivery.AGENTKIT);
    await storage.startSession(aSession("next", "", { tasks: [work("next")], workflowId: "w" }));
    await log.task("next", TaskStatus.LEASED);
    answer();
    expect((await brought(129)).at(-1)).toBe("next");
    expect(warnings).toEqual([]);
  });

  it("that is not configured is said to be missing", async () => {
    await replica({});
    await idleAgent("a", TaskDelivery.AGENTKIT);
    await run([work("t")]);
    expect(await log.task("t", TaskStatus.FAILED)).toMatchObject({
      attempt: 1,
      reason: "NoDelivery",
      error: "AGENTKIT_API_URL is not set",
    });
  });

  it("gets each attempt once, however many replicas there are", async () => {
    const kit = await peer(() => SCHEDULED);
    for (let count = 0; count < 3; count += 1) await replica({ agentKit: kit.url });
    for (let index = 0; index < 10; index += 1) await idleAgent(`a${index}`, TaskDelivery.AGENTKIT);
    await run(Array.from({ length: 10 }, (_, index) => work(`t${index}`)));
    for (const { body } of await kit.until(10)) {
      const { opscore_task_id: taskId } = JSON.parse(body) as { opscore_task_id: string };
      const { agentId } = await log.task(taskId, TaskStatus.LEASED);
      await storage.setState(aReport(agentId, State.IDLE, { details: { opscore_task_id: taskId } }));
    }
    expect(await log.sessionEnd("s")).toMatchObject({ status: SessionStatus.COMPLETED });
    expect(kit.requests.length).toBe(10);
  });

  it("has an agent that reports ERROR: another attempt", async () => {
    const kit = await peer(() => SCHEDULED);
    await replica({ agentKit: kit.url });
    await idleAgent("a", TaskDelivery.AGENTKIT);
    await run([work("t")]);
    await kit.until(1);
    await storage.setState(aReport("a", State.ACTIVE));
    await storage.setState(aReport("a", State.ERROR, { reason: "OutOfTokens", message: "no more" }));
    expect(await log.task("t", TaskStatus.READY, 1)).toMatchObject({ reason: "OutOfTokens", error: "no more" });
    await storage.setState(aReport("a", State.IDLE));
    await kit.until(2);
    await storage.setState(aReport("a", State.IDLE, { details: { opscore_task_id: "t" } }));
    expect(await log.task("t", TaskStatus.COMPLETED)).toMatchObject({ attempt: 2, reason: "", error: "" });
  });

  it("has an agent whose ERROR is of the same millisecond as the next attempt, which it is not about", async () => {
    await storage.close();
    storage = createMemoryStorage({ clock: new FakeClock() });
    log = await TaskLog.open(storage);
    const kit = await peer(() => SCHEDULED);
    await replica({ agentKit: kit.url });
    await idleAgent("a", TaskDelivery.AGENTKIT);
    await run([work("t")]);
    await kit.until(1);
    await storage.setState(aReport("a", State.ERROR));
    await storage.setState(aReport("a", State.IDLE));
    await kit.until(2);
    await storage.setState(aReport("a", State.IDLE, { details: { opscore_task_id: "t" } }));
    expect(await log.task("t", TaskStatus.COMPLETED)).toMatchObject({ attempt: 2 });
  });

  it("has an agent that says IDLE twice, and late: the next task is not taken for done", async () => {
    const kit = await peer(() => SCHEDULED);
    await replica({ agentKit: kit.url });
    await idleAgent("a", TaskDelivery.AGENTKIT);
    await run([work("one"), work("two", { dependsOn: ["one"] })]);
    await kit.until(1);
    await storage.setState(aReport("a", State.ACTIVE));
    await storage.setState(aReport("a", State.IDLE));
    await kit.until(2);
    await storage.setState(aReport("a", State.IDLE, { details: { opscore_task_id: "one" } }));
    await storage.setState(aReport("a", State.IDLE, { message: "still" }));
    await storage.setState(aReport("a", State.ACTIVE));
    expect(log.tasks.filter(({ taskId }) => taskId === "two").at(-1)?.status).toBe(TaskStatus.LEASED);
    await storage.setState(aReport("a", State.IDLE));
    expect(await log.sessionEnd("s")).toMatchObject({ status: SessionStatus.COMPLETED });
  });

  it("has an agent that registers anew: its task goes to another", async () => {
    const kit = await peer(() => SCHEDULED);
    await replica({ agentKit: kit.url });
    await idleAgent("a", TaskDelivery.AGENTKIT);
    await run([work("t")]);
    await kit.until(1);
    await storage.registerAgent(aRegistration("a", { taskDelivery: TaskDelivery.AGENTKIT, capabilities: ["work"] }));
    expect(await log.task("t", TaskStatus.READY, 1)).toMatchObject({ reason: "AgentLost" });
    await idleAgent("b", TaskDelivery.AGENTKIT);
    expect(await log.task("t", TaskStatus.LEASED, 2)).toMatchObject({ agentId: "b" });
  });
});

describe("an agent's endpoint", () => {
  it("gets a signed request with the task, and the agent answers like any other", async () => {
    const agent = await peer(() => ({ status: 204 }));
    await replica({});
    await idleAgent("a", TaskDelivery.AUTO, `${agent.url}/hook?x=1`);
    await run([work("t", { parameters: { n: 1 } })]);
    const [request] = await agent.until(1);
    expect(request?.path).toBe("/hook?x=1");
    const { event, task } = JSON.parse(request?.body ?? "") as { event: string; task: Record<string, unknown> };
    expect(event).toBe("task.leased");
    expect(task).toMatchObject({ sessionId: "s", taskId: "t", attempt: 1, agentId: "a", parameters: { n: 1 } });
    const timestamp = String(request?.headers["x-opscore-timestamp"]);
    const expected = createHmac("sha256", SECRET).update(`${timestamp}.${request?.body}`).digest("hex");
    expect(request?.headers["x-opscore-signature"]).toBe(expected);
    await storage.completeTask({ namespace: NAMESPACE, sessionId: "s", taskId: "t", attempt: 1, result: { ok: true } });
    expect(await log.sessionEnd("s")).toMatchObject({ result: { t: { ok: true } } });
  });

  it("is told when the task is called off, once", async () => {
    const agent = await peer(() => ({ status: 200 }));
    await replica({});
    await replica({});
    await idleAgent("a", TaskDelivery.ENDPOINT, agent.url);
    await run([work("t")]);
    await agent.until(1);
    await storage.cancelTask({ namespace: NAMESPACE, sessionId: "s", taskId: "t", message: "" });
    const [, second] = await agent.until(2);
    expect(JSON.parse(second?.body ?? "")).toMatchObject({ event: "task.cancelled", task: { taskId: "t" } });
  });

  it.each([
    [
      { allowInside: false },
      "ForbiddenAddress",
      "127.0.0.1 is an address inside, and the server sends there only with OPSCORE_OUTBOUND_ALLOW_PRIVATE=true",
    ],
    [{ secret: "" }, "NoDelivery", "OPSCORE_OUTBOUND_SECRET is not set"],
  ])("is not reached with %o: %s", async (setting, reason, error) => {
    const agent = await peer(() => ({ status: 200 }));
    await replica(setting);
    await idleAgent("a", TaskDelivery.ENDPOINT, agent.url);
    await run([work("t")]);
    expect(await log.task("t", TaskStatus.FAILED)).toMatchObject({ attempt: 1, reason, error });
    expect(agent.requests).toEqual([]);
  });
});
