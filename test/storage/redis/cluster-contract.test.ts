import { afterAll, beforeAll, vi } from "vitest";
import { describeStorageModel } from "../../contract/storage-model.js";
import { describeStorageContract } from "../../contract/storage.js";
import { describeTaskModel } from "../../contract/task-model.js";
import { present } from "../../contract/storage/harness.js";
import { RedisCluster } from "../../helpers/redis-cluster.js";
import { redisStorageFactory } from "../../helpers/redis-storage.js";

// Six nodes and their connections take turns on the machine: what waits for thousands of answers one after the other takes long.
vi.setConfig({ testTimeout: 120_000 });

let redis: RedisCluster | undefined;

beforeAll(async () => {
  redis = await RedisCluster.start();
});

afterAll(() => redis?.remove());

const factory = redisStorageFactory(() => ({ target: present(redis).target }));

describeStorageContract("Redis Cluster, two replicas", factory);
describeStorageModel("Redis Cluster", factory, { runs: 10, exactTime: true });
describeTaskModel("Redis Cluster", factory, { runs: 10, exactTime: true });
