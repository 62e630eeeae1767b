import { describe, expect, it } from "vitest";
import { State, TaskDelivery } from "../../../gen/opscore/v1/common_pb.js";
import { SessionStatus } from "../../../gen/opscore/v1/session_service_pb.js";
import { TaskStatus, type Task, type WatchTasksResponse } from "../../../gen/opscore/v1/task_service_pb.js";
import type { OpsCoreClient } from "../../../src/client/index.js";
import { openSubject, Reader, refusal, type Deployment } from "./subject.js";

/** An agent that takes its tasks from a stream of this replica, and does nothing with them by itself. */
async function openAgent(client: OpsCoreClient, agentId: string): Promise<Reader<WatchTasksResponse>> {
  await client.agents.registerAgent({
    agentId,
    capabilities: ["cook"],
    initialState: State.IDLE,
    taskDelivery: TaskDelivery.STREAM,
  });
  const work = Reader.open((options) => client.tasks.watchTasks({ agentId, includeSnapshot: true }, options));
  await work.synced();
  return work;
}

/** The next task that is given to the agent. */
async function nextTask(work: Reader<WatchTasksResponse>): Promise<Task> {
  for (;;) {
    const [event] = await work.events(1);
    if (event?.task?.status === TaskStatus.LEASED) return event.task;
  }
}

const trigger = async (client: OpsCoreClient, tasks: readonly { taskId: string; dependsOn?: string[] }[]) => {
  const { session } = await client.workflows.triggerWorkflow({
    target: { case: "capability", value: "cook" },
    definition: { case: "workflow", value: { workflowId: "w", tasks: [...tasks] } },
  });
  return session?.sessionId ?? "";
};

export function tasksContract(deployment: () => Deployment): void {
  describe("tasks", () => {
    it("triggered on one replica reach the agent on the other, and results go on to the next", async () => {
      const { here, there } = openSubject(deployment());
      const work = await openAgent(there, "a");
      const sessions = Reader.open((options) => here.sessions.watchSessions({ includeSnapshot: true }, options));
      await sessions.synced();
      const sessionId = await trigger(here, [{ taskId: "one" }, { taskId: "two", dependsOn: ["one"] }]);

      const one = await nextTask(work);
      expect(one).toMatchObject({ sessionId, taskId: "one", attempt: 1, agentId: "a" });
      expect((await here.tasks.getTask({ sessionId, taskId: "one" })).task).toMatchObject({
        status: TaskStatus.LEASED,
      });
      expect((await here.tasks.renewTask({ sessionId, taskId: "one", attempt: 1 })).remaining).toBeDefined();
      // The answer may go to any replica.
      await here.tasks.completeTask({ sessionId, taskId: "one", attempt: 1, result: { soup: "hot" } });
      const two = await nextTask(work);
      expect(two.taskId).toBe("two");
      expect(two.inputs).toMatchObject({ one: { soup: "hot" } });
      await there.tasks.completeTask({ sessionId, taskId: "two", attempt: 1 });
      const ended = await sessions.until(({ events }) =>
        events.some(({ session }) => session?.status === SessionStatus.COMPLETED),
      );
      expect(ended.at(-1)?.events.at(-1)?.session?.sessionId).toBe(sessionId);
      const { tasks } = await here.tasks.listTasks({ sessionId });
      expect(tasks.map(({ taskId, status }) => [taskId, TaskStatus[status]]).sort()).toEqual([
        ["one", "COMPLETED"],
        ["two", "COMPLETED"],
      ]);
    });

    it("take one answer, and fence the attempt that is over", async () => {
      const { here, there } = openSubject(deployment());
      const work = await openAgent(there, "a");
      const sessionId = await trigger(here, [{ taskId: "t" }]);
      await nextTask(work);
      const failed = await here.tasks.failTask({
        sessionId,
        taskId: "t",
        attempt: 1,
        reason: "Burnt",
        permanent: true,
      });
      expect(failed.task).toMatchObject({ status: TaskStatus.FAILED, reason: "Burnt" });
      expect(await refusal(there.tasks.completeTask({ sessionId, taskId: "t", attempt: 1 }))).toBe("STALE_ATTEMPT");

      await there.tasks.retryTask({ sessionId, taskId: "t" });
      const again = await nextTask(work);
      expect(again.attempt).toBe(2);
      expect(await refusal(here.tasks.completeTask({ sessionId, taskId: "t", attempt: 1 }))).toBe("STALE_ATTEMPT");
      // The one that comes second is answered with what the first one made of it.
      const answers = await Promise.all(
        [here, there].map(({ tasks }, i) =>
          tasks.completeTask({ sessionId, taskId: "t", attempt: 2, result: { by: i } }),
        ),
      );
      const { task } = await there.tasks.getTask({ sessionId, taskId: "t" });
      expect(answers.map((answer) => answer.task)).toEqual([task, task]);
    });

    it("that are cancelled on one replica are taken back from the agent on the other", async () => {
      const { here, there } = openSubject(deployment());
      const work = await openAgent(there, "a");
      const sessionId = await trigger(here, [{ taskId: "t" }, { taskId: "u", dependsOn: ["t"] }]);
      await nextTask(work);
      const { session } = await here.workflows.cancelWorkflow({ sessionId, message: "no more" });
      expect(session?.status).toBe(SessionStatus.CANCELLED);
      const [event] = await work.events(1);
      expect(event?.task).toMatchObject({ taskId: "t", status: TaskStatus.CANCELLED });
      expect(await refusal(there.tasks.renewTask({ sessionId, taskId: "t", attempt: 1 }))).toBe("STALE_ATTEMPT");
      expect((await there.tasks.getTask({ sessionId, taskId: "u" })).task?.status).toBe(TaskStatus.CANCELLED);
    });

    it("are given to one agent each, though both replicas propose", async () => {
      const { here, there } = openSubject(deployment());
      const agents = ["a", "b", "c", "d"];
      const works = await Promise.all(agents.map((agentId, i) => openAgent(i % 2 === 0 ? here : there, agentId)));
      const count = 40;
      const sessionId = await trigger(
        here,
        Array.from({ length: count }, (_, i) => ({ taskId: `t${i}` })),
      );
      const done: string[] = [];
      let finish: () => void = () => undefined;
      const finished = new Promise<void>((resolve) => (finish = resolve));
      const loops = works.map(async (work, i) => {
        for (;;) {
          const task = await nextTask(work);
          expect(task.agentId).toBe(agents[i]);
          await (i % 2 === 0 ? there : here).tasks.completeTask({
            sessionId,
            taskId: task.taskId,
            attempt: task.attempt,
          });
          done.push(task.taskId);
          if (done.length === count) finish();
        }
      });
      await Promise.race([finished, ...loops]);
      for (const loop of loops) loop.catch(() => undefined);
      expect(new Set(done).size).toBe(count);
      const { tasks } = await there.tasks.listTasks({ sessionId, pageSize: 100 });
      expect(tasks.map(({ status, attempt }) => `${TaskStatus[status]} ${attempt}`)).toEqual(
        Array.from({ length: count }, () => "COMPLETED 1"),
      );
    });
  });
}
