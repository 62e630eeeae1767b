import { afterAll, beforeAll } from "vitest";
import { describeStorageModel } from "../../contract/storage-model.js";
import { describeStorageContract } from "../../contract/storage.js";
import { present } from "../../contract/storage/harness.js";
import { RedisCluster } from "../../helpers/redis-cluster.js";
import { redisStorageFactory } from "../../helpers/redis-storage.js";

let redis: RedisCluster | undefined;

beforeAll(async () => {
  redis = await RedisCluster.start();
});

afterAll(() => redis?.remove());

const factory = redisStorageFactory(() => ({ target: present(redis).target }));

describeStorageContract("Redis Cluster, two replicas", factory);
describeStorageModel("Redis Cluster", factory, { runs: 10, exactTime: true });
