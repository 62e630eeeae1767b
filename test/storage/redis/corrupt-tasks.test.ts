import { Redis } from "ioredis";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { SessionStatus, State, TaskStatus } from "../../../src/storage/records.js";
import { createRedisStorage, type RedisStorage, type RedisStorageEvent } from "../../../src/storage/redis/index.js";
import { Keys } from "../../../src/storage/redis/keys.js";
import type { Storage } from "../../../src/storage/storage.js";
import { attempt, failureOf } from "../../contract/storage/harness.js";
import { FakeClock } from "../../helpers/fake-clock.js";
import { aRegistration, aSessionUpdate, NAMESPACE } from "../../helpers/records.js";
import { RedisProcess } from "../../helpers/redis-process.js";
import { freshPrefix } from "../../helpers/redis-storage.js";
import {
  aCancellation,
  aCompletion,
  aFailure,
  AGENT,
  aLease,
  aRenewal,
  aReservation,
  aRun,
  aTask,
  aTaskKey,
  aTaskQuery,
  aWorkflow,
  SESSION,
} from "../../helpers/tasks.js";

const LEASE_MS = 1_000;
const WORKFLOW = { namespace: NAMESPACE, workflowId: "w" };
const LOST = { permanent: true };

/** A session of three tasks: `t`, which is LEASED; `after`, which waits for it; and `other`, which is READY. */
describe("work that cannot be read", () => {
  let redis: RedisProcess;
  let client: Redis;
  let storage: RedisStorage;
  let clock: FakeClock;
  let keys: Keys;
  let events: RedisStorageEvent[];

  beforeAll(async () => {
    redis = await RedisProcess.start();
    client = new Redis(redis.url);
  });
  afterAll(async () => {
    client.disconnect();
    await redis.remove();
  });
  beforeEach(async () => {
    clock = new FakeClock();
    events = [];
    const prefix = freshPrefix();
    const onEvent = (event: RedisStorageEvent) => events.push(event);
    storage = await createRedisStorage({ target: redis.target, prefix, time: () => clock.now(), onEvent });
    keys = new Keys(prefix, 16);
    const tasks = [aTask("t"), aTask("after", { dependsOn: ["t"] }), aTask("other")];
    await storage.startSession(aRun(tasks));
    await storage.leaseTask(aLease("t", 1, { leaseMs: LEASE_MS }));
  });
  afterEach(() => storage.close());

  const tasksKey = () => keys.tasks(keys.partitionOf(NAMESPACE, SESSION), NAMESPACE, SESSION);
  const runKey = () => tasksKey().replace(":tasks:", ":run:");
  const expectCorrupt = async (send: () => unknown, key: string) => {
    const failure = await failureOf(() => send());
    expect(failure).toMatchObject({ reason: "CORRUPT_RECORD", metadata: { key } });
    expect(failure.message).toContain(key);
  };

  type Sent = readonly [name: string, send: (on: Storage) => unknown];
  /** What looks at the task alone, and what wants to know how it hangs together with the others. */
  const reads: readonly Sent[] = [
    ["getTask", (on) => on.getTask(aTaskKey("t"))],
    ["renewTask", (on) => on.renewTask(aRenewal("t"))],
  ];
  const commands: readonly Sent[] = [
    ["leaseTask", (on) => on.leaseTask(aLease("t", 2))],
    ["completeTask", (on) => on.completeTask(aCompletion("t"))],
    ["failTask", (on) => on.failTask(aFailure("t"))],
    ["failTask for good", (on) => on.failTask(aFailure("t", 1, LOST))],
    ["cancelTask", (on) => on.cancelTask(aCancellation("t"))],
    ["retryTask", (on) => on.retryTask(aTaskKey("t"))],
    ["listTasks of the session", (on) => on.listTasks(aTaskQuery({ sessionId: SESSION }))],
    ["listTasks", (on) => on.listTasks(aTaskQuery())],
    ["updateSession", (on) => on.updateSession(aSessionUpdate(SESSION, { status: SessionStatus.CANCELLED }))],
  ];

  const ofTask: readonly (readonly [string, () => Promise<unknown>])[] = [
    ["a task of a newer version", () => client.hset(tasksKey(), "t", "[2,1,3]")],
    ["a task that is no record", () => client.hset(tasksKey(), "t", "ruined")],
    ["tasks of another type", () => client.set(tasksKey(), "ruined")],
  ];
  describe.each(ofTask)("%s", (_damage, damage) => {
    it.each([...reads, ...commands])("fails %s, and the failure names the key", async (_command, send) => {
      await damage();
      await expectCorrupt(() => send(storage), tasksKey());
    });
  });

  const ofRun: readonly (readonly [string, () => Promise<unknown>])[] = [
    ["a run without statuses", () => client.hdel(runKey(), "statuses")],
    ["a run whose statuses are none", () => client.hset(runKey(), "statuses", "3?2")],
    ["a run of another type", () => client.set(runKey(), "ruined")],
  ];
  describe.each(ofRun)("%s", (_damage, damage) => {
    it.each(commands)("fails %s, and the failure names the key", async (_command, send) => {
      await damage();
      await expectCorrupt(() => send(storage), runKey());
    });
  });

  it.each([...ofTask, ...ofRun])("%s changes nothing, and leaves other sessions alone", async (_damage, damage) => {
    await storage.startSession(aRun([aTask("t")], { sessionId: "sound" }));
    await damage();
    const head = await storage.head();
    for (const [, send] of commands) await attempt(() => send(storage));
    expect(await storage.head()).toEqual(head);
    await storage.leaseTask(aLease("t", 1, { sessionId: "sound" }));
    expect(await storage.completeTask(aCompletion("t", 1, { sessionId: "sound" }))).toMatchObject({ status: 4 });
  });

  it("a dependant that cannot be read keeps what it waits for LEASED, rather than half the commit", async () => {
    await client.hset(tasksKey(), "after", "ruined");
    const head = await storage.head();
    await expectCorrupt(() => storage.completeTask(aCompletion("t")), tasksKey());
    expect(await storage.head()).toEqual(head);
    expect(await storage.getTask(aTaskKey("t"))).toMatchObject({ status: TaskStatus.LEASED, attempt: 1 });
    expect(await client.hget(runKey(), "?after")).toBe("1");
  });

  it("a task that cannot be read keeps its session from ending, rather than half the commit", async () => {
    await storage.cancelTask(aCancellation("other"));
    await client.hset(tasksKey(), "other", "ruined");
    const head = await storage.head();
    for (const send of [
      () => storage.failTask(aFailure("t", 1, LOST)),
      () => storage.cancelTask(aCancellation("t")),
      () => storage.updateSession(aSessionUpdate(SESSION, { status: SessionStatus.COMPLETED })),
    ]) {
      await expectCorrupt(send, tasksKey());
    }
    expect(await storage.head()).toEqual(head);
  });

  it("an attempt that cannot be read does not keep others from expiring, and is told once", async () => {
    await storage.leaseTask(aLease("other", 1, { leaseMs: LEASE_MS + 1 }));
    await client.hset(tasksKey(), "t", "ruined");
    clock.advance(LEASE_MS + 1);
    expect(await storage.expireTasks({ jitter: 0 })).toBe(1);
    expect(await storage.expireTasks({ jitter: 0 })).toBe(0);
    expect(events.filter(({ kind }) => kind === "corrupt")).toEqual([{ kind: "corrupt", key: tasksKey() }]);
    expect(await storage.getTask(aTaskKey("other"))).toMatchObject({ reason: "LeaseExpired" });
  });

  it("an attempt at a task that is gone is forgotten without a word", async () => {
    await client.hdel(tasksKey(), "t");
    clock.advance(LEASE_MS);
    expect(await storage.expireTasks({ jitter: 0 })).toBe(0);
    expect(events.filter(({ kind }) => kind === "corrupt")).toEqual([]);
    expect(await client.exists(tasksKey().replace(/:tasks:.*/, ":attempts"))).toBe(0);
  });

  it("a slot that is none fails who wants it, and who finds no room because of it", async () => {
    await storage.registerAgent(aRegistration(AGENT, { initialState: State.IDLE }));
    const key = keys.slots(keys.partitionOf(NAMESPACE, AGENT), NAMESPACE, AGENT);
    await client.hset(key, `${SESSION}/t`, "ruined");
    await expectCorrupt(() => storage.reserveSlot(aReservation("t")), key);
    await expectCorrupt(() => storage.reserveSlot(aReservation("other")), key);
    await storage.registerAgent(aRegistration(AGENT, { initialState: State.IDLE }));
    expect(await storage.reserveSlot(aReservation("t", 1, { incarnation: 2 }))).toMatchObject({ kind: "reserved" });
  });

  it.each([
    ["of a newer version", '[2,1,1,1,"","","",[]]'],
    ["that is no record", "ruined"],
  ])("a workflow %s fails whatever wants it", async (_which, text) => {
    await storage.putWorkflow(aWorkflow("w"));
    const key = keys.workflow(keys.partitionOf(NAMESPACE, "w"), NAMESPACE, "w");
    await client.set(key, text);
    for (const send of [
      () => storage.getWorkflow(WORKFLOW),
      () => storage.putWorkflow(aWorkflow("w")),
      () => storage.deleteWorkflow({ ...WORKFLOW, expectedRevision: 0 }),
      () => storage.listWorkflows({ namespace: NAMESPACE, limit: 10, cursor: undefined }),
    ]) {
      await expectCorrupt(send, key);
    }
  });
});
