/** Another server becomes the primary while agents report: nothing that was answered is lost, and nothing is done twice. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createRedisStorage, type RedisStorage, type RedisTarget } from "../../../src/storage/redis/index.js";
import { slotOf } from "../../../src/storage/redis/slot.js";
import { times } from "../../contract/storage/harness.js";
import { Follower } from "../../contract/storage/journal.js";
import { RedisCluster } from "../../helpers/redis-cluster.js";
import { RedisSentinels } from "../../helpers/redis-sentinels.js";
import { freshPrefix, StorageEvents } from "../../helpers/redis-storage.js";
import { ReportLoad, whenAvailable } from "../../helpers/report-load.js";

/** For how long a primary may be silent before it counts as failed, in milliseconds. */
const SILENCE_MS = 1_500;
// Sentinels take their time, and try again where a busy machine made them miss each other.
vi.setConfig({ testTimeout: 120_000 });

const AGENTS = times(40, (index) => `agent-${index}`);

let storage: RedisStorage;
let replica: RedisStorage;
let follower: Follower;
let events: StorageEvents;
let prefix: string;

/** Two storages on one deployment: through the first agents report, through the second somebody watches. */
async function open(target: RedisTarget, waitReplicas: number): Promise<void> {
  prefix = freshPrefix();
  events = new StorageEvents();
  // All that a fast machine reports must still be there to be counted.
  const options = { historyLimit: 1_000_000, logCapacity: 1_000_000, target, prefix, waitReplicas };
  storage = await createRedisStorage({ ...options, onEvent: events.listener });
  replica = await createRedisStorage(options);
  follower = new Follower();
  follower.position = (await replica.tail(follower)).start;
}

/** What must hold after all: the watcher was told of every loss, and is where the log is. */
async function expectFollowed(): Promise<void> {
  const head = await whenAvailable(() => replica.head());
  await follower.at(head);
  expect(follower.position).toEqual(head);
}

describe("behind Sentinel", () => {
  let redis: RedisSentinels;

  beforeEach(async () => {
    redis = await RedisSentinels.start({ downAfterMs: SILENCE_MS });
  });

  afterEach(async () => {
    await Promise.all([storage.close(), replica.close()]);
    await redis.remove();
  });

  it("a primary that is killed: what replicas confirmed is kept, and agents go on at the next primary", async () => {
    await open(redis.target, 1);
    const load = await ReportLoad.start(storage, { agents: AGENTS, repeats: true });
    await load.answers(10);
    const primary = await redis.primary();
    const switched = await redis.failover();
    await primary.kill();
    await switched();
    await load.answers(10);
    await load.stop();
    await load.expectKept(replica);
    await expectFollowed();
    expect(follower.losses).toEqual(["epoch"]);
    expect(await events.next("failover")).toMatchObject({ from: `127.0.0.1:${primary.port}` });
  });

  it("a primary that stands still and comes back as a replica: nobody goes on with it", async () => {
    await open(redis.target, 1);
    const load = await ReportLoad.start(storage, { agents: AGENTS, repeats: true });
    await load.answers(10);
    const primary = await redis.primary();
    const switched = await redis.failover();
    primary.freeze();
    await switched();
    await load.answers(10);
    primary.thaw();
    await load.answers(10);
    await load.stop();
    await load.expectKept(replica);
    await expectFollowed();
  });

  it("a primary that is told to hand over", async () => {
    // The old primary lives on for a moment with one replica that still follows it: only together do they confirm enough.
    await open(redis.target, 2);
    const load = await ReportLoad.start(storage, { agents: AGENTS, repeats: true });
    await load.answers(10);
    const switched = await redis.failover();
    await redis.handOver();
    await switched();
    await load.answers(10);
    await load.stop();
    await load.expectKept(replica);
    await expectFollowed();
  });
});

describe("in a Cluster", () => {
  let redis: RedisCluster;

  beforeEach(async () => {
    redis = await RedisCluster.start({ nodeTimeoutMs: SILENCE_MS });
  });

  afterEach(async () => {
    await Promise.all([storage.close(), replica.close()]);
    await redis.remove();
  });

  const primaryOfFirst = () => redis.ownerOf(slotOf(`${prefix}:{p00}:meta`));

  it("a primary that is killed: what replicas confirmed is kept, and agents go on at the next primary", async () => {
    await open(redis.target, 1);
    const load = await ReportLoad.start(storage, { agents: AGENTS, repeats: true });
    await load.answers(10);
    const primary = primaryOfFirst();
    await primary.kill();
    await events.next("failover");
    // There was one replica, which is the primary now; the old primary becomes its replica.
    await primary.start();
    await load.answers(10);
    await load.stop();
    await load.expectKept(replica);
    await expectFollowed();
    expect(follower.losses).toContain("epoch");
  });

  it("a primary that stands still and comes back as a replica: nobody goes on with it", async () => {
    await open(redis.target, 1);
    const load = await ReportLoad.start(storage, { agents: AGENTS, repeats: true });
    await load.answers(10);
    const primary = primaryOfFirst();
    primary.freeze();
    await events.next("failover");
    primary.thaw();
    await load.answers(10);
    await load.stop();
    await load.expectKept(replica);
    await expectFollowed();
  });

  it("a primary that hands over to its replica: not a report fails", async () => {
    await open(redis.target, 0);
    const load = await ReportLoad.start(storage, { agents: AGENTS, repeats: false });
    await load.answers(10);
    await redis.handOver(primaryOfFirst());
    await events.next("failover");
    await load.answers(10);
    await load.stop();
    await load.expectKept(replica);
    await expectFollowed();
  });
});
