import { Redis } from "ioredis";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { SessionStatus, State } from "../../../src/storage/records.js";
import { createRedisStorage, type RedisStorage, type RedisStorageEvent } from "../../../src/storage/redis/index.js";
import { Keys } from "../../../src/storage/redis/keys.js";
import type { Storage } from "../../../src/storage/storage.js";
import { attempt, failureOf } from "../../contract/storage/harness.js";
import { Follower } from "../../contract/storage/journal.js";
import {
  ACTOR,
  anAgentQuery,
  aRegistration,
  aReport,
  aSession,
  aSessionQuery,
  aSessionUpdate,
  NAMESPACE,
} from "../../helpers/records.js";
import { RedisProcess } from "../../helpers/redis-process.js";
import { freshPrefix } from "../../helpers/redis-storage.js";

const KEY = { namespace: NAMESPACE, agentId: "a" };
const SESSION = { namespace: NAMESPACE, sessionId: "s" };

describe("records that cannot be read", () => {
  let redis: RedisProcess;
  let client: Redis;
  let storage: RedisStorage;
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
    const prefix = freshPrefix();
    events = [];
    storage = await createRedisStorage({ target: redis.target, prefix, onEvent: (event) => events.push(event) });
    keys = new Keys(prefix, 16);
    await storage.registerAgent(
      aRegistration("a", { capabilities: ["plan"], labels: { env: "prod" }, leaseTtlMs: 1_000 }),
    );
    await storage.registerAgent(aRegistration("b"));
    await storage.startSession(aSession("s", "b"));
  });
  afterEach(() => storage.close());

  const agentKey = () => keys.agent(keys.partitionOf(NAMESPACE, "a"), NAMESPACE, "a");
  const sessionKey = () => keys.session(keys.partitionOf(NAMESPACE, "s"), NAMESPACE, "s");

  /** Ways to damage an agent. */
  const damages: readonly (readonly [string, () => Promise<unknown>])[] = [
    ["a state of a newer version", () => client.hset(agentKey(), "state", "[2,1,1]")],
    ["a state that is no record", () => client.hset(agentKey(), "state", "ruined")],
    ["a state that is missing", () => client.hdel(agentKey(), "state")],
    ["capabilities that are missing", () => client.hdel(agentKey(), "capabilities")],
    ["a key of another type", () => client.set(agentKey(), "ruined")],
  ];
  const agentCommands: readonly (readonly [string, (on: Storage) => unknown])[] = [
    ["registerAgent", (on) => on.registerAgent(aRegistration("a"))],
    ["deregisterAgent", (on) => on.deregisterAgent({ ...KEY, incarnation: 0, actor: ACTOR })],
    ["updateAgent", (on) => on.updateAgent({ ...KEY, patch: {}, expectedRevision: 0, requestId: "", actor: ACTOR })],
    ["renewLease", (on) => on.renewLease({ ...KEY, incarnation: 0 })],
    ["setState", (on) => on.setState(aReport("a", State.IDLE))],
    ["setState that may be held", (on) => on.setState(aReport("a", State.IDLE, { holdMs: 5_000 }))],
    ["getAgent", (on) => on.getAgent(KEY)],
    ["listAgents", (on) => on.listAgents(anAgentQuery())],
  ];

  describe.each(damages)("%s", (_damage, damage) => {
    it.each(agentCommands)("fails %s, and the failure names the key", async (_command, send) => {
      await damage();
      const failure = await failureOf(() => send(storage));
      expect(failure).toMatchObject({ reason: "CORRUPT_RECORD", metadata: { key: agentKey() } });
      expect(failure.message).toContain(agentKey());
    });

    it("changes nothing, and leaves others alone", async () => {
      await damage();
      const head = await storage.head();
      for (const [, send] of agentCommands) await attempt(() => send(storage));
      expect(await storage.head()).toEqual(head);
      expect((await storage.setState(aReport("b", State.IDLE))).changed).toBe(true);
    });
  });

  it.each([
    ["a record of a newer version", '[2,1,1,1,1,[2,2,2,4],"","","",null]'],
    ["a record that is no record", "{}"],
    ["a record with other cells", '[1,1,1,1,1,[2,2,2,4],7,"","",null]'],
  ])("%s is told by reads", async (_which, record) => {
    await client.hset(agentKey(), "record", record);
    const failure = await failureOf(() => storage.getAgent(KEY));
    expect(failure).toMatchObject({ reason: "CORRUPT_RECORD", metadata: { key: agentKey() } });
  });

  it.each([
    ["of a newer version", '[2,1,1,1,1,null,1,[3,2,4,4,2],"b","",null,null,""]'],
    ["that is no record", "ruined"],
  ])("a session %s fails whatever wants it", async (_which, text) => {
    await client.set(sessionKey(), text);
    const update = aSessionUpdate("s", { status: SessionStatus.RUNNING });
    for (const send of [
      () => storage.getSession(SESSION),
      () => storage.updateSession(update),
      () => storage.startSession(aSession("s", "b")),
      () => storage.listSessions(aSessionQuery()),
    ]) {
      const failure = await failureOf(() => send());
      expect(failure).toMatchObject({ reason: "CORRUPT_RECORD", metadata: { key: sessionKey() } });
    }
  });

  it("history that is no history is told", async () => {
    const key = agentKey().replace(":agent:", ":history:");
    await client.del(key);
    await client.rpush(key, "ruined");
    const failure = await failureOf(() => storage.readHistory({ ...KEY, afterRevision: 0, limit: 10 }));
    expect(failure).toMatchObject({ reason: "CORRUPT_RECORD", metadata: { key } });
  });

  it("a partition of a newer schema takes no commands", async () => {
    const meta = keys.meta(keys.partitionOf(NAMESPACE, "a"));
    await client.hset(meta, "schema", "2");
    for (const send of [() => storage.setState(aReport("a", State.IDLE)), () => storage.head()]) {
      expect(await failureOf(() => send())).toMatchObject({ reason: "CORRUPT_RECORD", metadata: { key: meta } });
    }
  });

  it("an agent that cannot be read does not keep others from expiring, and is told once", async () => {
    await client.hset(agentKey(), "state", "ruined");
    const leases = agentKey().replace(/:agent:.*/, ":leases");
    await client.zadd(leases, 1, `${NAMESPACE}/a`);
    expect(await storage.expireLeases({ stalledMs: 0 })).toEqual({ suspected: 0, lost: 0, braked: 0 });
    await storage.expireLeases({ stalledMs: 0 });
    expect(events.filter(({ kind }) => kind === "corrupt")).toEqual([{ kind: "corrupt", key: agentKey() }]);
  });

  it("a log entry that cannot be read is a loss, never a gap", async () => {
    const follower = new Follower();
    const tail = await storage.tail(follower);
    follower.position = tail.start;
    const partition = keys.partitionOf(NAMESPACE, "a");
    const [epoch = "", revision] = await client.hmget(keys.meta(partition), "epoch", "revision");
    const next = Number(revision) + 1;
    await client
      .multi()
      .hset(keys.meta(partition), "revision", next)
      .xadd(keys.log(partition), `${next}-${epoch}`, "e", "[2]")
      .exec();
    await follower.lost(1);
    expect(follower.losses).toEqual(["truncated"]);
    await storage.setState(aReport("a", State.IDLE));
    const [change] = await follower.until(1);
    expect(change).toMatchObject({ revision: next + 1 });
    expect(events).toContainEqual({ kind: "corrupt", key: keys.log(partition) });
  });
});
