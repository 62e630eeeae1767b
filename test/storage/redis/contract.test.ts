import { afterAll, beforeAll } from "vitest";
import { describeStorageModel } from "../../contract/storage-model.js";
import { describeStorageContract } from "../../contract/storage.js";
import { describeTaskModel } from "../../contract/task-model.js";
import { present } from "../../contract/storage/harness.js";
import { RedisProcess } from "../../helpers/redis-process.js";
import { redisStorageFactory } from "../../helpers/redis-storage.js";

let redis: RedisProcess | undefined;

beforeAll(async () => {
  redis = await RedisProcess.start();
});

afterAll(() => redis?.remove());

const factory = redisStorageFactory(() => ({ target: present(redis).target }));

describeStorageContract("Redis, one node, two replicas", factory);
describeStorageModel("Redis, one node", factory, { runs: 50, exactTime: true });
describeTaskModel("Redis, one node", factory, { runs: 20, exactTime: true });
