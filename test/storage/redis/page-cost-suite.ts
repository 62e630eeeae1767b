import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseSelector } from "../../../src/lib/selector.js";
import { createRedisStorage, type RedisStorage } from "../../../src/storage/redis/index.js";
import { present } from "../../contract/storage/harness.js";
import { RARE, registerMany } from "../../helpers/many-agents.js";
import { pageCost, type PageCost } from "../../helpers/page-cost.js";
import { anAgentQuery } from "../../helpers/records.js";
import { RedisProcess } from "../../helpers/redis-process.js";
import { freshPrefix } from "../../helpers/redis-storage.js";

const LIMIT = 50;

/** Declares that a page costs as much among many agents as among few. */
export function describePageCost(few: number, many: number): void {
  describe(`a page of a list among ${many} agents`, () => {
    let redis: RedisProcess;
    let client: Redis;
    let storage: RedisStorage;

    beforeAll(async () => {
      redis = await RedisProcess.start();
      client = new Redis(redis.url);
      storage = await createRedisStorage({ target: redis.target, prefix: freshPrefix(), commandTimeoutMs: 10_000 });
    });

    afterAll(async () => {
      client.disconnect();
      await storage.close();
      await redis.remove();
    });

    const page = (selector: string, cursor?: string): Promise<PageCost> =>
      pageCost(client, () =>
        storage.listAgents(anAgentQuery({ selector: parseSelector(selector), limit: LIMIT, cursor })),
      );

    it("costs what the page costs, however many agents there are", async () => {
      await registerMany(storage, 0, few);
      const ofFew = { all: await page(""), common: await page("kind=common"), rare: await page("kind=rare") };
      expect(ofFew.all.items).toBe(LIMIT);
      expect(ofFew.rare.items).toBe(few / RARE);

      await registerMany(storage, few, many);
      const ofMany = { all: await page(""), common: await page("kind=common"), rare: await page("kind=rare") };
      expect(ofMany.rare.items).toBe(LIMIT);
      // So many more agents, and the same page: the shares of the partitions differ a little.
      expect(ofMany.all.commands).toBeLessThan(1.5 * ofFew.all.commands);
      expect(ofMany.common.commands).toBeLessThan(1.5 * ofFew.common.commands);
      // Led by the rare label: nothing near the thousands of agents that have it not.
      expect(ofMany.rare.commands).toBeLessThan(3 * ofMany.all.commands);

      let last = ofMany.all;
      for (let read = LIMIT; read < many / 2; read += LIMIT) last = await page("", present(last.next));
      expect(last.items).toBe(LIMIT);
      expect(last.commands).toBeLessThan(1.5 * ofMany.all.commands);
    });
  });
}
