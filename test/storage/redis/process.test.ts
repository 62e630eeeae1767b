import { Redis, type RedisOptions } from "ioredis";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { RedisProcess } from "../../helpers/redis-process.js";

describe("a Redis process of the tests", () => {
  let redis: RedisProcess;
  let client: Redis;
  let others: Redis[];

  /** A client that tries once. */
  const other = (options: RedisOptions): Redis => {
    const made = new Redis({ port: redis.port, maxRetriesPerRequest: 0, retryStrategy: () => null, ...options });
    made.on("error", () => undefined);
    others.push(made);
    return made;
  };

  beforeEach(async () => {
    redis = await RedisProcess.start({ settings: { appendonly: "yes", appendfsync: "always" } });
    client = new Redis({ port: redis.port, retryStrategy: () => 20, maxRetriesPerRequest: null });
    client.on("error", () => undefined);
    others = [];
  });

  afterEach(async () => {
    for (const each of [client, ...others]) each.disconnect();
    await redis.remove();
  });

  it("keeps its data through a kill and a restart on the same port", async () => {
    await client.set("key", "value");
    await redis.kill();
    await redis.start();
    expect(await client.get("key")).toBe("value");
  });

  it("answers nothing while it is frozen, and everything after", async () => {
    await client.ping();
    redis.freeze();
    let answered = false;
    const pong = client.ping().then((answer) => {
      answered = true;
      return answer;
    });
    await expect(other({ commandTimeout: 100 }).ping()).rejects.toThrow();
    expect(answered).toBe(false);
    redis.thaw();
    expect(await pong).toBe("PONG");
  });

  it("is gone when it is stopped", async () => {
    await client.ping();
    await redis.stop();
    await expect(other({}).ping()).rejects.toThrow();
  });
});
