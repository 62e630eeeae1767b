/** Redis that wants to know who comes: TLS with certificates, and ACL users. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { State } from "../../../src/storage/records.js";
import { createRedisStorage, parseRedisUrl, type RedisTarget } from "../../../src/storage/redis/index.js";
import { attempt, failureOf } from "../../contract/storage/harness.js";
import { Follower } from "../../contract/storage/journal.js";
import { Certificates } from "../../helpers/certificates.js";
import { anAgentQuery, aRegistration, aReport, aSession, aSessionQuery, NAMESPACE } from "../../helpers/records.js";
import { RedisCluster } from "../../helpers/redis-cluster.js";
import { freePort } from "../../helpers/processes.js";
import { RedisProcess } from "../../helpers/redis-process.js";
import { RedisSentinels } from "../../helpers/redis-sentinels.js";
import { freshPrefix } from "../../helpers/redis-storage.js";
import { root } from "../../helpers/repository.js";
import { aCompletion, aLease, aReservation, aTask, aTaskQuery, aWorkflow } from "../../helpers/tasks.js";

const COMMAND_TIMEOUT_MS = 5_000;

/** Of the agent, its report, the session and its task: both come, are taken up and end. */
const COMMITS = 8;
const OF_AGENT = { namespace: NAMESPACE, of: { kind: "agent", agentId: "a" } } as const;

/** Uses a bit of everything. */
async function use(target: RedisTarget, prefix = freshPrefix(), waitReplicas = 0): Promise<void> {
  const storage = await createRedisStorage({ target, prefix, waitReplicas, commandTimeoutMs: COMMAND_TIMEOUT_MS });
  try {
    const follower = new Follower();
    await storage.tail(follower);
    await storage.registerAgent(aRegistration("a", { initialState: State.IDLE, labels: { env: "prod" } }));
    expect(await storage.reserveSlot(aReservation("t"))).toMatchObject({ kind: "reserved" });
    await storage.setState(aReport("a", State.ACTIVE));
    await storage.startSession(aSession("s", "a", { tasks: [aTask("t")] }));
    await storage.leaseTask(aLease("t"));
    await storage.completeTask(aCompletion("t"));
    await storage.putWorkflow(aWorkflow("w"));
    expect((await storage.listWorkflows({ namespace: NAMESPACE, limit: 10, cursor: undefined })).items).toHaveLength(1);
    expect((await storage.listTasks(aTaskQuery())).items).toHaveLength(1);
    expect((await storage.listAgents(anAgentQuery())).items).toHaveLength(1);
    expect((await storage.listSessions(aSessionQuery())).items).toHaveLength(1);
    expect((await storage.getState({ namespace: NAMESPACE, agentId: "a" }))?.state).toBe(State.ACTIVE);
    await storage.expireLeases({ stalledMs: 0 });
    await storage.expireTasks({ jitter: 0 });
    for await (const page of (await storage.snapshotTasks(OF_AGENT)).pages()) expect(page.items).toEqual([]);
    await follower.until(COMMITS);
  } finally {
    await storage.close();
  }
}

/** Why a storage could not be opened. */
async function refusal(target: RedisTarget): Promise<string> {
  const failure = await failureOf(() => createRedisStorage({ target, prefix: freshPrefix(), connectTimeoutMs: 500 }));
  expect(failure.reason).toBe("STORAGE_UNAVAILABLE");
  return (failure.cause as Error | undefined)?.message ?? "";
}

describe("over TLS", () => {
  let certificates: Certificates;
  let redis: RedisProcess;

  beforeAll(async () => {
    certificates = new Certificates();
    const port = await freePort();
    redis = await RedisProcess.start({ port, settings: certificates.settings(port) });
  });

  afterAll(async () => {
    await redis.remove();
    certificates.remove();
  });

  const at = (scheme: string): string => `${scheme}://127.0.0.1:${redis.port}`;

  it("a server is used", async () => {
    await use(parseRedisUrl(at("rediss"), { tls: certificates.client }));
  });

  it("a server whose certificate nobody vouches for is not", async () => {
    const { cert = "", key = "" } = certificates.client;
    expect(await refusal(parseRedisUrl(at("rediss"), { tls: { cert, key } }))).toMatch(/certificate/);
  });

  it("a server does not let in who shows no certificate, or does not speak TLS", async () => {
    const { ca = "" } = certificates.client;
    await refusal(parseRedisUrl(at("rediss"), { tls: { ca } }));
    await refusal(parseRedisUrl(at("redis")));
  });

  it("Sentinels and the primary that they name are used, and the one that they name after it", async () => {
    const sentinels = await RedisSentinels.start({ certificates, password: "secret" });
    try {
      await use(sentinels.target);
      const switched = await sentinels.failover();
      await sentinels.handOver();
      await switched();
      await use(sentinels.target);
    } finally {
      await sentinels.remove();
    }
  });

  it("a Cluster is used", async () => {
    const cluster = await RedisCluster.start({ certificates });
    try {
      await use(cluster.target);
    } finally {
      await cluster.remove();
    }
  });
});

describe("as an ACL user", () => {
  let redis: RedisProcess;
  let admin: Redis;

  beforeAll(async () => {
    redis = await RedisProcess.start();
    admin = new Redis(redis.url);
    // The user that the docs make.
    const page = readFileSync(join(root, "docs/storage.md"), "utf8");
    const [, words = ""] = /redis-cli (ACL SETUSER [\s\S]*?)\n```/.exec(page) ?? [];
    const [command = "", ...args] = words
      .replaceAll(/\\\n|'/g, " ")
      .replaceAll("\\|", "|")
      .split(/\s+/);
    await admin.call(command, ...args);
  });

  afterAll(async () => {
    admin.disconnect();
    await redis.remove();
  });

  const as = (user: string): RedisTarget => parseRedisUrl(`redis://${user}@127.0.0.1:${redis.port}`);

  it("the user of the docs may do everything that is needed, and nothing else is asked of Redis", async () => {
    await admin.call("ACL", "LOG", "RESET");
    await use(as("ops:secret"), "opscore");
    expect(await admin.call("ACL", "LOG")).toEqual([]);
  });

  it("a wrong password is named as what is wrong", async () => {
    expect(await refusal(as("ops:wrong"))).toMatch(/WRONGPASS/);
  });

  it("a user that may not see the keys is named as what is wrong", async () => {
    const { failure } = await attempt(() =>
      createRedisStorage({ target: as("ops:secret"), prefix: "elsewhere", connectTimeoutMs: 500 }),
    );
    expect(failure?.cause).toMatchObject({ message: expect.stringMatching(/NOPERM/) as string });
  });
});
