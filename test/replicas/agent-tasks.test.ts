/** Agents that take their tasks through `agent.tasks()` from two servers on one Redis, of which one is killed. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { SessionStatus } from "../../gen/opscore/v1/session_service_pb.js";
import { TaskStatus, type Task } from "../../gen/opscore/v1/task_service_pb.js";
import type { Agent, OpsCoreClient } from "../../src/client/index.js";
import { Proxy } from "../client/helpers/proxy.js";
import { aborted, agentOf, clientOf, next, trigger } from "../client/helpers/tasks.js";
import { RedisProcess } from "../helpers/redis-process.js";
import { freshPrefix } from "../helpers/redis-storage.js";
import { ServerProcess } from "../helpers/server-process.js";

const TASKS = 40;
const AT_ONCE = 4;

let redis: RedisProcess;

beforeAll(async () => {
  redis = await RedisProcess.start();
});

afterAll(() => redis.remove());

interface Scene {
  /** The replica that the agent is connected to, and the one that is left when it is killed. */
  readonly one: ServerProcess;
  readonly other: ServerProcess;
  /** Where the agent's connections go, as a balancer would lead them. */
  readonly line: Proxy;
  readonly agent: Agent;
  /** Of everybody else: at the other replica. */
  readonly client: OpsCoreClient;
}

async function setUp(): Promise<Scene> {
  const prefix = freshPrefix();
  const settings = { OPSCORE_STORAGE_TYPE: "redis", REDIS_URL: redis.url, OPSCORE_REDIS_PREFIX: prefix };
  const [one, other] = await Promise.all([ServerProcess.start(settings), ServerProcess.start(settings)]);
  const line = await Proxy.start(one.url);
  const client = clientOf(other.url);
  const agent = await agentOf(clientOf(line.url), { maxConcurrentTasks: AT_ONCE });
  return { one, other, line, agent, client };
}

/** Every change of the session's tasks, from its start to its end. */
async function changesOf(client: OpsCoreClient, sessionId: string): Promise<readonly Task[]> {
  const changes: Task[] = [];
  const open = new Set<string>();
  for await (const item of client.watchTasks({ sessionIds: [sessionId] })) {
    const task = item.type === "snapshot" ? item.task : item.type === "event" ? item.event.task : undefined;
    if (task === undefined) continue;
    changes.push(task);
    if (task.status < TaskStatus.COMPLETED) open.add(task.taskId);
    else open.delete(task.taskId);
    if (open.size === 0 && item.type === "event") return changes;
  }
  throw new Error("the watch ended before the session");
}

it(
  "an agent whose replica is killed goes on at the other, and each task has one result",
  { timeout: 60_000 },
  async () => {
    const { one, other, line, agent, client } = await setUp();
    const taskIds = Array.from({ length: TASKS }, (_, i) => `t-${i}`);
    await trigger(
      client,
      taskIds.map((taskId) => ({ taskId })),
    );
    const watched = changesOf(client, "s");
    const handedOver: string[] = [];
    const answers: Promise<void>[] = [];
    let killed: Promise<void> | undefined;
    for await (const task of agent.tasks()) {
      handedOver.push(`${task.taskId} ${task.attempt}`);
      if (handedOver.length === TASKS / 2) {
        line.pointTo(other.url);
        killed = one.kill();
        // With answers under way, some of which the replica has committed and will never confirm.
      }
      answers.push(task.complete({ number: handedOver.length }));
      if (handedOver.length === TASKS) break;
    }
    await Promise.all(answers);
    await killed;
    expect(handedOver.sort()).toEqual(taskIds.map((taskId) => `${taskId} 1`).sort());

    const changes = await watched;
    const accepted = changes.filter(({ status }) => status === TaskStatus.COMPLETED);
    expect(accepted.map(({ taskId }) => taskId).sort()).toEqual([...taskIds].sort());
    expect(accepted.map(({ result }) => result?.["number"]).sort((a, b) => Number(a) - Number(b))).toEqual(
      taskIds.map((_, i) => i + 1),
    );
    const { session } = await client.sessions.getSession({ sessionId: "s" });
    expect(session?.status).toBe(SessionStatus.COMPLETED);
  },
);

it("a task that is called off at one replica ends at the agent of the other, before and after one is killed", async () => {
  const { one, other, line, agent, client } = await setUp();
  const tasks = agent.tasks();
  await trigger(client, [{ taskId: "first" }, { taskId: "second" }]);
  const both = [await next(tasks), await next(tasks)];
  const [first, second] = ["first", "second"].map((id) => both.find(({ taskId }) => taskId === id));
  if (first === undefined || second === undefined) throw new Error("expected both tasks");

  const firstEnd = aborted(first);
  await client.tasks.cancelTask({ sessionId: "s", taskId: "first" });
  expect(await firstEnd).toMatchObject({ name: "TaskEndedError", end: "cancelled" });
  expect(second.signal.aborted).toBe(false);

  line.pointTo(other.url);
  const secondEnd = aborted(second);
  // Called off while the agent has no replica: it is told when it has come to the other one.
  await one.kill();
  await client.workflows.cancelWorkflow({ sessionId: "s" });
  expect(await secondEnd).toMatchObject({ name: "TaskEndedError", end: "cancelled" });

  await trigger(client, [{ taskId: "third" }], "t");
  await (await next(tasks)).complete({ by: "third" });
  expect((await client.tasks.getTask({ sessionId: "t", taskId: "third" })).task).toMatchObject({
    status: TaskStatus.COMPLETED,
    attempt: 1,
    result: { by: "third" },
  });
});
