import { Redis } from "ioredis";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { State } from "../../../src/storage/records.js";
import { createRedisStorage, type RedisStorage, type RedisStorageOptions } from "../../../src/storage/redis/index.js";
import { attempt, times } from "../../contract/storage/harness.js";
import { Follower } from "../../contract/storage/journal.js";
import { aRegistration, aReport, NAMESPACE } from "../../helpers/records.js";
import { RedisProcess, type RedisProcessOptions } from "../../helpers/redis-process.js";
import { RedisProxy } from "../../helpers/redis-proxy.js";
import { freshPrefix, StorageEvents } from "../../helpers/redis-storage.js";

const AGENTS = times(20, (index) => `agent-${index}`);

describe("the log reader", () => {
  let redis: RedisProcess;
  let client: Redis;
  let prefix: string;
  let writer: RedisStorage;
  let reader: RedisStorage;
  let proxy: RedisProxy | undefined;
  let events: StorageEvents;
  let follower: Follower;

  const start = async (
    process: RedisProcessOptions = {},
    options: Partial<RedisStorageOptions> = {},
  ): Promise<void> => {
    redis = await RedisProcess.start(process);
    client = new Redis(redis.url, { retryStrategy: () => 20, maxRetriesPerRequest: null });
    client.on("error", () => undefined);
    proxy = await RedisProxy.start(redis.port);
    const common = { prefix, commandTimeoutMs: 500, ...options };
    writer = await createRedisStorage({ ...common, target: redis.target });
    reader = await createRedisStorage({ ...common, target: proxy.target, onEvent: events.listener });
    const tail = await reader.tail(follower);
    follower.position = tail.start;
    for (const id of AGENTS) await writer.registerAgent(aRegistration(id, { initialState: State.IDLE }));
    await follower.until(AGENTS.length);
    events.clear();
  };

  beforeEach(() => {
    prefix = freshPrefix();
    events = new StorageEvents();
    follower = new Follower();
  });

  afterEach(async () => {
    client.disconnect();
    await Promise.all([reader.close(), writer.close()]);
    await proxy?.close();
    await redis.remove();
  });

  /** Reports through the writer, many at a time. Each makes a commit. */
  const report = async (count: number, from = 0): Promise<void> => {
    const states = [State.ACTIVE, State.IDLE];
    await Promise.all(
      times(count, (index) => {
        const message = `report ${from + index}`;
        return writer.setState(
          aReport(AGENTS[index % AGENTS.length] ?? "", states[index % 2] ?? State.IDLE, { message }),
        );
      }),
    );
  };

  it("delivers 10,000 transitions through another replica, in order, without gap or repeat", async () => {
    await start();
    // The follower holds every delivery against the position before it.
    for (const round of times(10, (each) => each)) await report(1_000, round * 1_000);
    const changes = await follower.until(AGENTS.length + 10_000);
    expect(changes).toHaveLength(AGENTS.length + 10_000);
    expect(follower.losses).toEqual([]);
    const seen = new Set(changes.map((change) => (change.kind === "agent" ? change.state.message : "")));
    expect(seen.size).toBe(10_000 + 1);
    expect(follower.position).toEqual(await writer.head());
  });

  it("goes on where it was when its connection breaks", async () => {
    await start();
    for (const round of times(10, (each) => each)) {
      const reported = report(100, round * 100);
      proxy?.cut();
      await reported;
      await events.next("following");
    }
    await follower.until(AGENTS.length + 1_000);
    expect(follower.losses).toEqual([]);
    expect(follower.position).toEqual(await writer.head());
  });

  it("notices a network that hangs, and goes on where it was when it flows again", async () => {
    await start();
    proxy?.hang();
    await report(100);
    const failure = await attempt(() => reader.getState({ namespace: NAMESPACE, agentId: "agent-0" }));
    expect(failure.failure).toMatchObject({ reason: "STORAGE_UNAVAILABLE" });
    await events.next("disconnected");
    expect(reader.ready()).toBe(false);
    proxy?.flow();
    await follower.until(AGENTS.length + 100);
    expect(follower.losses).toEqual([]);
  });

  it("tells that the log was cut off while it was away", async () => {
    await start({}, { partitions: 1, logCapacity: 50 });
    proxy?.hang();
    await report(200);
    await events.next("disconnected");
    proxy?.flow();
    expect(await follower.lost(1)).toEqual(["truncated"]);
    expect(follower.position).toEqual(await writer.head());
    await report(10);
    await follower.until(AGENTS.length + 10);
  });

  it("tells a flush, and follows what comes after it", async () => {
    await start();
    const before = follower.position;
    await client.flushall();
    expect(await follower.lost(1)).toEqual(["epoch"]);
    expect(follower.position?.epoch).not.toBe(before?.epoch);
    await writer.registerAgent(aRegistration("new"));
    const changes = await follower.until(AGENTS.length + 1);
    expect(changes.at(-1)).toMatchObject({ revision: 1, state: { agentId: "new", incarnation: 1 } });
    if (before !== undefined) expect(await reader.readLog(before, 10)).toEqual({ lost: "epoch" });
  });

  it("makes the deployment anew with its own partitions after a flush", async () => {
    await start({}, { partitions: 3 });
    await client.flushall();
    await follower.lost(1);
    expect(await client.hget(`${prefix}:deployment`, "partitions")).toBe("3");
  });

  it("tells a loss when Redis comes back from its disk, where something may be missing", async () => {
    await start({ settings: { appendonly: "yes", appendfsync: "always" } });
    await report(100);
    await follower.until(AGENTS.length + 100);
    await redis.kill();
    await redis.start();
    expect(await follower.lost(1)).toEqual(["epoch"]);
    // The log is followed by a connection of its own, which may be back before the one for commands.
    await events.ready(reader);
    expect(follower.position?.revisions).toEqual((await reader.head()).revisions);
    const states = await Promise.all(AGENTS.map((agentId) => reader.getState({ namespace: NAMESPACE, agentId })));
    expect(states.every((state) => state !== undefined)).toBe(true);
  });

  it("tells a loss when Redis comes back without its data", async () => {
    await start();
    await redis.kill();
    await redis.start();
    expect(await follower.lost(1)).toEqual(["epoch"]);
    expect(follower.position?.revisions.every((revision) => revision === 0)).toBe(true);
  });

  it("tells a loss when the server was a replica in between", async () => {
    await start();
    await client.replicaof("127.0.0.1", 1);
    await client.replicaof("NO", "ONE");
    expect(await follower.lost(1)).toEqual(["epoch"]);
    await report(10);
    await follower.until(AGENTS.length + 10);
  });

  it("fails a tail that cannot begin at the end", async () => {
    await start();
    await redis.kill();
    const outcome = await attempt(() => reader.tail(new Follower()));
    expect(outcome.failure).toMatchObject({ reason: "STORAGE_UNAVAILABLE" });
  });
});
