import { describe, expect, it } from "vitest";
import { describeTarget, parseRedisUrl, RedisUrlError, type RedisUrlExtras } from "../../../src/storage/redis/index.js";

const SECRET = "s3cret";

describe("a Redis URL", () => {
  it.each<readonly [string, RedisUrlExtras, unknown]>([
    ["redis://localhost", {}, { kind: "standalone", address: { host: "localhost", port: 6379 } }],
    ["redis://127.0.0.1:6380/3", {}, { kind: "standalone", address: { host: "127.0.0.1", port: 6380 }, database: 3 }],
    ["redis://[::1]:7000/", {}, { kind: "standalone", address: { host: "::1", port: 7000 } }],
    [
      "redis://:pass%40word@redis",
      {},
      { kind: "standalone", address: { host: "redis", port: 6379 }, password: "pass@word" },
    ],
    [
      "rediss://ops:a%2Fb@redis.example.com:6390",
      {},
      {
        kind: "standalone",
        address: { host: "redis.example.com", port: 6390 },
        username: "ops",
        password: "a/b",
        tls: {},
      },
    ],
    [
      "rediss://redis.example.com",
      { tls: { ca: "PEM" }, user: { username: "ops", password: SECRET } },
      {
        kind: "standalone",
        address: { host: "redis.example.com", port: 6379 },
        username: "ops",
        password: SECRET,
        tls: { ca: "PEM" },
      },
    ],
    [
      "redis-sentinel://ops:pw@h1,h2:26380/my%20primary/2?sentinel_user=s&sentinel_password=p%26q",
      {},
      {
        kind: "sentinel",
        sentinels: [
          { host: "h1", port: 26379 },
          { host: "h2", port: 26380 },
        ],
        masterName: "my primary",
        database: 2,
        username: "ops",
        password: "pw",
        sentinelUser: { username: "s", password: "p&q" },
      },
    ],
    [
      "redis-sentinel://h1/primary",
      { sentinelUser: { password: SECRET } },
      {
        kind: "sentinel",
        sentinels: [{ host: "h1", port: 26379 }],
        masterName: "primary",
        sentinelUser: { password: SECRET },
      },
    ],
    [
      "rediss-cluster://:pw@h1:7000,[fd00::1]:7001",
      {},
      {
        kind: "cluster",
        seeds: [
          { host: "h1", port: 7000 },
          { host: "fd00::1", port: 7001 },
        ],
        password: "pw",
        tls: {},
      },
    ],
  ])("%s", (url, extras, target) => {
    expect(parseRedisUrl(url, extras)).toEqual(target);
  });

  it.each([
    ["", /^a Redis URL begins with redis:\/\/, rediss:\/\/,/],
    [`http://u:${SECRET}@h`, /^a Redis URL begins with/],
    [`redis://u:${SECRET}/x@h`, /percent-encoded/],
    [`redis://u:${SECRET}#x@h`, /^a Redis URL begins with/],
    [`redis://u:${SECRET}?x@h`, /percent-encoded/],
    [`redis://u:${SECRET}%zz@h`, /the password is not percent-encoded/],
    [`redis://${SECRET}@h`, /the password is missing/],
    [`redis://u:${SECRET}@`, /host 1 is not of the form/],
    [`redis://u:${SECRET}@h:port`, /host 1 is not of the form/],
    [`redis://u:${SECRET}`, /host 1 is not of the form/],
    [`redis://u:${SECRET}@h:0`, /the port of host 1 is not between 1 and 65535/],
    [`redis://u:${SECRET}@h:70000`, /the port of host 1 is not between 1 and 65535/],
    [`redis://u:${SECRET}@h1,h2`, /one host is wanted/],
    [`redis://u:${SECRET}@h/one`, /the database is not a number between 0 and 65535/],
    [`redis://u:${SECRET}@h/1/2`, /the path has too many parts/],
    [`redis://u:${SECRET}@h?db=${SECRET}`, /parameter 1 behind the \? is not known/],
    [`redis-sentinel://u:${SECRET}@h1,,h3/primary`, /host 2 is not of the form/],
    [`redis-sentinel://u:${SECRET}@h1`, /the name of the master is missing/],
    [`redis-sentinel://h1/primary?sentinel_user=${SECRET}`, /sentinel_password is not/],
    [`redis-cluster://u:${SECRET}@h1/1`, /no databases/],
  ])("%s is refused by name of the part, without the password", (url, message) => {
    const failure = refusalOf(url);
    expect(failure.message).toMatch(message);
    expect(failure.message).not.toContain(SECRET);
  });

  it("is refused without TLS where there are settings for it", () => {
    expect(refusalOf("redis-sentinel://h/primary", { tls: { ca: "PEM" } }).message).toMatch(
      /must begin with rediss-sentinel:\/\/$/,
    );
  });

  it("can be shown without what is secret", () => {
    const shown = (url: string): string => describeTarget(parseRedisUrl(url));
    expect(shown(`rediss://u:${SECRET}@h:1/2`)).toBe("rediss://h:1/2");
    expect(shown(`redis-sentinel://u:${SECRET}@h1,[::1]/p?sentinel_password=${SECRET}`)).toBe(
      "redis-sentinel://h1:26379,[::1]:26379/p",
    );
    expect(shown(`redis-cluster://u:${SECRET}@h1,h2:7000`)).toBe("redis-cluster://h1:6379,h2:7000");
  });
});

function refusalOf(url: string, extras: RedisUrlExtras = {}): RedisUrlError {
  try {
    parseRedisUrl(url, extras);
  } catch (thrown) {
    if (thrown instanceof RedisUrlError) return thrown;
    throw thrown;
  }
  throw new Error(`${url} was not refused`);
}
