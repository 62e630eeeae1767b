import { describe, expect, it } from "vitest";
import { SessionStatus, TaskStatus } from "../../../src/storage/records.js";
import { aSessionUpdate, NAMESPACE } from "../../helpers/records.js";
import {
  aCancellation,
  aChain,
  aCompletion,
  aFailure,
  aLease,
  aRun,
  aTask,
  aTaskKey,
  SESSION,
} from "../../helpers/tasks.js";
import { failureOf, present, reasonOf, useStorage, type StorageFactory } from "./harness.js";
import { given, TASK_STATUSES } from "./tasks.js";

const SESSION_KEY = { namespace: NAMESPACE, sessionId: SESSION };

/** RetryTask: the way out of the dead letter. */
export function taskRetriesContract(factory: StorageFactory): void {
  describe("retry of a task", () => {
    const subject = useStorage(factory);
    const fail = async (taskId: string, attempt = 1) => {
      await subject.storage.leaseTask(aLease(taskId, attempt));
      return subject.storage.failTask(aFailure(taskId, attempt, { permanent: true, error: "no use" }));
    };

    it("makes a FAILED one READY with as many attempts as at first", async () => {
      await given(subject, TaskStatus.FAILED);
      const before = present(await subject.storage.getTask(aTaskKey("t")));
      const task = await subject.replica.retryTask(aTaskKey("t"));
      expect(task).toEqual({
        ...before,
        status: TaskStatus.READY,
        attemptsLeft: 3,
        endTime: undefined,
        updateTime: task.updateTime,
        revision: before.revision + 1,
        size: task.size,
      });
      expect(await subject.events()).toEqual(["TASK s/t: FAILED>READY"]);
      expect(await subject.storage.leaseTask(aLease("t", 2))).toMatchObject({ attempt: 2, attemptsLeft: 2 });
    });

    it("counts failures anew", async () => {
      const retry = { maxAttempts: 2, initialBackoffMs: 1_000, maxBackoffMs: 60_000, multiplier: 10 };
      await subject.storage.startSession(aRun([aTask("t", { retry }), aTask("u")]));
      await fail("t");
      expect(await subject.storage.retryTask(aTaskKey("t"))).toMatchObject({ notBefore: undefined });
      await subject.storage.leaseTask(aLease("t", 2));
      const { notBefore, updateTime } = await subject.storage.failTask(aFailure("t", 2));
      expect(present(notBefore) - updateTime).toBe(1_000);
    });

    it.each(TASK_STATUSES.filter(([, status]) => status !== TaskStatus.FAILED))(
      "is refused for one that is %s",
      async (name, status) => {
        await given(subject, status);
        const before = present(await subject.storage.getTask(aTaskKey("t")));
        const refusal = await failureOf(() => subject.storage.retryTask(aTaskKey("t")));
        const metadata = { status: name, revision: String(before.revision) };
        expect(refusal).toMatchObject({ reason: "STATE_MISMATCH", metadata });
        expect(await subject.storage.getTask(aTaskKey("t"))).toEqual(before);
        expect(await subject.events()).toEqual([]);
      },
    );

    it("opens a session again that ended as FAILED", async () => {
      await subject.storage.startSession(aRun([...aChain("t", "u"), aTask("done")], { metadata: { keep: 1 } }));
      await subject.storage.leaseTask(aLease("done"));
      await subject.storage.completeTask(aCompletion("done", 1, { result: { x: 1 } }));
      await fail("t");
      const ended = present(await subject.storage.getSession(SESSION_KEY));
      expect(ended).toMatchObject({ status: SessionStatus.FAILED, result: { done: { x: 1 } } });
      expect(ended.error).not.toBe("");
      await subject.changes();

      const task = await subject.storage.retryTask(aTaskKey("t"));
      const opened = present(await subject.replica.getSession(SESSION_KEY));
      expect(opened).toEqual({
        ...ended,
        status: SessionStatus.RUNNING,
        result: undefined,
        error: "",
        endTime: undefined,
        updateTime: task.updateTime,
        revision: task.revision + 1,
        size: opened.size,
      });
      expect(await subject.events()).toEqual(["TASK s/t: FAILED>READY", "UPDATED s: FAILED>RUNNING"]);

      await subject.storage.leaseTask(aLease("t", 2));
      await subject.storage.completeTask(aCompletion("t", 2, { result: { y: 2 } }));
      await subject.storage.leaseTask(aLease("u"));
      await subject.storage.completeTask(aCompletion("u"));
      expect(await subject.events()).toEqual([
        "TASK s/t: READY>LEASED",
        "TASK s/t: LEASED>COMPLETED",
        "TASK s/u: PENDING>READY",
        "TASK s/u: READY>LEASED",
        "TASK s/u: LEASED>COMPLETED",
        "ENDED s: RUNNING>COMPLETED",
      ]);
      expect(await subject.storage.getSession(SESSION_KEY)).toMatchObject({
        result: { t: { y: 2 }, u: {}, done: { x: 1 } },
        error: "",
      });
    });

    it("leaves a session as it is that still runs, or is PAUSED", async () => {
      await subject.storage.startSession(aRun([aTask("t"), aTask("u"), aTask("v")]));
      await fail("t");
      await fail("u");
      await subject.changes();
      await subject.storage.retryTask(aTaskKey("t"));
      await subject.storage.updateSession(aSessionUpdate(SESSION, { status: SessionStatus.PAUSED }));
      await subject.storage.retryTask(aTaskKey("u"));
      expect(await subject.events()).toEqual([
        "TASK s/t: FAILED>READY",
        "UPDATED s: RUNNING>PAUSED",
        "TASK s/u: FAILED>READY",
      ]);
      expect(await reasonOf(() => subject.storage.leaseTask(aLease("u", 2)))).toBe("STALE_ATTEMPT");
    });

    it("brings back one of several that failed: the session fails again with the other", async () => {
      await subject.storage.startSession(aRun([aTask("t"), aTask("u")]));
      await fail("t");
      await fail("u");
      await subject.storage.retryTask(aTaskKey("u"));
      await subject.storage.leaseTask(aLease("u", 2));
      await subject.changes();
      await subject.storage.completeTask(aCompletion("u", 2));
      expect(await subject.events()).toEqual(["TASK s/u: LEASED>COMPLETED", "ENDED s: RUNNING>FAILED"]);
      expect(await subject.storage.getSession(SESSION_KEY)).toMatchObject({ error: "task t failed: Broken: no use" });
    });

    it("opens a session that was made FAILED by hand; what was called off stays so", async () => {
      await subject.storage.startSession(aRun([aTask("t"), aTask("u")]));
      await fail("t");
      const update = aSessionUpdate(SESSION, { status: SessionStatus.FAILED, error: "given up", result: { half: 1 } });
      await subject.storage.updateSession(update);
      await subject.storage.retryTask(aTaskKey("t"));
      expect(await subject.storage.getSession(SESSION_KEY)).toMatchObject({ error: "", result: undefined });
      await subject.storage.leaseTask(aLease("t", 2));
      await subject.changes();
      await subject.storage.completeTask(aCompletion("t", 2));
      expect(await subject.events()).toEqual(["TASK s/t: LEASED>COMPLETED", "ENDED s: RUNNING>CANCELLED"]);
    });

    it.each([
      ["COMPLETED", SessionStatus.COMPLETED],
      ["CANCELLED", SessionStatus.CANCELLED],
    ])("is refused in a session that has ended as %s", async (name, status) => {
      await given(subject, TaskStatus.FAILED);
      await subject.storage.updateSession(aSessionUpdate(SESSION, { status }));
      await subject.changes();
      const refusal = await failureOf(() => subject.storage.retryTask(aTaskKey("t")));
      expect(refusal).toMatchObject({ reason: "SESSION_ENDED", metadata: { session_id: SESSION, status: name } });
      // The task's own status is looked at first.
      expect(await reasonOf(() => subject.storage.retryTask(aTaskKey("other")))).toBe("STATE_MISMATCH");
      expect(await subject.events()).toEqual([]);
    });

    it("may be done over and over", async () => {
      await subject.storage.startSession(aRun([aTask("t")]));
      for (const attempt of [1, 2, 3, 4]) {
        await fail("t", attempt);
        await subject.storage.retryTask(aTaskKey("t"));
      }
      expect(await subject.storage.getTask(aTaskKey("t"))).toMatchObject({ attempt: 4, attemptsLeft: 3 });
      await subject.storage.cancelTask(aCancellation("t"));
      expect((await subject.events()).at(-1)).toBe("ENDED s: RUNNING>CANCELLED");
    });
  });
}
