/** What is left when Redis is killed under load, by what it was told to keep. The README promises it. */
import { describe, expect, it, onTestFinished } from "vitest";
import { openSession } from "../helpers/raw-watch.js";
import { RedisProcess } from "../helpers/redis-process.js";
import { ServerProcess } from "../helpers/server-process.js";
import { CheckedWatch } from "../helpers/state-watch.js";
import { clientsOf, historyOf, Load, registerAgents, type Clients } from "./load.js";

const AGENTS = 20;
const PER_SECOND = 1000;

interface Deployment {
  readonly redis: RedisProcess;
  readonly clients: Clients;
  readonly ids: readonly string[];
  readonly load: Load;
  readonly watches: readonly CheckedWatch[];
}

/** Two replicas, each with a watcher, and a load on one of them. */
async function start(appendfsync: "always" | "everysec"): Promise<Deployment> {
  const redis = await RedisProcess.start({ settings: { appendonly: "yes", appendfsync } });
  onTestFinished(() => redis.remove());
  const settings = {
    ...{ OPSCORE_STORAGE_TYPE: "redis", REDIS_URL: redis.url, OPSCORE_HISTORY_MAX_ENTRIES: "10000" },
    LOG_LEVEL: "silent",
  };
  const servers = await Promise.all([ServerProcess.start(settings), ServerProcess.start(settings)]);
  const clients = clientsOf(servers[0].url);
  const ids = await registerAgents(clients, AGENTS);
  const watches = servers.map(({ url }) => {
    const watch = new CheckedWatch();
    watch.open(openSession(url));
    return watch;
  });
  await Promise.all(watches.map((watch) => watch.synced()));
  return { redis, clients, ids, load: new Load(ids, () => clients.states), watches };
}

/** What the log holds, by message. */
async function logOf({ clients, ids }: Deployment): Promise<ReadonlyMap<string, bigint>> {
  const histories = await Promise.all(ids.map((agentId) => historyOf(clients, agentId)));
  return new Map(histories.flat().map(({ message, revision }) => [message, revision]));
}

/** Every watcher comes to know what the servers know, and was never told what is not so. */
async function expectWatchesAgree({ clients, ids, watches }: Deployment): Promise<void> {
  const states = await Promise.all(ids.map((agentId) => clients.states.getState({ agentId })));
  const truth = new Map(states.map(({ state }) => [state?.agentId ?? "", state?.revision]));
  for (const watch of watches) {
    await watch.until((seen) => [...truth].every(([id, revision]) => seen.states.get(id)?.revision === revision));
    expect(watch.states.size).toBe(truth.size);
    expect(watch.isOpen).toBe(true);
  }
}

describe("Redis is killed under load and started again", () => {
  it(
    "with every commit on disk before it is answered, nothing acknowledged is lost",
    { timeout: 120_000 },
    async () => {
      const deployment = await start("always");
      const { redis, load } = deployment;
      load.start(PER_SECOND);
      for (const acknowledged of [500, 1000, 1500]) {
        await load.reached(acknowledged);
        await redis.kill();
        await redis.start();
      }
      await load.reached(2000);
      await load.stop();
      expect(load.refused).toBeGreaterThan(0);
      const log = await logOf(deployment);
      for (const [message, { revision }] of load.acknowledged) expect(log.get(message), message).toBe(revision);
      await expectWatchesAgree(deployment);
    },
  );

  it("with a disk that is up to a second behind, watchers are told RESYNC when something was lost", async () => {
    const deployment = await start("everysec");
    const { redis, load, watches } = deployment;
    load.start(PER_SECOND);
    await load.reached(500);
    await redis.kill();
    // As a power cut leaves it; a killed process alone loses nothing that the system had already taken.
    redis.loseTail(64 * 1024);
    await redis.start();
    await load.reached(1000);
    await load.stop();
    const log = await logOf(deployment);
    const lost = [...load.acknowledged].filter(([message, { revision }]) => log.get(message) !== revision);
    expect(lost.length).toBeGreaterThan(0);
    await expectWatchesAgree(deployment);
    for (const watch of watches) expect(watch.resyncs).toBeGreaterThan(0);
  });
});
