import { Redis } from "ioredis";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { OpsCoreError } from "../../../src/errors/index.js";
import { createRedisStorage, type RedisStorageOptions } from "../../../src/storage/redis/index.js";
import { freePort } from "../../helpers/processes.js";
import { RedisProcess, targetAt } from "../../helpers/redis-process.js";
import { freshPrefix } from "../../helpers/redis-storage.js";

describe("opening a deployment", () => {
  let redis: RedisProcess;
  let client: Redis;
  let prefix: string;

  beforeAll(async () => {
    redis = await RedisProcess.start();
    client = new Redis(redis.url);
  });
  beforeEach(() => {
    prefix = freshPrefix();
  });
  afterAll(async () => {
    client.disconnect();
    await redis.remove();
  });

  const partitionsOf = async (options: Partial<RedisStorageOptions> = {}): Promise<number> => {
    const storage = await createRedisStorage({ target: redis.target, prefix, ...options });
    try {
      return (await storage.head()).revisions.length;
    } finally {
      await storage.close();
    }
  };

  it("makes one with 16 partitions, and keeps what it was made with", async () => {
    expect(await partitionsOf()).toBe(16);
    expect(await client.hgetall(`${prefix}:deployment`)).toEqual({ schema: "1", partitions: "16" });
    expect(await partitionsOf()).toBe(16);
  });

  it("finds out how many partitions there are", async () => {
    expect(await partitionsOf({ partitions: 3 })).toBe(3);
    expect(await partitionsOf()).toBe(3);
  });

  it("refuses to change how many there are", async () => {
    await partitionsOf({ partitions: 3 });
    await expect(partitionsOf({ partitions: 4 })).rejects.toThrow(
      `${prefix}:deployment was created with 3 partitions, which cannot be changed, and 4 were asked for`,
    );
  });

  it("refuses one of a newer version", async () => {
    await client.hset(`${prefix}:deployment`, "schema", "2", "partitions", "16");
    await expect(partitionsOf()).rejects.toThrow(`${prefix}:deployment has schema version 2`);
  });

  it("refuses one that is damaged", async () => {
    await client.hset(`${prefix}:deployment`, "schema", "1", "partitions", "many");
    await expect(partitionsOf()).rejects.toThrow(`${prefix}:deployment is damaged`);
  });

  it("keeps deployments with different prefixes apart", async () => {
    const other = freshPrefix();
    expect(await partitionsOf({ partitions: 2 })).toBe(2);
    expect(await partitionsOf({ partitions: 5, prefix: other })).toBe(5);
    expect((await client.keys(`${prefix}:*`)).length).toBe(1 + 2);
    expect((await client.keys(`${other}:*`)).length).toBe(1 + 5);
  });

  it("says in time that Redis is not there, and why", async () => {
    const target = targetAt(await freePort());
    const failure: unknown = await createRedisStorage({ target, connectTimeoutMs: 300 }).catch(
      (error: unknown) => error,
    );
    expect(failure).toBeInstanceOf(OpsCoreError);
    expect(failure).toMatchObject({ reason: "STORAGE_UNAVAILABLE", cause: { code: "ECONNREFUSED" } });
  });

  it("waits for a Redis that comes up a little later", async () => {
    const port = await freePort();
    const opening = createRedisStorage({ target: targetAt(port) });
    const late = await RedisProcess.start({ port });
    const storage = await opening;
    expect(storage.ready()).toBe(true);
    await storage.close();
    await late.remove();
  });
});
