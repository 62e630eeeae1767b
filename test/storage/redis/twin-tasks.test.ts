/** What runs work in the memory storage and in the Redis storage with one partition is the same: to the last field of every answer. */
import fc from "fast-check";
import { afterAll, beforeAll, describe, it } from "vitest";
import { TaskStatus } from "../../../src/storage/records.js";
import type { Page, TaskSnapshotQuery } from "../../../src/storage/storage.js";
import { RedisProcess } from "../../helpers/redis-process.js";
import { AGENTS, NAMESPACES, SESSIONS, sorted, start, step } from "./twin-task-commands.js";
import { playOnTwins, type Twins } from "./twins.js";

const RUNS = 40;
/** There is much to read. */
const READ_EVERY = 8;
const LIMITS = { historyAgeMs: 5_000, maxEndedSessions: 2 };
const STATUSES = Object.values(TaskStatus);

describe("Work in Redis with one partition", () => {
  let redis: RedisProcess;

  beforeAll(async () => {
    redis = await RedisProcess.start();
  });
  afterAll(() => redis.remove());

  it("is work in the memory storage to the last field", { timeout: 120_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(start, fc.array(step, { minLength: 20, maxLength: 80, size: "max" }), (first, steps) =>
        playOnTwins(redis.target, LIMITS, [first, ...steps], readWork, READ_EVERY),
      ),
      { numRuns: RUNS },
    );
  });
});

async function readWork(twins: Twins): Promise<void> {
  for (const name of NAMESPACES) {
    const all = { namespace: name, sessionId: "", agentId: "", statuses: [] };
    const sessions = { namespace: name, agentId: "", workflowId: "", statuses: [], limit: 10, cursor: undefined };
    await twins.expectSame("listSessions", (on) => on.listSessions(sessions));
    await twins.expectSame("listTasks", (on) => pages((page) => on.listTasks({ ...all, ...page })));
    for (const agent of AGENTS) {
      await twins.expectSame("of agent", (on) => pages((page) => on.listTasks({ ...all, agentId: agent, ...page })));
      await expectSameSnapshot(twins, { namespace: name, of: { kind: "agent", agentId: agent } });
    }
    for (const status of STATUSES) {
      const statuses = [status];
      await twins.expectSame("of status", (on) => pages((page) => on.listTasks({ ...all, statuses, ...page })));
    }
    const several = { statuses: [TaskStatus.FAILED, TaskStatus.READY, TaskStatus.FAILED], agentId: "a" };
    await twins.expectSame("of several", (on) => pages((page) => on.listTasks({ ...all, ...several, ...page })));
    for (const id of SESSIONS) {
      await twins.expectSame("of session", (on) => pages((page) => on.listTasks({ ...all, sessionId: id, ...page })));
    }
    await twins.expectSame("getTask", (on) => on.getTask({ namespace: name, sessionId: "s", taskId: "x" }));
    await twins.expectSame("listWorkflows", (on) => pages((page) => on.listWorkflows({ namespace: name, ...page })));
    await expectSameSnapshot(twins, { namespace: name, of: { kind: "open" } });
    await expectSameSnapshot(twins, { namespace: name, of: { kind: "sessions", sessionIds: ["u", "s", "u"] } });
  }
  await expectSameSnapshot(twins, { namespace: undefined, of: { kind: "open" } });
}

/** Everything in a list, by small pages. */
async function pages<T>(
  read: (page: { readonly limit: number; readonly cursor: string | undefined }) => Page<T> | Promise<Page<T>>,
): Promise<readonly T[]> {
  const items: T[] = [];
  let cursor: string | undefined;
  do {
    const page: Page<T> = await read({ limit: 2, cursor });
    items.push(...page.items);
    cursor = page.next;
  } while (cursor !== undefined);
  return items;
}

async function expectSameSnapshot(twins: Twins, query: TaskSnapshotQuery): Promise<void> {
  await twins.expectSame(`snapshot ${query.of.kind}`, async (on) => {
    const items = [];
    for await (const page of (await on.snapshotTasks(query)).pages()) items.push(...page.items);
    return sorted(items);
  });
}
