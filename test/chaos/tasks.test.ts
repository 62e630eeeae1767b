import { it } from "vitest";
import { RedisProcess } from "../helpers/redis-process.js";
import { runStorm } from "../helpers/task-storm.js";

it("10,000 tasks over 50 agents that crash, with two replicas of which one is killed again and again", async () => {
  const redis = await RedisProcess.start();
  try {
    await runStorm({
      sessions: 100,
      width: 98,
      agents: 50,
      crashOneIn: 100,
      failOneIn: 25,
      killEvery: 1_500,
      settings: { OPSCORE_STORAGE_TYPE: "redis", REDIS_URL: redis.url },
    });
  } finally {
    await redis.remove();
  }
});
