/** The deployment contract: one server in memory, and two processes on one Redis of each kind. */
import { afterAll, beforeAll, describe, vi } from "vitest";
import { describeDeploymentContract, type Deployment } from "../contract/deployment.js";
import { present } from "../contract/storage/harness.js";
import { RedisCluster } from "../helpers/redis-cluster.js";
import { RedisProcess } from "../helpers/redis-process.js";
import { MASTER_NAME, RedisSentinels } from "../helpers/redis-sentinels.js";
import { ServerProcess } from "../helpers/server-process.js";

// Nine Redis processes and two servers take turns on a small machine.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 120_000 });

const PASSWORD = "secret";

interface Store {
  readonly settings: Readonly<Record<string, string>>;
  remove(): Promise<void>;
}

async function standalone(): Promise<Store> {
  const redis = await RedisProcess.start();
  return { settings: { REDIS_URL: redis.url }, remove: () => redis.remove() };
}

async function sentinels(): Promise<Store> {
  const redis = await RedisSentinels.start({ password: PASSWORD });
  const hosts = redis.sentinels.map(({ host, port }) => `${host}:${port}`).join(",");
  const settings = {
    REDIS_URL: `redis-sentinel://${hosts}/${MASTER_NAME}`,
    REDIS_PASSWORD: PASSWORD,
    REDIS_SENTINEL_PASSWORD: PASSWORD,
  };
  return { settings, remove: () => redis.remove() };
}

async function cluster(): Promise<Store> {
  const redis = await RedisCluster.start();
  const hosts = redis.servers.map(({ host, port }) => `${host}:${port}`).join(",");
  return { settings: { REDIS_URL: `redis-cluster://${hosts}` }, remove: () => redis.remove() };
}

describe("one server", () => {
  let server: ServerProcess | undefined;
  beforeAll(async () => {
    server = await ServerProcess.startUnowned();
  });
  afterAll(() => server?.stop());
  describeDeploymentContract("in memory", () => ({ here: present(server).url, there: present(server).url }));
});

describe.each([
  ["Redis, one node", standalone],
  ["Redis behind Sentinel", sentinels],
  ["Redis Cluster", cluster],
])("two servers", (name, open) => {
  let store: Store | undefined;
  let servers: readonly ServerProcess[] = [];
  beforeAll(async () => {
    store = await open();
    const settings = { OPSCORE_STORAGE_TYPE: "redis", ...store.settings };
    servers = await Promise.all([ServerProcess.startUnowned(settings), ServerProcess.startUnowned(settings)]);
  });
  afterAll(async () => {
    await Promise.all(servers.map((server) => server.stop()));
    await store?.remove();
  });
  describeDeploymentContract(name, (): Deployment => {
    const [here, there] = servers;
    return { here: present(here).url, there: present(there).url };
  });
});
