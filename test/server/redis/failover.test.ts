/** Servers behind Sentinel and on a Cluster whose primary dies, reached by the settings that a deployment has. */
import { describe, expect, it, onTestFinished } from "vitest";
import { slotOf } from "../../../src/storage/redis/slot.js";
import { openSession } from "../../helpers/raw-watch.js";
import { RedisCluster } from "../../helpers/redis-cluster.js";
import { freshPrefix } from "../../helpers/redis-storage.js";
import { RedisSentinels } from "../../helpers/redis-sentinels.js";
import type { RedisProcess } from "../../helpers/redis-process.js";
import { startServer } from "../../helpers/server.js";
import { CheckedWatch } from "../../helpers/state-watch.js";
import { clientsOf, historyOf, Load, registerAgents } from "../../replicas/load.js";

const AGENTS = 20;
/** For how long a primary may be silent before another is chosen. */
const SILENCE_MS = 5_000;

interface Topology {
  readonly redisUrl: string;
  /** A primary that has something of the deployment. */
  readonly primary: RedisProcess;
}

async function sentinels(): Promise<Topology> {
  const redis = await RedisSentinels.start({ downAfterMs: SILENCE_MS });
  onTestFinished(() => redis.remove());
  const { target } = redis;
  if (target.kind !== "sentinel") throw new Error("that is not what it is");
  const hosts = target.sentinels.map(({ host, port }) => `${host}:${port}`).join(",");
  return { redisUrl: `redis-sentinel://${hosts}/${target.masterName}`, primary: await redis.primary() };
}

async function cluster(prefix: string): Promise<Topology> {
  const redis = await RedisCluster.start({ nodeTimeoutMs: SILENCE_MS });
  onTestFinished(() => redis.remove());
  const hosts = redis.primaries.map(({ host, port }) => `${host}:${port}`).join(",");
  return { redisUrl: `redis-cluster://${hosts}`, primary: redis.ownerOf(slotOf(`${prefix}:{p00}:meta`)) };
}

describe.each([
  ["behind Sentinel", sentinels],
  ["on a Cluster", cluster],
])("two servers %s", (_, start) => {
  it(
    "lose nothing that was acknowledged when a primary dies, and watchers agree with them",
    { timeout: 90_000 },
    async () => {
      const redisPrefix = freshPrefix();
      const { redisUrl, primary } = await start(redisPrefix);
      const settings = {
        ...{ storageType: "redis", redisUrl, redisPrefix, redisWaitReplicas: 1, logLevel: "info" },
        ...{ historyMaxEntries: 10_000 },
      } as const;
      const [one, other] = await Promise.all([startServer(settings), startServer(settings)]);
      const [here, there] = [clientsOf(one.url), clientsOf(other.url)];
      const ids = await registerAgents(here, AGENTS);
      const watch = new CheckedWatch();
      watch.open(openSession(other.url));
      await watch.synced();

      const load = new Load(ids, () => here.states);
      load.start(200);
      await load.reached(200);
      await primary.kill();
      await watch.until(({ resyncs }) => resyncs > 0);
      await load.reached(load.acknowledged.size + 200);
      await load.stop();

      const histories = await Promise.all(ids.map((agentId) => historyOf(there, agentId)));
      const log = new Map(histories.flat().map(({ message, revision }) => [message, revision]));
      for (const [message, { revision }] of load.acknowledged) expect(log.get(message), message).toBe(revision);
      const truth = histories.map((history) => history.at(-1));
      await watch.until(({ states }) =>
        truth.every((state) => states.get(state?.agentId ?? "")?.revision === state?.revision),
      );
      expect(watch.isOpen).toBe(true);
      const metrics = await (await fetch(`${one.url}/metrics`)).text();
      expect(Number(/^opscore_redis_failovers_total (\d+)$/m.exec(metrics)?.[1])).toBeGreaterThan(0);
      expect((await fetch(`${one.url}/readyz`)).status).toBe(200);
      expect(one.logs.map(({ msg }) => msg)).toContain("Redis failed over");
    },
  );
});
