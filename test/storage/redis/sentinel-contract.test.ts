import { afterAll, beforeAll } from "vitest";
import { describeStorageModel } from "../../contract/storage-model.js";
import { describeStorageContract } from "../../contract/storage.js";
import { describeTaskModel } from "../../contract/task-model.js";
import { present } from "../../contract/storage/harness.js";
import { RedisSentinels } from "../../helpers/redis-sentinels.js";
import { redisStorageFactory } from "../../helpers/redis-storage.js";

let redis: RedisSentinels | undefined;

beforeAll(async () => {
  redis = await RedisSentinels.start({ password: "secret" });
});

afterAll(() => redis?.remove());

const factory = redisStorageFactory(() => ({ target: present(redis).target }));

describeStorageContract("Redis behind Sentinel, two replicas", factory);
describeStorageModel("Redis behind Sentinel", factory, { runs: 10, exactTime: true });
describeTaskModel("Redis behind Sentinel", factory, { runs: 10, exactTime: true });
