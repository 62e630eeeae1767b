/** Tasks that are brought to agents while the storage is away for a moment. */
import { expect, it, onTestFinished } from "vitest";
import { OpsCoreError } from "../../../../src/errors/index.js";
import { systemClock } from "../../../../src/lib/clock.js";
import { AgentKitCourier } from "../../../../src/services/workflows/dispatch/agentkit.js";
import { Dispatcher } from "../../../../src/services/workflows/dispatch/dispatcher.js";
import { Scheduler } from "../../../../src/services/workflows/scheduler/scheduler.js";
import { createMemoryStorage } from "../../../../src/storage/memory/index.js";
import { State, TaskDelivery, TaskStatus } from "../../../../src/storage/records.js";
import type { Storage } from "../../../../src/storage/storage.js";
import { HttpPeer, type PeerAnswer } from "../../../helpers/http-peer.js";
import { aRegistration, aReport, aSession } from "../../../helpers/records.js";
import { TaskLog } from "../../../helpers/task-log.js";
import { aTask } from "../../../helpers/tasks.js";

function fail(thrown: unknown): never {
  throw thrown;
}

/** A replica whose agents' tasks are brought by AgentKit, which always answers the same. */
async function setUp(
  storage: Storage,
  answer: PeerAnswer,
  onFailure: (thrown: unknown) => void = fail,
): Promise<HttpPeer> {
  const kit = await HttpPeer.start(() => answer);
  const courier = new AgentKitCourier(kit.url);
  const dispatcher = new Dispatcher(storage, { endpoint: courier, agentKit: courier, onFailure });
  const deliver = dispatcher.deliver.bind(dispatcher);
  const scheduler = new Scheduler(storage, { clock: systemClock, deliver, recall: () => undefined, onFailure });
  await scheduler.start();
  onTestFinished(async () => {
    dispatcher.stop();
    await scheduler.stop();
    await kit.close();
    await storage.close();
  });
  return kit;
}

/** An agent that waits for work, and a task. */
async function runTask(storage: Storage): Promise<void> {
  const agent = { taskDelivery: TaskDelivery.AGENTKIT, capabilities: ["work"] };
  await storage.registerAgent(aRegistration("a", agent));
  await storage.setState(aReport("a", State.IDLE));
  await storage.startSession(aSession("s", "", { tasks: [aTask("t", { capability: "work" })] }));
}

it.each([
  ["claim", 202, TaskStatus.LEASED],
  ["getTask", 202, TaskStatus.LEASED],
  ["renewTask", 202, TaskStatus.LEASED],
  ["failTask", 422, TaskStatus.FAILED],
] as const)(
  "a task is brought once, and its answer kept, though the storage is away at %s",
  async (step, status, end) => {
    const storage: Storage = createMemoryStorage();
    const log = await TaskLog.open(storage);
    let asked = 0;
    let onAnswer: () => void = () => undefined;
    const answered = new Promise<void>((resolve) => (onAnswer = resolve));
    const there = storage[step].bind(storage) as (...args: unknown[]) => unknown;
    const flaky = (...args: unknown[]): unknown => {
      asked += 1;
      if (asked === 1) throw new OpsCoreError("STORAGE_UNAVAILABLE", "away for a moment");
      onAnswer();
      return there(...args);
    };
    Object.assign(storage, { [step]: flaky });
    const kit = await setUp(storage, { status });
    const agent = { taskDelivery: TaskDelivery.AGENTKIT, capabilities: ["work"] };
    await storage.registerAgent(aRegistration("a", agent));
    await storage.setState(aReport("a", State.IDLE));
    await storage.startSession(aSession("s", "", { tasks: [aTask("t", { capability: "work" })] }));
    await answered;
    await kit.until(1);
    expect(await log.task("t", end)).toMatchObject({ attempt: 1 });
    expect(kit.requests.length).toBe(1);
    await log.close();
  },
);

it("a task is brought though nobody was told that it was leased", async () => {
  const storage: Storage = createMemoryStorage();
  const log = await TaskLog.open(storage);
  const lease = storage.leaseTask.bind(storage);
  storage.leaseTask = async (command) => {
    storage.leaseTask = lease;
    await lease(command);
    throw new OpsCoreError("STORAGE_UNAVAILABLE", "the answer was lost");
  };
  const failures: unknown[] = [];
  const kit = await setUp(storage, { status: 202 }, (thrown) => failures.push(thrown));
  await runTask(storage);
  await kit.until(1);
  expect(await log.task("t", TaskStatus.LEASED)).toMatchObject({ attempt: 1 });
  expect([kit.requests.length, failures.length]).toEqual([1, 1]);
  await log.close();
});
