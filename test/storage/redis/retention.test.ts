import { Redis } from "ioredis";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { SessionStatus, State, TaskStatus } from "../../../src/storage/records.js";
import { createRedisStorage, type RedisStorage, type RedisStorageOptions } from "../../../src/storage/redis/index.js";
import { REQUEST_MEMORY_MS } from "../../../src/storage/storage.js";
import { reasonOf, times } from "../../contract/storage/harness.js";
import { FakeClock } from "../../helpers/fake-clock.js";
import {
  ACTOR,
  aRegistration,
  aReport,
  aSession,
  aSessionQuery,
  aSessionUpdate,
  NAMESPACE,
} from "../../helpers/records.js";
import { RedisProcess } from "../../helpers/redis-process.js";
import { freshPrefix } from "../../helpers/redis-storage.js";
import {
  aCancellation,
  aCompletion,
  aFailure,
  aLease,
  aRelease,
  aReservation,
  aRun,
  aTask,
  aTaskKey,
  aWorkflow,
} from "../../helpers/tasks.js";

const AGE_MS = 60_000;

/** What stays in Redis when everything that was in it has gone. One partition, so that limits are exact. */
describe("retention", () => {
  let redis: RedisProcess;
  let client: Redis;
  let storage: RedisStorage;
  let clock: FakeClock;
  let prefix: string;

  beforeAll(async () => {
    redis = await RedisProcess.start();
    client = new Redis(redis.url);
  });
  afterAll(async () => {
    client.disconnect();
    await redis.remove();
  });
  beforeEach(() => {
    clock = new FakeClock();
    prefix = freshPrefix();
  });
  afterEach(() => storage.close());

  const open = async (options: Partial<RedisStorageOptions> = {}) => {
    const { target } = redis;
    const time = () => clock.now();
    storage = await createRedisStorage({ target, prefix, partitions: 1, historyAgeMs: AGE_MS, time, ...options });
  };
  const keys = async (part = "") =>
    (await client.keys(`${prefix}:{p00}:${part}*`)).map((key) => key.split("}:")[1]).sort();
  const deregister = (agentId: string) =>
    storage.deregisterAgent({ namespace: NAMESPACE, agentId, incarnation: 0, actor: ACTOR });
  const historyOf = (agentId: string) =>
    storage.readHistory({ namespace: NAMESPACE, agentId, afterRevision: 0, limit: 10 });

  it("leaves only the log and where it stands when agents and sessions have gone for long enough", async () => {
    await open();
    await storage.registerAgent(
      aRegistration("a", {
        capabilities: ["plan"],
        labels: { env: "prod" },
        leaseTtlMs: 1_000,
        initialState: State.IDLE,
      }),
    );
    await storage.setState(aReport("a", State.ACTIVE));
    await storage.startSession(aSession("s", "a"));
    await storage.updateSession(aSessionUpdate("s", { status: SessionStatus.FAILED }));
    await deregister("a");
    expect(await keys()).toContain("history:default/a");
    clock.advance(AGE_MS + 1);
    await storage.expireLeases({ stalledMs: 0 });
    expect(await keys()).toEqual(["log", "meta"]);
  });

  it("leaves no trace of a registered agent but its history and its incarnation", async () => {
    await open();
    await storage.registerAgent(
      aRegistration("a", { capabilities: ["plan", "write"], labels: { env: "prod", tier: "web" }, leaseTtlMs: 1_000 }),
    );
    await deregister("a");
    expect(await keys()).toEqual(["history:default/a", "log", "meta", "removals", "removed:default/a"]);
    await storage.registerAgent(aRegistration("a"));
    expect(await keys("remov")).toEqual([]);
  });

  it("leaves no trace of labels and capabilities that an agent has no longer", async () => {
    await open();
    await storage.registerAgent(
      aRegistration("a", { capabilities: ["plan", "write"], labels: { env: "prod", tier: "" } }),
    );
    expect(await keys("label")).toEqual(["label:default/env=prod", "label:default/tier="]);
    await storage.registerAgent(aRegistration("a", { capabilities: ["write"], labels: { env: "dev" } }));
    expect(await keys("label")).toEqual(["label:default/env=dev"]);
    expect(await keys("capability")).toEqual(["capability:default/write"]);
    const update = { namespace: NAMESPACE, agentId: "a", expectedRevision: 0, requestId: "", actor: ACTOR };
    await storage.updateAgent({ ...update, patch: { capabilities: [], labels: {} } });
    expect([...(await keys("label")), ...(await keys("capability"))]).toEqual([]);
  });

  it("bounds the deregistrations that are remembered", async () => {
    await open({ maxTombstones: 3 });
    for (const id of ["a", "b", "c", "d", "e"]) {
      await storage.registerAgent(aRegistration(id));
      await deregister(id);
    }
    expect(await keys("removed")).toEqual(["removed:default/c", "removed:default/d", "removed:default/e"]);
    expect(await keys("history")).toHaveLength(3);
    expect(await historyOf("b")).toBeUndefined();
    expect((await historyOf("c"))?.entries).toHaveLength(2);
  });

  it("forgets no agent that came back, however often it went", async () => {
    await open({ maxTombstones: 1 });
    for (const id of ["a", "b", "a"]) await storage.registerAgent(aRegistration(id));
    await deregister("a");
    await storage.registerAgent(aRegistration("a"));
    await deregister("b");
    clock.advance(AGE_MS + 1);
    await storage.expireLeases({ stalledMs: 0 });
    await storage.setState(aReport("a", State.IDLE));
    expect((await storage.getAgent({ namespace: NAMESPACE, agentId: "a" }))?.record.incarnation).toBe(3);
    expect((await historyOf("a"))?.entries).toHaveLength(1);
  });

  it("bounds the sessions that have ended, and keeps those that run", async () => {
    await open({ maxEndedSessions: 2 });
    await storage.registerAgent(aRegistration("a"));
    for (const id of ["s", "t", "u", "v", "w"]) await storage.startSession(aSession(id, "a"));
    for (const id of ["t", "s", "v", "u"]) {
      await storage.updateSession(aSessionUpdate(id, { status: SessionStatus.COMPLETED }));
    }
    const listed = async (agentId: string) =>
      (await storage.listSessions(aSessionQuery({ agentId }))).items.map(({ sessionId }) => sessionId);
    expect(await listed("")).toEqual(["u", "v", "w"]);
    expect(await listed("a")).toEqual(["u", "v", "w"]);
    clock.advance(AGE_MS + 1);
    await storage.expireLeases({ stalledMs: 0 });
    expect(await listed("")).toEqual(["w"]);
    expect(await keys("ended")).toEqual([]);
  });

  it("leaves nothing of the work of a session that is forgotten", async () => {
    await open();
    await storage.startSession(aRun([aTask("t"), aTask("u", { dependsOn: ["t"] }), aTask("v")]));
    await storage.leaseTask(aLease("t"));
    await storage.leaseTask(aLease("v", 1, { agentId: "b" }));
    await storage.completeTask(aCompletion("t", 1, { result: { done: true } }));
    await storage.failTask(aFailure("v", 1));
    expect(await keys()).toEqual([
      "log",
      "meta",
      "open",
      "run:default/s",
      "runs-in:default/2",
      "runs-in:default/4",
      "runs-of:default/a",
      "runs-of:default/b",
      "runs:default",
      "session:default/s",
      "sessions:default",
      "tasks:default/s",
    ]);
    await storage.leaseTask(aLease("u"));
    expect(await keys("a")).toEqual(["assigned:default/a", "attempts"]);
    await storage.updateSession(aSessionUpdate("s", { status: SessionStatus.FAILED }));
    expect(await keys("a")).toEqual([]);
    expect(await keys("open")).toEqual([]);
    clock.advance(AGE_MS + 1);
    await storage.expireLeases({ stalledMs: 0 });
    expect(await keys()).toEqual(["log", "meta"]);
    expect(await storage.getTask(aTaskKey("t"))).toBeUndefined();
  });

  it("forgets a session that its last task has ended", async () => {
    await open({ maxEndedSessions: 1 });
    for (const sessionId of ["s", "t"]) {
      await storage.startSession(aRun([aTask("x")], { sessionId }));
      await storage.leaseTask(aLease("x", 1, { sessionId }));
    }
    await storage.completeTask(aCompletion("x", 1, { sessionId: "t" }));
    await storage.cancelTask(aCancellation("x", { sessionId: "s" }));
    expect(await keys("session:")).toEqual(["session:default/s"]);
    expect(await keys("tasks:")).toEqual(["tasks:default/s"]);
    expect(await keys("runs-in:")).toEqual([`runs-in:default/${TaskStatus.CANCELLED}`]);
  });

  it("forgets nothing when a task is called off in a session that has ended already", async () => {
    await open();
    await storage.startSession(aRun([aTask("x"), aTask("y", { dependsOn: ["x"] })]));
    await storage.leaseTask(aLease("x"));
    await storage.failTask(aFailure("x", 1, { permanent: true }));
    clock.advance(AGE_MS + 1);
    await storage.cancelTask(aCancellation("y"));
    expect(await storage.getTask(aTaskKey("y"))).toMatchObject({ status: TaskStatus.CANCELLED });
    await storage.expireLeases({ stalledMs: 0 });
    expect(await storage.getTask(aTaskKey("y"))).toBeUndefined();
  });

  it("forgets no session that was opened again, however old its first end is", async () => {
    await open({ maxEndedSessions: 1 });
    await storage.startSession(aRun([aTask("x")]));
    await storage.leaseTask(aLease("x"));
    await storage.failTask(aFailure("x", 1, { permanent: true }));
    expect(await keys("ended")).toEqual(["ended"]);
    await storage.retryTask(aTaskKey("x"));
    expect(await keys("ended")).toEqual([]);
    for (const sessionId of ["t", "u"]) {
      await storage.startSession(aRun([], { sessionId }));
      await storage.updateSession(aSessionUpdate(sessionId, { status: SessionStatus.COMPLETED }));
    }
    clock.advance(AGE_MS + 1);
    await storage.expireLeases({ stalledMs: 0 });
    expect(await keys("session:")).toEqual(["session:default/s"]);
    await storage.leaseTask(aLease("x", 2));
    expect(await storage.completeTask(aCompletion("x", 2))).toMatchObject({ status: TaskStatus.COMPLETED });
  });

  it("leaves no slots of an agent that has gone or come again, and no workflow that was deleted", async () => {
    await open();
    const idle = { initialState: State.IDLE, maxConcurrentTasks: 2 };
    await storage.registerAgent(aRegistration("a", idle));
    await storage.reserveSlot(aReservation("t"));
    expect(await keys("slots")).toEqual(["slots:default/a"]);
    await storage.registerAgent(aRegistration("a", idle));
    expect(await keys("slots")).toEqual([]);
    await storage.reserveSlot(aReservation("t", 1, { incarnation: 2 }));
    await storage.reserveSlot(aReservation("u", 1, { incarnation: 2 }));
    await storage.releaseSlot(aRelease("t"));
    await deregister("a");
    expect(await keys("slots")).toEqual([]);
    await storage.putWorkflow(aWorkflow("w"));
    expect(await keys("workflow")).toEqual(["workflow:default/w", "workflows:default"]);
    await storage.deleteWorkflow({ namespace: NAMESPACE, workflowId: "w", expectedRevision: 0 });
    expect(await keys("workflow")).toEqual([]);
  });

  it("remembers the answer to a request for ten minutes", async () => {
    await open();
    await storage.registerAgent(aRegistration("a"));
    const report = aReport("a", State.IDLE, { requestId: "r", sequence: 1 });
    const first = await storage.setState(report);
    clock.advance(REQUEST_MEMORY_MS - 1);
    expect(await storage.setState(report)).toEqual(first);
    clock.advance(1);
    expect(await reasonOf(() => storage.setState(report))).toBe("STALE_SEQUENCE");
    const [key = ""] = await client.keys(`${prefix}:*request:*`);
    expect(await client.pttl(key)).toBeGreaterThan(REQUEST_MEMORY_MS - 60_000);
  });

  it("bounds the requests that are remembered: the oldest go first", async () => {
    await open({ maxRememberedRequests: 3 });
    await storage.registerAgent(aRegistration("a"));
    const reports = times(5, (index) => aReport("a", State.IDLE, { requestId: `r${index}`, sequence: index + 1 }));
    for (const report of reports) await storage.setState(report);
    expect(await keys("request:")).toEqual(
      ["r2", "r3", "r4"].map((requestId) => `request:set-state:default/a/${requestId}`),
    );
    const outcomes = await Promise.all(reports.map((report) => reasonOf(() => storage.setState(report))));
    expect(outcomes).toEqual(["STALE_SEQUENCE", "STALE_SEQUENCE", undefined, undefined, undefined]);
  });

  it("drops reports that a replica which died had held", async () => {
    await open({ maxHeldReportsPerAgent: 2 });
    const dead = await createRedisStorage({ target: redis.target, prefix, maxHeldReportsPerAgent: 2 });
    const held = times(2, () => reasonOf(() => dead.setState(aReport("a", State.IDLE, { holdMs: 40 }))));
    // Its timers withdraw them; what they do when it is dead is that the time in Redis runs out.
    expect(await Promise.all(held)).toEqual(["AGENT_NOT_FOUND", "AGENT_NOT_FOUND"]);
    await client.hset(`${prefix}:{p00}:held:default/a`, "-x", "1 1 []", "-y", "2 1 []");
    const outcome = storage.setState(aReport("a", State.ACTIVE, { holdMs: 60_000 }));
    await storage.registerAgent(aRegistration("a"));
    expect((await outcome).state.state).toBe(State.ACTIVE);
    expect(await keys("held")).toEqual([]);
    await dead.close();
  });
});
