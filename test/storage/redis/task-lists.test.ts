import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { TaskStatus, type TaskRecord } from "../../../src/storage/records.js";
import { createRedisStorage, type RedisStorage } from "../../../src/storage/redis/index.js";
import type { ListTasks } from "../../../src/storage/storage.js";
import { times } from "../../contract/storage/harness.js";
import { RedisProcess } from "../../helpers/redis-process.js";
import { freshPrefix } from "../../helpers/redis-storage.js";
import { aFailure, aLease, aRun, aTask, aTaskQuery } from "../../helpers/tasks.js";

/** More tasks in each than microseconds pass between the starts of two: places within a session must not count as time. */
const TASKS = 300;
const SESSIONS = times(24, (index) => `session-${index}`);
/** Of these, one task is in the dead letter. */
const FAILED = SESSIONS.filter((_, index) => index % 5 === 2);

/** Lists of tasks that lie in all partitions. */
describe("tasks of sessions that are spread over the partitions", () => {
  let redis: RedisProcess;
  let storage: RedisStorage;

  beforeAll(async () => {
    redis = await RedisProcess.start();
    storage = await createRedisStorage({ target: redis.target, prefix: freshPrefix(), commandTimeoutMs: 5_000 });
    const tasks = times(TASKS, (index) => aTask(`task-${index}`));
    // Not one after the other: their places are a few microseconds apart.
    await Promise.all(SESSIONS.map((sessionId) => storage.startSession(aRun(tasks, { sessionId }))));
    for (const sessionId of FAILED) {
      await storage.leaseTask(aLease("task-7", 1, { sessionId }));
      await storage.failTask(aFailure("task-7", 1, { sessionId, permanent: true }));
    }
  });
  afterAll(async () => {
    await storage.close();
    await redis.remove();
  });

  const list = async (query: Partial<ListTasks>): Promise<readonly TaskRecord[]> => {
    const items: TaskRecord[] = [];
    let cursor: string | undefined;
    do {
      const page = await storage.listTasks(aTaskQuery({ ...query, cursor }));
      expect(page.items.length).toBeLessThanOrEqual(query.limit ?? 50);
      items.push(...page.items);
      cursor = page.next;
    } while (cursor !== undefined);
    return items;
  };
  const nameOf = ({ sessionId, taskId }: TaskRecord): string => `${sessionId}/${taskId}`;

  it.each([1_000, 217])("come session by session, each in the order of its plan, in pages of %i", async (limit) => {
    const sessions = await storage.listSessions({
      namespace: "default",
      agentId: "",
      workflowId: "",
      statuses: [],
      limit: 100,
      cursor: undefined,
    });
    const expected = sessions.items.flatMap(({ sessionId }) => times(TASKS, (index) => `${sessionId}/task-${index}`));
    expect(expected).toHaveLength(SESSIONS.length * TASKS);
    expect((await list({ limit })).map(nameOf)).toEqual(expected);
  });

  it.each([1, 3, 50])("are found in the dead letter, in pages of %i", async (limit) => {
    const found = await list({ limit, statuses: [TaskStatus.FAILED] });
    expect(found.map(nameOf).sort()).toEqual(FAILED.map((sessionId) => `${sessionId}/task-7`).sort());
    expect((await list({ limit, agentId: "a" })).map(nameOf)).toEqual(found.map(nameOf));
    expect(await list({ limit, agentId: "b" })).toEqual([]);
  });
});
