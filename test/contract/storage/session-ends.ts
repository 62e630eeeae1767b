import { describe, expect, it } from "vitest";
import { SessionChangeType, SessionStatus, TaskStatus } from "../../../src/storage/records.js";
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
  aTaskQuery,
  SESSION,
} from "../../helpers/tasks.js";
import { failureOf, present, reasonOf, times, useStorage, type StorageFactory } from "./harness.js";

const SESSION_KEY = { namespace: NAMESPACE, sessionId: SESSION };
const HISTORY_AGE_MS = 10_000;

/** Where sessions end by their tasks, and tasks by their session. */
export function sessionEndsContract(factory: StorageFactory): void {
  describe("end of a session by its tasks", () => {
    const subject = useStorage(factory);
    const session = async () => present(await subject.replica.getSession(SESSION_KEY));
    const complete = async (taskId: string, result?: Parameters<typeof aCompletion>[2]) => {
      await subject.storage.leaseTask(aLease(taskId));
      return subject.storage.completeTask(aCompletion(taskId, 1, result));
    };
    const fail = async (taskId: string) => {
      await subject.storage.leaseTask(aLease(taskId));
      return subject.storage.failTask(aFailure(taskId, 1, { permanent: true, reason: "NoDisk", error: "it is full" }));
    };

    it("is COMPLETED when all are, with the result of each under its name", async () => {
      const started = await subject.storage.startSession(
        aRun([aTask("b"), aTask("a"), aTask("c")], { metadata: { keep: 1 }, workflowId: "w" }),
      );
      await complete("a", { result: { n: 1 } });
      await complete("c");
      await subject.changes();
      expect((await session()).status).toBe(SessionStatus.RUNNING);
      const last = await complete("b", { result: { list: [1, { deep: null }] } });
      const ended = await session();
      expect(ended).toEqual({
        ...started,
        status: SessionStatus.COMPLETED,
        result: { b: { list: [1, { deep: null }] }, a: { n: 1 }, c: {} },
        error: "",
        updateTime: last.updateTime,
        endTime: last.updateTime,
        revision: last.revision + 1,
        size: ended.size,
      });
      expect(ended.size).toBeGreaterThan(started.size);
      // In the order of the plan, not of the completions.
      expect(Object.keys(present(ended.result))).toEqual(["b", "a", "c"]);
      expect(await subject.changes()).toMatchObject([
        { kind: "task", previousStatus: TaskStatus.READY },
        { kind: "task", previousStatus: TaskStatus.LEASED, task: last },
        {
          kind: "session",
          type: SessionChangeType.ENDED,
          previousStatus: SessionStatus.RUNNING,
          session: ended,
        },
      ]);
    });

    it("is FAILED when one failed and nothing is left to run, with what the others gave", async () => {
      await subject.storage.startSession(aRun([aTask("done"), ...aChain("t", "u"), aTask("v")]));
      await complete("done", { result: { n: 1 } });
      await fail("t");
      expect((await session()).status).toBe(SessionStatus.RUNNING);
      await subject.changes();
      await complete("v");
      expect(await subject.events()).toEqual([
        "TASK s/v: READY>LEASED",
        "TASK s/v: LEASED>COMPLETED",
        "ENDED s: RUNNING>FAILED",
      ]);
      expect(await session()).toMatchObject({
        error: "task t failed: NoDisk: it is full",
        result: { done: { n: 1 }, v: {} },
      });
      // What can never run stays PENDING: a retry may still need it.
      expect(await subject.storage.getTask(aTaskKey("u"))).toMatchObject({ status: TaskStatus.PENDING });
    });

    it("is FAILED for the first in the plan when several failed", async () => {
      await subject.storage.startSession(aRun([aTask("t"), aTask("u"), aTask("v")]));
      for (const taskId of ["v", "u", "t"]) await fail(taskId);
      expect(await session()).toMatchObject({
        status: SessionStatus.FAILED,
        error: "task t failed: NoDisk: it is full",
        result: undefined,
      });
    });

    it("is CANCELLED when one was called off and none failed; what waits is called off too", async () => {
      await subject.storage.startSession(aRun([aTask("done"), ...aChain("t", "u", "v")]));
      await complete("done", { result: { n: 1 } });
      await subject.changes();
      await subject.storage.cancelTask(aCancellation("t", { message: "not needed" }));
      expect(await subject.events()).toEqual([
        "TASK s/t: READY>CANCELLED",
        "TASK s/u: PENDING>CANCELLED",
        "TASK s/v: PENDING>CANCELLED",
        "ENDED s: RUNNING>CANCELLED",
      ]);
      expect(await session()).toMatchObject({ error: "", result: { done: { n: 1 } } });
      expect(await subject.storage.getTask(aTaskKey("u"))).toMatchObject({ error: "" });
    });

    it("is FAILED when one failed and one was called off, in either order", async () => {
      for (const [index, order] of [
        ["t", "u"],
        ["u", "t"],
      ].entries()) {
        const sessionId = `s-${index}`;
        await subject.storage.startSession(aRun([aTask("t"), aTask("u")], { sessionId }));
        for (const taskId of order) {
          if (taskId === "u") await subject.storage.cancelTask(aCancellation("u", { sessionId }));
          else {
            await subject.storage.leaseTask(aLease("t", 1, { sessionId }));
            await subject.storage.failTask({ ...aFailure("t", 1, { permanent: true }), sessionId });
          }
        }
        const ended = await subject.storage.getSession({ namespace: NAMESPACE, sessionId });
        expect(ended).toMatchObject({ status: SessionStatus.FAILED });
      }
    });

    it("comes without a first lease when all that could run was called off", async () => {
      await subject.storage.startSession(aRun([aTask("t")]));
      await subject.storage.cancelTask(aCancellation("t"));
      expect(await subject.events()).toEqual([
        "STARTED s: STARTED",
        "TASK s/t: READY",
        "TASK s/t: READY>CANCELLED",
        "ENDED s: STARTED>CANCELLED",
      ]);
    });

    it("keeps the result and the error that were set by hand", async () => {
      await subject.storage.startSession(aRun([aTask("t"), aTask("u")]));
      await fail("t");
      await subject.storage.updateSession(aSessionUpdate(SESSION, { result: { mine: 1 }, error: "my words" }));
      await complete("u", { result: { n: 1 } });
      const ended = { status: SessionStatus.FAILED, result: { mine: 1 }, error: "my words" };
      expect(await session()).toMatchObject(ended);
    });

    it("takes no more than 64 KiB of results, those that fit in the order of the plan", async () => {
      await subject.storage.startSession(aRun(["d", "c", "b", "a"].map((taskId) => aTask(taskId))));
      const sizes = { a: 4_000, b: 5_000, c: 10_000, d: 60_000 };
      for (const [taskId, size] of Object.entries(sizes)) {
        await complete(taskId, { result: { x: "x".repeat(size) } });
      }
      const { result } = await session();
      expect(Object.keys(present(result))).toEqual(["d", "b"]);
      expect(JSON.stringify(result).length).toBeLessThanOrEqual(64 * 1024);
    });

    it("leaves nothing to do", async () => {
      await subject.storage.startSession(aRun([aTask("t")]));
      await complete("t");
      const update = aSessionUpdate(SESSION, { status: SessionStatus.RUNNING });
      expect(await reasonOf(() => subject.storage.updateSession(update))).toBe("SESSION_ENDED");
      await subject.changes();
      await subject.advance(10_000);
      expect(await subject.storage.expireTasks({ jitter: 0 })).toBe(0);
      expect(await subject.events()).toEqual([]);
    });
  });

  describe("end of a session by hand", () => {
    const subject = useStorage(factory);

    it.each([
      ["COMPLETED", SessionStatus.COMPLETED],
      ["FAILED", SessionStatus.FAILED],
      ["CANCELLED", SessionStatus.CANCELLED],
    ])("as %s calls off every task that has not ended, in the order of the plan", async (name, status) => {
      const failing = aTask("failed");
      await subject.storage.startSession(
        aRun([aTask("done"), aTask("leased"), failing, aTask("ready"), aTask("pending", { dependsOn: ["leased"] })]),
      );
      await subject.storage.leaseTask(aLease("ready"));
      await subject.storage.failTask(aFailure("ready"));
      for (const taskId of ["done", "leased", "failed"]) await subject.storage.leaseTask(aLease(taskId));
      await subject.storage.completeTask(aCompletion("done", 1, { result: { n: 1 } }));
      await subject.storage.failTask(aFailure("failed", 1, { permanent: true }));
      await subject.changes();
      const session = await subject.replica.updateSession(aSessionUpdate(SESSION, { status, error: "enough" }));
      expect(session).toMatchObject({ status, error: "enough", result: undefined, endTime: session.updateTime });
      expect(await subject.events()).toEqual([
        "TASK s/leased: LEASED>CANCELLED",
        "TASK s/ready: READY>CANCELLED",
        "TASK s/pending: PENDING>CANCELLED",
        `ENDED s: RUNNING>${name}`,
      ]);
      const leased = present(await subject.storage.getTask(aTaskKey("leased")));
      expect(leased).toMatchObject({
        error: "enough",
        leaseExpireTime: undefined,
        deadline: undefined,
        agentId: "a",
        endTime: session.endTime,
      });
      // Why it was called off, not how its last attempt failed.
      for (const taskId of ["ready", "pending"])
        expect(await subject.storage.getTask(aTaskKey(taskId))).toMatchObject({ reason: "", error: "enough" });
      expect(await subject.storage.getTask(aTaskKey("failed"))).not.toMatchObject({ reason: "" });
      const stale = { reason: "STALE_ATTEMPT", metadata: { attempt: "1", current: "1", status: "CANCELLED" } };
      expect(await failureOf(() => subject.storage.completeTask(aCompletion("leased")))).toMatchObject(stale);
      expect(await failureOf(() => subject.storage.leaseTask(aLease("ready")))).toMatchObject({
        reason: "STALE_ATTEMPT",
      });
      await subject.advance(60_000);
      expect(await subject.storage.expireTasks({ jitter: 0 })).toBe(0);
    });

    it("that is refused calls nothing off", async () => {
      const { revision } = await subject.storage.startSession(aRun([aTask("t")]));
      await subject.storage.leaseTask(aLease("t"));
      await subject.changes();
      const update = aSessionUpdate(SESSION, { status: SessionStatus.CANCELLED }, { expectedRevision: revision });
      expect(await reasonOf(() => subject.storage.updateSession(update))).toBe("STATE_MISMATCH");
      expect(await subject.storage.getTask(aTaskKey("t"))).toMatchObject({ status: TaskStatus.LEASED });
      expect(await subject.events()).toEqual([]);
    });

    it("that is repeated answers as the first time and calls nothing off again", async () => {
      await subject.storage.startSession(aRun([aTask("t"), aTask("u")]));
      await subject.storage.leaseTask(aLease("t"));
      await subject.storage.failTask(aFailure("t", 1, { permanent: true }));
      const update = aSessionUpdate(SESSION, { status: SessionStatus.FAILED }, { requestId: "r" });
      const first = await subject.storage.updateSession(update);
      await subject.storage.retryTask(aTaskKey("t"));
      await subject.changes();
      expect(await subject.replica.updateSession(update)).toEqual(first);
      expect(await subject.events()).toEqual([]);
      expect(await subject.storage.getTask(aTaskKey("t"))).toMatchObject({ status: TaskStatus.READY });
    });

    it("calls off a thousand tasks in one commit each", async () => {
      await subject.storage.startSession(aRun(times(1_000, (index) => aTask(`t-${index}`))));
      await subject.changes();
      await subject.storage.updateSession(aSessionUpdate(SESSION, { status: SessionStatus.CANCELLED }));
      expect(await subject.events()).toEqual([
        ...times(1_000, (index) => `TASK s/t-${index}: READY>CANCELLED`),
        "ENDED s: STARTED>CANCELLED",
      ]);
    });
  });

  describe("retention of sessions with tasks", () => {
    const subject = useStorage(factory, { historyAgeMs: HISTORY_AGE_MS });
    const sweep = () => subject.storage.expireLeases({ stalledMs: 0 });
    const fail = async (attempt: number) => {
      await subject.storage.leaseTask(aLease("t", attempt));
      await subject.storage.failTask(aFailure("t", attempt, { permanent: true }));
    };

    it("forgets the tasks with their session, whose id is free then", async () => {
      await subject.storage.startSession(aRun([aTask("t"), aTask("u", { dependsOn: ["t"] })]));
      await subject.storage.startSession(aRun([aTask("v")], { sessionId: "runs" }));
      await fail(1);
      await subject.advance(HISTORY_AGE_MS / 2);
      await sweep();
      expect(await subject.storage.getTask(aTaskKey("t"))).toBeDefined();
      await subject.advance(HISTORY_AGE_MS);
      await sweep();
      expect(await subject.storage.getSession(SESSION_KEY)).toBeUndefined();
      expect(await subject.storage.getTask(aTaskKey("t"))).toBeUndefined();
      expect(await subject.storage.getTask(aTaskKey("u"))).toBeUndefined();
      expect(await reasonOf(() => subject.storage.retryTask(aTaskKey("t")))).toBe("TASK_NOT_FOUND");
      const listed = async (sessionId: string) =>
        (await subject.storage.listTasks(aTaskQuery({ sessionId }))).items.map(({ taskId }) => taskId);
      expect([await listed(""), await listed(SESSION)]).toEqual([["v"], []]);
      await subject.storage.startSession(aRun([aTask("t")]));
      expect(await subject.storage.getTask(aTaskKey("t"))).toMatchObject({ attempt: 0, status: TaskStatus.READY });
    });

    it("counts from the last end of a session that was opened again", async () => {
      await subject.storage.startSession(aRun([aTask("t")]));
      await fail(1);
      await subject.advance(HISTORY_AGE_MS / 2);
      await subject.storage.retryTask(aTaskKey("t"));
      await subject.advance(HISTORY_AGE_MS);
      await sweep();
      expect(await subject.storage.getSession(SESSION_KEY)).toMatchObject({ status: SessionStatus.RUNNING });
      await fail(2);
      await subject.advance(HISTORY_AGE_MS / 2);
      await sweep();
      expect(await subject.storage.getSession(SESSION_KEY)).toMatchObject({ status: SessionStatus.FAILED });
      await subject.advance(HISTORY_AGE_MS);
      await sweep();
      expect(await subject.storage.getSession(SESSION_KEY)).toBeUndefined();
    });
  });
}
