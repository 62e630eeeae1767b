/** Primaries killed again and again, and a Redis that stands still, while agents report: what was answered is kept, and service is back in time. */
import { afterEach, describe, expect, it } from "vitest";
import { createRedisStorage, type RedisStorage, type RedisTarget } from "../../src/storage/redis/index.js";
import { slotOf } from "../../src/storage/redis/slot.js";
import { present, times } from "../contract/storage/harness.js";
import { Follower } from "../contract/storage/journal.js";
import { RedisCluster } from "../helpers/redis-cluster.js";
import { RedisProcess } from "../helpers/redis-process.js";
import { RedisSentinels } from "../helpers/redis-sentinels.js";
import { freshPrefix } from "../helpers/redis-storage.js";
import { ReportLoad, whenAvailable } from "../helpers/report-load.js";

const AGENTS = times(40, (index) => `agent-${index}`);
const ROUNDS = 5;
/** For how long a primary may be silent before it counts as failed, in milliseconds. */
const SILENCE_MS = 1_500;
/** Until when every agent has an answer again, once another primary has been chosen, in milliseconds. */
const BACK_MS = 2_000;

const closing: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

interface Opened {
  readonly storage: RedisStorage;
  readonly replica: RedisStorage;
  readonly follower: Follower;
  readonly prefix: string;
}

async function open(target: RedisTarget, waitReplicas: number): Promise<Opened> {
  const prefix = freshPrefix();
  const options = { target, prefix, waitReplicas, historyLimit: 1_000_000 };
  const storage = await createRedisStorage(options);
  const replica = await createRedisStorage(options);
  closing.unshift(() => Promise.all([storage.close(), replica.close()]));
  const follower = new Follower();
  follower.position = (await replica.tail(follower)).start;
  return { storage, replica, follower, prefix };
}

async function expectAllKept(load: ReportLoad, { replica, follower }: Opened): Promise<void> {
  await load.stop();
  await load.expectKept(replica);
  await follower.at(await whenAvailable(() => replica.head()));
}

describe("primaries are killed again and again", () => {
  it("behind Sentinel", async () => {
    const redis = await RedisSentinels.start({ downAfterMs: SILENCE_MS });
    closing.push(() => redis.remove());
    const opened = await open(redis.target, 1);
    const load = await ReportLoad.start(opened.storage, { agents: AGENTS, repeats: true });
    for (const round of times(ROUNDS, (each) => each)) {
      await load.answers(20);
      const primary = await redis.primary();
      const switched = await redis.failover();
      await primary.kill();
      await switched();
      const chosen = performance.now();
      await load.answers(1);
      expect(performance.now() - chosen, `round ${round}`).toBeLessThan(BACK_MS);
      await primary.start();
      // As a replica of the next one: the Sentinels see to it.
      await primary.printed(/MASTER <-> REPLICA sync: Finished with success|Successful partial resynchronization/);
    }
    await expectAllKept(load, opened);
  });

  it("in a Cluster", async () => {
    const redis = await RedisCluster.start({ nodeTimeoutMs: SILENCE_MS });
    closing.push(() => redis.remove());
    const opened = await open(redis.target, 1);
    const load = await ReportLoad.start(opened.storage, { agents: AGENTS, repeats: true });
    const first = redis.ownerOf(slotOf(`${opened.prefix}:{p00}:meta`));
    const pair = [first, redis.replicaOf(first)];
    for (const round of times(ROUNDS, (each) => each)) {
      await load.answers(20);
      const primary = present(pair[round % 2]);
      const replica = present(pair[(round + 1) % 2]);
      await primary.kill();
      await replica.printed(/Failover election won/);
      // It confirms nothing before it has a replica again.
      await primary.start();
      await primary.printed(/MASTER <-> REPLICA sync: Finished with success|Successful partial resynchronization/);
      const complete = performance.now();
      await load.answers(1);
      expect(performance.now() - complete, `round ${round}`).toBeLessThan(BACK_MS);
    }
    await expectAllKept(load, opened);
  });
});

describe("a Redis that stands still for 5 s", () => {
  it("loses nothing, and watchers go on without a gap", async () => {
    const redis = await RedisProcess.start({ settings: { "enable-debug-command": "yes" } });
    closing.push(() => redis.remove());
    const opened = await open(redis.target, 0);
    const load = await ReportLoad.start(opened.storage, { agents: AGENTS, repeats: true });
    await load.answers(50);
    const client = redis.client();
    await client.call("DEBUG", "SLEEP", "5");
    client.disconnect();
    await load.answers(50);
    await expectAllKept(load, opened);
    expect(opened.follower.losses).toEqual([]);
  });
});
