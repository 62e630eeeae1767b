import { Redis } from "ioredis";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Config } from "../../../src/config/index.js";
import { ConfigError, StorageStartError } from "../../../src/server.js";
import { State } from "../../../src/storage/records.js";
import { aRegistration } from "../../helpers/records.js";
import { freePort } from "../../helpers/processes.js";
import { RedisProcess } from "../../helpers/redis-process.js";
import { freshPrefix } from "../../helpers/redis-storage.js";
import { run } from "../../helpers/run.js";
import { startServer } from "../../helpers/server.js";
import { requireCommand } from "../../helpers/system.js";

const PASSWORD = "s3cret/with:odd@characters%";

let redis: RedisProcess;
/** An authority, and the certificates that it signed for Redis and for the server. */
let certificates: string;

beforeAll(async () => {
  certificates = await makeCertificates();
  redis = await RedisProcess.start({ settings: { requirepass: PASSWORD } });
});

afterAll(async () => {
  await redis.remove();
  await rm(certificates, { recursive: true });
});

async function makeCertificates(): Promise<string> {
  requireCommand("openssl");
  const cwd = await mkdtemp(join(tmpdir(), "opscore-certificates-"));
  const openssl = (...args: readonly string[]) => run("openssl", args, { cwd });
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
  await openssl("req", "-x509", ...key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=test authority");
  for (const name of ["redis", "client"]) {
    const signed = ["-CA", "ca.pem", "-CAkey", "ca.key", "-addext", "subjectAltName=DNS:localhost"];
    await openssl(
      "req",
      "-x509",
      ...key,
      ...signed,
      "-keyout",
      `${name}.key`,
      "-out",
      `${name}.pem`,
      "-subj",
      `/CN=${name}`,
    );
  }
  return cwd;
}

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
      `Redis at redis://127.0.0.1:${port}/0 could not be used within 500ms: connect ECONNREFUSED 127.0.0.1:${port}`,
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

  it.each(["http://127.0.0.1:6379", "redis://", "redis://host:port", "redis-sentinel://host:26379"])(
    "does not take %s for the URL of a Redis",
    async (redisUrl) => {
      const failure = await failureOf({ redisUrl });
      expect(failure).toBeInstanceOf(ConfigError);
      expect(failure.message).toContain("REDIS_URL");
    },
  );

  it("names the file that cannot be read, and settings for TLS where none is spoken", async () => {
    const file = join(certificates, "nothing.pem");
    const unreadable = await failureOf({ redisUrl: "rediss://127.0.0.1", redisTlsCaFile: file });
    expect(unreadable).toBeInstanceOf(ConfigError);
    expect(unreadable.message).toMatch(/REDIS_TLS_CA_FILE cannot be read: no such file or directory$/);
    const plain = await failureOf({ redisTlsCaFile: join(certificates, "ca.pem") });
    expect(plain).toBeInstanceOf(ConfigError);
    expect(plain.message).toMatch(/REDIS_URL.*must begin with rediss:/);
  });
});

describe("a server on a Redis that speaks TLS only", () => {
  let secure: RedisProcess;
  let port: number;

  beforeAll(async () => {
    port = await freePort();
    secure = await RedisProcess.start({
      settings: {
        ...{ "tls-port": String(port), "tls-auth-clients": "yes", requirepass: PASSWORD },
        "tls-ca-cert-file": join(certificates, "ca.pem"),
        "tls-cert-file": join(certificates, "redis.pem"),
        "tls-key-file": join(certificates, "redis.key"),
      },
    });
  });

  afterAll(() => secure.remove());

  const tls = (more: Partial<Config> = {}): Partial<Config> => ({
    redisUrl: `rediss://localhost:${port}`,
    redisTlsCaFile: join(certificates, "ca.pem"),
    redisTlsCertFile: join(certificates, "client.pem"),
    redisTlsKeyFile: join(certificates, "client.key"),
    ...more,
  });

  it("starts with the authority, its own certificate and its key", async () => {
    const { server } = await startServer(settings(tls()));
    expect(await server.storage.ready()).toBe(true);
    const { agent } = await server.storage.registerAgent(aRegistration("a"));
    expect(agent.record.agentId).toBe("a");
  });

  it.each([
    ["an authority that it does not know", { redisTlsCaFile: undefined }, /certificate|self-signed/i],
    ["the name of somebody else", { redisTlsServername: "other.example" }, /other\.example/],
    ["no certificate of its own", { redisTlsCertFile: undefined, redisTlsKeyFile: undefined }, /certificate|closed/i],
  ] as const)("does not start with %s", async (_, more, words) => {
    const failure = await failureOf(tls(more));
    expect(failure).toBeInstanceOf(StorageStartError);
    expect(failure.message).toMatch(words);
  });
});
