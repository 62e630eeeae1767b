import { describe, expect, it } from "vitest";
import { SessionStatus, TaskDelivery, TaskStatus } from "../../../src/storage/records.js";
import { aSessionUpdate, NAMESPACE } from "../../helpers/records.js";
import {
  aCancellation,
  aChain,
  aCompletion,
  aFailure,
  aLease,
  aRenewal,
  aRun,
  aTask,
  aTaskKey,
  SESSION,
} from "../../helpers/tasks.js";
import { failureOf, present, useStorage, type StorageFactory, type Subject } from "./harness.js";

const SESSION_KEY = { namespace: NAMESPACE, sessionId: SESSION };

/** A session of one task, `t`, which has the status. */
export async function given({ storage, changes }: Subject, status: TaskStatus): Promise<void> {
  const isPending = status === TaskStatus.PENDING;
  await storage.startSession(aRun(isPending ? aChain("before", "t") : [aTask("t"), aTask("other")]));
  if (!isPending && status !== TaskStatus.READY && status !== TaskStatus.CANCELLED)
    await storage.leaseTask(aLease("t"));
  if (status === TaskStatus.COMPLETED) await storage.completeTask(aCompletion("t"));
  if (status === TaskStatus.FAILED) await storage.failTask(aFailure("t", 1, { permanent: true }));
  if (status === TaskStatus.CANCELLED) await storage.cancelTask(aCancellation("t"));
  await changes();
}

export const TASK_STATUSES: readonly (readonly [name: string, status: TaskStatus])[] = Object.entries(TaskStatus);

/** How tasks come into being and are leased; `task-ends.ts` has how attempts end, `task-times.ts` what time does. */
export function tasksContract(factory: StorageFactory): void {
  describe("tasks of a session that starts", () => {
    const subject = useStorage(factory);

    it("are as the caller planned them", async () => {
      const plan = aTask("t", {
        displayName: "Build",
        capability: "build",
        boundAgentId: "a",
        parameters: { deep: { list: [1, null, "x"] } },
        timeoutMs: 1_234,
        retry: { maxAttempts: 4, initialBackoffMs: 10, maxBackoffMs: 100, multiplier: 1.5 },
        priority: -7,
      });
      const session = await subject.storage.startSession(aRun([plan], { workflowId: "w" }));
      const task = present(await subject.replica.getTask(aTaskKey("t")));
      expect(task).toEqual({
        ...plan,
        namespace: NAMESPACE,
        sessionId: SESSION,
        workflowId: "w",
        status: TaskStatus.READY,
        inputs: undefined,
        attempt: 0,
        attemptsLeft: 4,
        agentId: "",
        agentIncarnation: 0,
        agentRevision: 0,
        delivery: TaskDelivery.AUTO,
        notBefore: undefined,
        leaseExpireTime: undefined,
        deadline: undefined,
        result: undefined,
        reason: "",
        error: "",
        createTime: session.startTime,
        startTime: undefined,
        updateTime: session.startTime,
        endTime: undefined,
        revision: session.revision + 1,
        size: task.size,
      });
      const [, change] = await subject.changes();
      expect(change).toEqual({
        kind: "task",
        namespace: NAMESPACE,
        partition: change?.partition,
        revision: session.revision + 1,
        task,
        previousStatus: undefined,
      });
    });

    it("follow it in the log in the order of the plan, READY where they wait for nothing", async () => {
      const tasks = [aTask("b"), aTask("z", { dependsOn: ["b"] }), aTask("a"), aTask("c", { dependsOn: ["a", "z"] })];
      await subject.storage.startSession(aRun(tasks));
      expect(await subject.events()).toEqual([
        "STARTED s: STARTED",
        "TASK s/b: READY",
        "TASK s/z: PENDING",
        "TASK s/a: READY",
        "TASK s/c: PENDING",
      ]);
      expect(present(await subject.storage.getTask(aTaskKey("c")))).toMatchObject({ dependsOn: ["a", "z"] });
    });

    it("need no agent to be registered", async () => {
      await subject.storage.startSession(aRun([aTask("t", { boundAgentId: "nobody" })]));
      expect(await subject.storage.getSession(SESSION_KEY)).toMatchObject({ agentId: "" });
    });

    it("come with no session that is refused", async () => {
      const failure = await failureOf(() => subject.storage.startSession(aRun([aTask("t")], { agentId: "nobody" })));
      expect(failure.reason).toBe("AGENT_NOT_FOUND");
      await subject.storage.startSession(aRun([aTask("t")]));
      await subject.changes();
      const again = await failureOf(() => subject.storage.startSession(aRun([aTask("u")])));
      expect(again.reason).toBe("SESSION_ALREADY_EXISTS");
      expect(await subject.storage.getTask(aTaskKey("u"))).toBeUndefined();
      expect(await subject.events()).toEqual([]);
    });

    it("are made once, however often the start is repeated", async () => {
      const command = aRun([aTask("t"), aTask("u")], { requestId: "r" });
      const first = await subject.storage.startSession(command);
      await subject.storage.leaseTask(aLease("t"));
      await subject.changes();
      expect(await subject.replica.startSession(command)).toEqual(first);
      expect(await subject.events()).toEqual([]);
      expect(await subject.storage.getTask(aTaskKey("t"))).toMatchObject({ status: TaskStatus.LEASED });
    });

    it("are none in a session without any, which ends when it is told to", async () => {
      await subject.storage.startSession(aRun([]));
      expect(await subject.storage.getTask(aTaskKey("t"))).toBeUndefined();
      await subject.storage.updateSession(aSessionUpdate(SESSION, { status: SessionStatus.COMPLETED }));
      expect(await subject.events()).toEqual(["STARTED s: STARTED", "ENDED s: STARTED>COMPLETED"]);
    });

    it.each(["__proto__", "constructor", "0", "-1", "a.b:c_d-e"])("may be named %s", async (taskId) => {
      const after = aTask("after", { dependsOn: [taskId] });
      await subject.storage.startSession(aRun([aTask(taskId), after]));
      await subject.storage.leaseTask(aLease(taskId));
      await subject.storage.completeTask(aCompletion(taskId, 1, { result: { done: true } }));
      const inputs = present(present(await subject.storage.getTask(aTaskKey("after"))).inputs);
      expect(Object.entries(inputs)).toEqual([[taskId, { done: true }]]);
    });
  });

  describe("a task that does not exist", () => {
    const subject = useStorage(factory);
    const key = aTaskKey("nobody");

    it.each<[string, (subject: Subject) => unknown]>([
      ["leased", ({ storage }) => storage.leaseTask(aLease("nobody"))],
      ["renewed", ({ storage }) => storage.renewTask(aRenewal("nobody"))],
      ["completed", ({ storage }) => storage.completeTask(aCompletion("nobody"))],
      ["failed", ({ storage }) => storage.failTask(aFailure("nobody"))],
      ["cancelled", ({ storage }) => storage.cancelTask(aCancellation("nobody"))],
      ["retried", ({ storage }) => storage.retryTask(key)],
    ])("cannot be %s", async (_what, call) => {
      const refusal = { reason: "TASK_NOT_FOUND", metadata: { session_id: SESSION, task_id: "nobody" } };
      expect(await failureOf(() => call(subject))).toMatchObject(refusal);
      await subject.storage.startSession(aRun([aTask("t")]));
      await subject.changes();
      expect(await failureOf(() => call(subject))).toMatchObject(refusal);
      expect(await subject.storage.getTask(key)).toBeUndefined();
      expect(await subject.events()).toEqual([]);
    });
  });
}
