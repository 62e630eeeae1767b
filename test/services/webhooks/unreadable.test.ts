/** Documents of webhooks that somebody has damaged. */
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { State } from "../../../gen/opscore/v1/common_pb.js";
import { createRedisStorage } from "../../../src/storage/redis/index.js";
import { Keys } from "../../../src/storage/redis/keys.js";
import { RedisProcess } from "../../helpers/redis-process.js";
import { freshPrefix } from "../../helpers/redis-storage.js";
import { failure } from "../harness.js";
import { Receiver } from "./receiver.js";
import { looksOf, setUp } from "./sending.js";

describe("a document that cannot be read", () => {
  let redis: RedisProcess;
  let client: Redis;

  beforeAll(async () => {
    redis = await RedisProcess.start();
    client = new Redis(redis.url);
  });
  afterAll(async () => {
    client.disconnect();
    await redis.remove();
  });

  const onRedis = async () => {
    const prefix = freshPrefix();
    const storage = await createRedisStorage({ target: redis.target, prefix });
    onTestFinished(() => storage.close());
    const keys = new Keys(prefix, 16);
    const keyOf = (kind: string, name: string) => keys.document(keys.partitionOf("kinds", kind), kind, name);
    return { ...setUp({}, () => storage), keyOf };
  };

  const damages: readonly (readonly [string, (key: string) => Promise<unknown>])[] = [
    ["no JSON", (key) => client.set(key, "7 {")],
    ["JSON that is no object", (key) => client.set(key, "7 []")],
    ["an object that is no webhook", (key) => client.set(key, '7 {"url":1}')],
    ["without a revision", (key) => client.set(key, "ruined")],
    ["empty", (key) => client.set(key, "")],
    ["a key of another type", async (key) => [await client.del(key), await client.rpush(key, "ruined")]],
  ];

  it.each(damages)("%s harms only its own webhook, and is told once until it is repaired", async (_, damage) => {
    const { agents, webhooks, replica, report, storage, failures, unreadable, keyOf } = await onRedis();
    const [receiver, other] = await Promise.all([Receiver.start(), Receiver.start()]);
    await webhooks.createWebhook({ webhookId: "broken", url: receiver.url });
    await webhooks.createWebhook({ webhookId: "sound", url: other.url });
    const key = keyOf("webhook", "default/broken");
    const before = (await client.get(key)) ?? "";
    await damage(key);
    const looks = looksOf(storage);
    const deliveries = replica();
    await agents.registerAgent({ agentId: "a" });
    await other.until(({ events }) => events.includes("a UNKNOWN"));
    await looks.atLeast(looks.count + 4);
    expect([failures, unreadable.length, deliveries.unreadable]).toEqual([[], 1, 1]);
    expect(unreadable[0]).toMatchObject({ reason: "CORRUPT_RECORD" });
    expect(unreadable[0]?.message).toContain("webhook/default/broken");
    await failure("CORRUPT_RECORD", () => webhooks.getWebhook({ webhookId: "broken" }));
    await webhooks.createWebhook({ webhookId: "third", url: "https://receiver.test/hook" });

    await client.del(key);
    await client.set(key, before);
    await receiver.until(({ events }) => events.includes("a UNKNOWN"));
    await looks.atLeast(looks.count + 2);
    expect(deliveries.unreadable).toBe(0);

    await damage(key);
    await looks.atLeast(looks.count + 3);
    await report("a", State.IDLE);
    await other.until(({ events }) => events.includes("a IDLE"));
    expect([unreadable.length, deliveries.unreadable]).toEqual([2, 1]);
  });

  it("of another replica's presence keeps nobody from sending", async () => {
    const { agents, webhooks, replica, storage, failures, unreadable, keyOf } = await onRedis();
    const receiver = await Receiver.start();
    await webhooks.createWebhook({ webhookId: "w", url: receiver.url });
    const gone = { kind: "webhook-sender", namespace: "default", id: "gone" };
    await storage.writeDocument({ ...gone, body: {}, expectedRevision: 0 });
    await client.set(keyOf("webhook-sender", "default/gone"), "ruined");
    replica();
    await agents.registerAgent({ agentId: "a" });
    await receiver.until(({ events }) => events.includes("a UNKNOWN"));
    expect([failures, unreadable.length]).toEqual([[], 1]);
  });
});
