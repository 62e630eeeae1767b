import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Config } from "../../../src/config/index.js";
import { ConfigError, StorageStartError } from "../../../src/server.js";
import { State } from "../../../src/storage/records.js";
import { aRegistration } from "../../helpers/records.js";
import { freePort, RedisProcess } from "../../helpers/redis-process.js";
import { freshPrefix } from "../../helpers/redis-storage.js";
import { startServer } from "../../helpers/server.js";

const PASSWORD = "s3cret/with:odd@characters%";

let redis: RedisProcess;

beforeAll(async () => {
  redis = await RedisProcess.start({ settings: { requirepass: PASSWORD } });
});

afterAll(() => redis.remove());

function settings(more: Partial<Config> = {}): Partial<Config> {
  return {
    storageType: "redis",
    redisHost: redis.host,
    redisPort: redis.port,
    redisPassword: PASSWORD,
    redisPrefix: freshPrefix(),
    redisConnectTimeoutMs: 500,
    ...more,
  };
}

/** Why a server with these settings does not start. */
async function failureOf(more: Partial<Config>): Promise<Error> {
  const failure = await startServer(settings(more)).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(failure instanceof Error)) throw new Error("the server started");
  expect(failure.message).not.toContain(PASSWORD);
  expect(failure.message).not.toContain("wrong-password");
  return failure;
}

describe("a server on Redis", () => {
  it("starts with a host, a port and a password", async () => {
    const { server, logs } = await startServer(settings());
    const { agent } = await server.storage.registerAgent(aRegistration("a", { initialState: State.IDLE }));
    expect(agent.state.state).toBe(State.IDLE);
    expect(logs.map(({ msg }) => msg)).toContain("following the log");
    expect(JSON.stringify(logs)).not.toContain(PASSWORD);
  });

  it("prefers a URL, in which user and password may stand or be left out", async () => {
    const url = `redis://${redis.host}:${redis.port}/0`;
    const withSecrets = `redis://default:${encodeURIComponent(PASSWORD)}@${redis.host}:${redis.port}`;
    for (const more of [{ redisUrl: url }, { redisUrl: withSecrets, redisPassword: undefined }]) {
      const { server } = await startServer(settings({ ...more, redisHost: "nowhere.invalid" }));
      expect(await server.storage.ready()).toBe(true);
    }
  });

  it("signs in as the user it is told to be", async () => {
    const admin = new Redis({ host: redis.host, port: redis.port, password: PASSWORD });
    await admin.acl("SETUSER", "ops", "on", ">ops-pass", "~*", "&*", "+@all");
    const { server } = await startServer(settings({ redisUsername: "ops", redisPassword: "ops-pass" }));
    expect(await server.storage.ready()).toBe(true);
    expect(await admin.client("LIST")).toMatch(/user=ops/);
    admin.disconnect();
  });

  it("says where it looked for a Redis that is not there", async () => {
    const port = await freePort();
    const failure = await failureOf({ redisPort: port });
    expect(failure).toBeInstanceOf(StorageStartError);
    expect(failure.message).toBe(
      `Redis at redis://127.0.0.1:${port} could not be used within 500ms: connect ECONNREFUSED 127.0.0.1:${port}`,
    );
  });

  it.each([
    ["no password", { redisPassword: undefined }, /NOAUTH/],
    ["the wrong password", { redisPassword: "wrong-password" }, /WRONGPASS/],
    ["the wrong user", { redisUsername: "nobody" }, /WRONGPASS/],
    ["a name that is none", { redisHost: "nowhere.invalid" }, /nowhere\.invalid/],
  ] as const)("says so when it has %s", async (_, more, words) => {
    const failure = await failureOf(more);
    expect(failure).toBeInstanceOf(StorageStartError);
    expect(failure.message).toMatch(words);
  });

  it("refuses a deployment of another schema, and another number of partitions", async () => {
    const admin = new Redis({ host: redis.host, port: redis.port, password: PASSWORD });
    const redisPrefix = freshPrefix();
    const first = await startServer(settings({ redisPrefix, redisPartitions: 4 }));
    await first.server.close();
    expect((await failureOf({ redisPrefix, redisPartitions: 8 })).message).toMatch(/created with 4 partitions/);
    const [key = ""] = await admin.keys(`${redisPrefix}:deployment*`);
    await admin.hset(key, "schema", "99");
    const failure = await failureOf({ redisPrefix });
    expect(failure).toBeInstanceOf(StorageStartError);
    expect(failure.message).toMatch(/schema version 99/);
    admin.disconnect();
  });

  it.each(["http://127.0.0.1:6379", "redis://", "redis://host:port"])(
    "does not take %s for the URL of a Redis",
    async (redisUrl) => {
      const failure = await failureOf({ redisUrl });
      expect(failure).toBeInstanceOf(ConfigError);
      expect(failure.message).toContain("REDIS_URL");
    },
  );
});
