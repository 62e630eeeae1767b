/** Commits that wait until replicas of Redis have them. */
import { setImmediate as turn } from "node:timers/promises";
import { Redis } from "ioredis";
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { State } from "../../../src/storage/records.js";
import { createRedisStorage, type RedisStorage } from "../../../src/storage/redis/index.js";
import { attempt, failureOf, reasonOf, times } from "../../contract/storage/harness.js";
import { aRegistration, aReport, NAMESPACE } from "../../helpers/records.js";
import { RedisProcess } from "../../helpers/redis-process.js";
import { RedisProxy } from "../../helpers/redis-proxy.js";
import { untilReplicated } from "../../helpers/redis-replicas.js";
import { freshPrefix, StorageEvents } from "../../helpers/redis-storage.js";

const KEY = { namespace: NAMESPACE, agentId: "a" };
/** Half of it is for the replicas: more than what a busy machine keeps one from answering. */
const COMMAND_TIMEOUT_MS = 4_000;

describe("waiting for replicas", () => {
  let primary: RedisProcess;
  let follower: RedisProcess;
  let client: Redis;
  let storage: RedisStorage;
  let events: StorageEvents;

  beforeEach(async () => {
    const settings = { "repl-diskless-sync-delay": "0" };
    primary = await RedisProcess.start({ settings });
    follower = await RedisProcess.start({ settings: { ...settings, replicaof: `${primary.host} ${primary.port}` } });
    client = new Redis(primary.url);
    await untilReplicated(client, 1, "ready");
    events = new StorageEvents();
    storage = await createRedisStorage({
      target: primary.target,
      prefix: freshPrefix(),
      waitReplicas: 1,
      commandTimeoutMs: COMMAND_TIMEOUT_MS,
      onEvent: events.listener,
    });
    await storage.registerAgent(aRegistration("a", { initialState: State.IDLE }));
  });

  afterEach(async () => {
    follower.thaw();
    client.disconnect();
    await storage.close();
    await Promise.all([primary.remove(), follower.remove()]);
  });

  it("asks once for all that was committed in one turn", async () => {
    await client.config("RESETSTAT");
    await Promise.all(times(500, (index) => storage.setState(aReport("a", State.ACTIVE, { message: String(index) }))));
    const calls = Number(/cmdstat_wait:calls=(\d+)/.exec(await client.info("commandstats"))?.[1]);
    const scripts = Number(/cmdstat_evalsha:calls=(\d+)/.exec(await client.info("commandstats"))?.[1]);
    expect(calls).toBeGreaterThan(0);
    expect(calls).toBeLessThanOrEqual(scripts);
    expect(scripts).toBeLessThan(20);
  });

  it("answers only what the replica has", async () => {
    const [state] = await Promise.all([storage.setState(aReport("a", State.ACTIVE, { message: "there" }))]);
    expect(state.changed).toBe(true);
    const other = new Redis(follower.url);
    const copies = await Promise.all((await other.keys("*agent:default/a")).map((key) => other.hget(key, "state")));
    other.disconnect();
    expect(copies).toHaveLength(1);
    expect(copies[0]).toContain("there");
  });

  it("fails a commit that the replica does not confirm, though it has happened; a repeat gets its answer later", async () => {
    follower.freeze();
    const report = aReport("a", State.ACTIVE, { message: "unconfirmed", requestId: "r" });
    const failure = await failureOf(() => storage.setState(report));
    expect(failure.reason).toBe("STORAGE_UNAVAILABLE");
    expect(failure.retryAfterMs).toBeGreaterThan(0);
    expect((await storage.getState(KEY))?.message).toBe("unconfirmed");
    expect(await events.next("replicas-short")).toMatchObject({ wanted: 1, had: 0 });
    expect(storage.status().isShortOfReplicas).toBe(true);

    // Until there are enough again, nothing is committed that would not be answered; reads go on.
    const head = await storage.head();
    expect(await reasonOf(() => storage.setState(report))).toBe("STORAGE_UNAVAILABLE");
    expect(await reasonOf(() => storage.registerAgent(aRegistration("b")))).toBe("STORAGE_UNAVAILABLE");
    expect(await storage.head()).toEqual(head);

    follower.thaw();
    await events.next("replicas-back");
    expect(await storage.setState(report)).toMatchObject({ changed: true, state: { message: "unconfirmed" } });
    expect((await storage.head()).revisions).toEqual(head.revisions);
    expect(storage.status().isShortOfReplicas).toBe(false);
  });

  it("holds up reads for one commit at most that the replica does not confirm, however many were sent", async () => {
    follower.freeze();
    const commits: ReturnType<typeof reasonOf>[] = [];
    for (let index = 0; index < 5; index += 1) {
      commits.push(reasonOf(() => storage.setState(aReport("a", State.ACTIVE, { message: String(index) }))));
      await turn();
    }
    expect(await storage.getState(KEY)).toMatchObject({ message: "4" });
    expect(new Set(await Promise.all(commits))).toEqual(new Set(["STORAGE_UNAVAILABLE"]));
    expect(storage.status().connections.map(({ isOpen }) => isOpen)).toEqual([true, true]);
  });

  it("gives a repeat the first answer only when the replica has what was answered", async () => {
    const report = aReport("a", State.ACTIVE, { requestId: "r" });
    await storage.setState(report);
    follower.freeze();
    const other = await createRedisStorage({
      target: primary.target,
      prefix: (await client.keys("*:deployment"))[0]?.replace(":deployment", "") ?? "",
      waitReplicas: 1,
      commandTimeoutMs: COMMAND_TIMEOUT_MS,
    });
    // A fresh connection has written nothing that a replica could confirm, had the repeat not done so.
    expect(await reasonOf(() => other.setState(report))).toBe("STORAGE_UNAVAILABLE");
    await other.close();
  });

  it("keeps the order of what is sent while replicas are asked", async () => {
    const outcomes = times(300, (index) =>
      attempt(() =>
        storage.setState(aReport("a", index % 2 === 0 ? State.ACTIVE : State.IDLE, { sequence: index + 1 })),
      ),
    );
    const failures = (await Promise.all(outcomes)).map(({ failure }) => failure?.reason);
    expect(new Set(failures)).toEqual(new Set([undefined]));
  });
});

it("finds enough replicas again although the connection has died without a sign, and nobody reads", async () => {
  const settings = { "repl-diskless-sync-delay": "0" };
  const primary = await RedisProcess.start({ settings });
  const proxy = await RedisProxy.start(primary.port);
  const events = new StorageEvents();
  const storage = await createRedisStorage({
    target: proxy.target,
    prefix: freshPrefix(),
    waitReplicas: 1,
    commandTimeoutMs: COMMAND_TIMEOUT_MS,
    onEvent: events.listener,
  });
  onTestFinished(async () => {
    await storage.close();
    await proxy.close();
    await primary.remove();
  });
  expect(await reasonOf(() => storage.registerAgent(aRegistration("a")))).toBe("STORAGE_UNAVAILABLE");
  await events.next("replicas-short");
  proxy.forget();
  const follower = await RedisProcess.start({
    settings: { ...settings, replicaof: `${primary.host} ${primary.port}` },
  });
  onTestFinished(() => follower.remove());
  await events.next("replicas-back");
  expect((await storage.registerAgent(aRegistration("b"))).created).toBe(true);
});
