import { describe, expect, it } from "vitest";
import { ConfigError, loadConfig, SETTINGS } from "../../src/config/index.js";
import { settingEntries } from "../../src/config/load.js";
import { REDIS_STORAGE_DEFAULTS } from "../../src/storage/redis/index.js";

function problemsOf(run: () => unknown): Record<string, string> {
  try {
    run();
  } catch (error) {
    if (error instanceof ConfigError) {
      return Object.fromEntries(error.problems.map(({ name, description }) => [name, description]));
    }
    throw error;
  }
  throw new Error("the configuration was accepted");
}

describe("loadConfig", () => {
  it("gives the defaults without any source", () => {
    const config = loadConfig();
    expect(config).toMatchObject({ host: "127.0.0.1", port: 8080, storageType: "memory", insecure: false });
    expect(config.apiKey).toBeUndefined();
    expect(config.drainTimeoutMs).toBe(10_000);
    expect(config.maxRequestBytes).toBe(4 * 1024 * 1024);
    expect(config.historyMaxAgeMs).toBe(7 * 24 * 3600 * 1000);
  });

  it.each([
    ["OPSCORE_PORT", "0", "port", 0],
    ["OPSCORE_PORT", "65535", "port", 65_535],
    ["OPSCORE_HOST", "::1", "host", "::1"],
    ["OPSCORE_DRAIN_TIMEOUT", "500ms", "drainTimeoutMs", 500],
    ["OPSCORE_DRAIN_TIMEOUT", "1.5s", "drainTimeoutMs", 1500],
    ["OPSCORE_DRAIN_TIMEOUT", "0", "drainTimeoutMs", 0],
    ["OPSCORE_HISTORY_MAX_AGE", "14d", "historyMaxAgeMs", 14 * 86_400_000],
    ["OPSCORE_MAX_REQUEST_BYTES", "64KiB", "maxRequestBytes", 65_536],
    ["OPSCORE_MAX_REQUEST_BYTES", "1 mib", "maxRequestBytes", 1_048_576],
    ["OPSCORE_MAX_REQUEST_BYTES", "8192", "maxRequestBytes", 8192],
    ["OPSCORE_INSECURE", "TRUE", "insecure", true],
    ["OPSCORE_INSECURE", "0", "insecure", false],
    ["LOG_LEVEL", "WARNING", "logLevel", "warn"],
    ["LOG_LEVEL", "Debug", "logLevel", "debug"],
    ["OPSCORE_API_KEY", "k3y", "apiKey", "k3y"],
    ["OPSCORE_API_KEY", "", "apiKey", undefined],
    ["OPSCORE_STORAGE_TYPE", "Redis", "storageType", "redis"],
    ["REDIS_URL", "rediss://:pw@redis.internal:6380/2", "redisUrl", "rediss://:pw@redis.internal:6380/2"],
    ["REDIS_HOST", "redis", "redisHost", "redis"],
    ["REDIS_PORT", "6380", "redisPort", 6380],
    ["REDIS_TLS_CA_FILE", "/etc/ssl/redis ca.pem", "redisTlsCaFile", "/etc/ssl/redis ca.pem"],
    ["OPSCORE_REDIS_WAIT_REPLICAS", "2", "redisWaitReplicas", 2],
    ["REDIS_PASSWORD", "a b%c/", "redisPassword", "a b%c/"],
    ["OPSCORE_REDIS_PREFIX", "staging", "redisPrefix", "staging"],
    ["OPSCORE_REDIS_PARTITIONS", "32", "redisPartitions", 32],
    ["OPSCORE_REDIS_COMMAND_TIMEOUT", "2s", "redisCommandTimeoutMs", 2000],
  ])("reads %s=%s", (variable, text, key, value) => {
    expect(loadConfig({ env: { [variable]: text } })).toHaveProperty(key, value);
  });

  it.each([
    ["OPSCORE_PORT", "eighty"],
    ["OPSCORE_PORT", "65536"],
    ["OPSCORE_PORT", "-1"],
    ["OPSCORE_PORT", "80.5"],
    ["OPSCORE_PORT", "0x50"],
    ["OPSCORE_HOST", "a b"],
    ["OPSCORE_DRAIN_TIMEOUT", "10 parsecs"],
    ["OPSCORE_DRAIN_TIMEOUT", "11m"],
    ["OPSCORE_DRAIN_TIMEOUT", "2500"],
    ["OPSCORE_MAX_REQUEST_BYTES", "1"],
    ["OPSCORE_MAX_REQUEST_BYTES", "4MB"],
    ["OPSCORE_INSECURE", "maybe"],
    ["LOG_LEVEL", "loud"],
    ["OPSCORE_LOG_FORMAT", "xml"],
    ["OPSCORE_STORAGE_TYPE", "etcd"],
    ["REDIS_HOST", "a b"],
    ["REDIS_PORT", "0"],
    ["OPSCORE_REDIS_PREFIX", "{tag}"],
    ["OPSCORE_REDIS_PARTITIONS", "-1"],
    ["OPSCORE_REDIS_COMMAND_TIMEOUT", "1ms"],
  ])("refuses %s=%s, naming it and what is expected", (variable, text) => {
    const setting = settingEntries().find(([, { env }]) => env === variable)?.[1];
    expect(problemsOf(() => loadConfig({ env: { [variable]: text } }))).toEqual({
      [variable]: `must be ${setting?.expects ?? "?"}, got ${JSON.stringify(text)}`,
    });
  });

  it("names every problem at once", () => {
    const env = { OPSCORE_PORT: "x", LOG_LEVEL: "y", OPSCORE_PROT: "1", OPSCORE_LATER: "1" };
    expect(Object.keys(problemsOf(() => loadConfig({ env }))).sort()).toEqual(Object.keys(env).sort());
  });

  it("suggests the setting that was meant", () => {
    expect(problemsOf(() => loadConfig({ env: { OPSCORE_PROT: "1" } }))).toEqual({
      OPSCORE_PROT: "is not a setting; did you mean OPSCORE_PORT?",
    });
    expect(problemsOf(() => loadConfig({ env: { OPSCORE_MOON_PHASE: "full" } }))).toEqual({
      OPSCORE_MOON_PHASE: "is not a setting",
    });
  });

  it("leaves the variables of clients and of others alone", () => {
    const env = { OPSCORE_URL: "http://x", OPSCORE_NAMESPACE: "n", PATH: "/bin", PORT: "1" };
    expect(loadConfig({ env })).toEqual(loadConfig());
  });

  it("does not repeat a secret that it refuses", () => {
    expect(() => loadConfig({ env: { OPSCORE_API_KEY: "my secret" } })).toThrow(ConfigError);
    expect(() => loadConfig({ env: { OPSCORE_API_KEY: "my secret" } })).not.toThrow(/my secret/);
  });

  it("does not repeat a Redis URL or password, which may be secrets", () => {
    const env = { REDIS_URL: "my secret", REDIS_PASSWORD: "secret\nsecret" };
    expect(Object.keys(problemsOf(() => loadConfig({ env })))).toEqual(Object.keys(env));
    expect(() => loadConfig({ env })).not.toThrow(/secret/);
  });

  it("lets flags win over the environment", () => {
    const config = loadConfig({
      env: { OPSCORE_PORT: "1", OPSCORE_DRAIN_TIMEOUT: "1s" },
      flags: { port: "2", insecure: true, drainTimeout: undefined, json: true },
    });
    expect(config).toMatchObject({ port: 2, insecure: true, drainTimeoutMs: 1000 });
  });

  it("names a wrong flag by its name", () => {
    expect(problemsOf(() => loadConfig({ flags: { drainTimeout: "soon" } }))).toHaveProperty("--drain-timeout");
  });

  it.each([[{}], [[8080]], [null], [() => 8080], [Symbol("port")], [Number.NaN]])("refuses the flag %o", (port) => {
    expect(problemsOf(() => loadConfig({ flags: { port } }))).toHaveProperty("--port");
  });

  it("takes numbers and booleans from a program", () => {
    expect(loadConfig({ flags: { port: 0, insecure: true } })).toMatchObject({ port: 0, insecure: true });
  });
});

describe("what may not be at once", () => {
  it.each(["0.0.0.0", "::", "10.0.0.1", "example.com"])("%s without a key names both ways out", (host) => {
    const problems = problemsOf(() => loadConfig({ env: { OPSCORE_HOST: host } }));
    expect(problems).toHaveProperty("OPSCORE_HOST");
    expect(problems["OPSCORE_HOST"]).toMatch(/OPSCORE_API_KEY.*OPSCORE_INSECURE=true/);
  });

  it.each([{ OPSCORE_API_KEY: "k" }, { OPSCORE_INSECURE: "true" }])("0.0.0.0 is accepted with %o", (more) => {
    expect(loadConfig({ env: { OPSCORE_HOST: "0.0.0.0", ...more } }).host).toBe("0.0.0.0");
  });

  it.each(["127.0.0.1", "127.1.2.3", "::1", "localhost"])("%s needs no key", (host) => {
    expect(loadConfig({ env: { OPSCORE_HOST: host } }).host).toBe(host);
  });
});

describe("what is of no use alone", () => {
  it.each([
    ["REDIS_USERNAME", "REDIS_PASSWORD"],
    ["REDIS_SENTINEL_USERNAME", "REDIS_SENTINEL_PASSWORD"],
    ["REDIS_TLS_CERT_FILE", "REDIS_TLS_KEY_FILE"],
    ["REDIS_TLS_KEY_FILE", "REDIS_TLS_CERT_FILE"],
  ])("%s without %s", (given, wanted) => {
    const problems = problemsOf(() => loadConfig({ env: { [given]: "x" } }));
    expect(problems).toEqual({ [given]: `is of no use without ${wanted}` });
    expect(() => loadConfig({ env: { [given]: "x", [wanted]: "y" } })).not.toThrow();
  });
});

describe("the table of settings", () => {
  it("has the defaults of the Redis storage", () => {
    const config = loadConfig();
    expect(REDIS_STORAGE_DEFAULTS).toMatchObject({
      prefix: config.redisPrefix,
      commandTimeoutMs: config.redisCommandTimeoutMs,
      connectTimeoutMs: config.redisConnectTimeoutMs,
      waitReplicas: config.redisWaitReplicas,
      logCapacity: config.logMaxEntries,
      historyLimit: config.historyMaxEntries,
      historyAgeMs: config.historyMaxAgeMs,
      maxHeldReports: config.maxHeldReports,
    });
  });

  it("has each name once", () => {
    const names = Object.values(SETTINGS).flatMap(({ env, flag }) => [env, `--${flag}`]);
    expect(new Set(names).size).toBe(names.length);
  });

  it.each(settingEntries())("%s: its default passes its own check when it is printed and read", (_, setting) => {
    if (setting.default === undefined) return;
    expect(setting.read(setting.print(setting.default))).toEqual(setting.default);
  });
});
