import { describe, expect, it } from "vitest";
import { TaskStatus, type TaskPlan } from "../../../src/storage/records.js";
import {
  aChain,
  aCompletion,
  aFailure,
  aLease,
  aRenewal,
  aRun,
  aTask,
  aTaskKey,
  RETRY,
  TASK_LEASE_MS,
} from "../../helpers/tasks.js";
import { failureOf, present, reasonOf, times, useStorage, type StorageFactory, type Subject } from "./harness.js";

const HALF_MS = TASK_LEASE_MS / 2;

function expire({ storage }: Subject, jitter = 0) {
  return storage.expireTasks({ jitter });
}

async function taskOf({ storage }: Subject, taskId: string) {
  return present(await storage.getTask(aTaskKey(taskId)));
}

async function lease(subject: Subject, task: Partial<TaskPlan> = {}): Promise<void> {
  await subject.storage.startSession(aRun([aTask("t", task), aTask("other")]));
  await subject.storage.leaseTask(aLease("t"));
  await subject.changes();
}

/** What time does to tasks: delays, backoff, the ends of leases and of attempts. */
export function taskTimesContract(factory: StorageFactory): void {
  describe("start delay of a task", () => {
    const subject = useStorage(factory);

    it("begins with the session where the task waits for nothing", async () => {
      await subject.storage.startSession(aRun([aTask("t", { startDelayMs: HALF_MS })]));
      const { notBefore, createTime, status } = await taskOf(subject, "t");
      expect(notBefore).toBe(createTime + HALF_MS);
      expect(status).toBe(TaskStatus.READY);
      const failure = await failureOf(() => subject.storage.leaseTask(aLease("t")));
      const metadata = { attempt: "1", current: "0", status: "READY" };
      expect(failure).toMatchObject({ reason: "STALE_ATTEMPT", metadata });
      await subject.advance(HALF_MS);
      expect(await subject.storage.leaseTask(aLease("t"))).toMatchObject({ notBefore: undefined });
    });

    it("begins with the completion of the last task that it waits for", async () => {
      const [first = aTask("t"), second = aTask("u")] = aChain("t", "u");
      await subject.storage.startSession(aRun([first, { ...second, startDelayMs: HALF_MS }]));
      expect(await taskOf(subject, "u")).toMatchObject({ status: TaskStatus.PENDING, notBefore: undefined });
      await subject.advance(2 * HALF_MS);
      await subject.storage.leaseTask(aLease("t"));
      const { updateTime } = await subject.storage.completeTask(aCompletion("t"));
      expect(await taskOf(subject, "u")).toMatchObject({ status: TaskStatus.READY, notBefore: updateTime + HALF_MS });
      expect(await reasonOf(() => subject.storage.leaseTask(aLease("u")))).toBe("STALE_ATTEMPT");
      await subject.advance(HALF_MS);
      await subject.storage.leaseTask(aLease("u"));
    });

    it("counts once: not before the attempts that follow", async () => {
      await subject.storage.startSession(aRun([aTask("t", { startDelayMs: HALF_MS }), aTask("u")]));
      await subject.advance(HALF_MS);
      await subject.storage.leaseTask(aLease("t"));
      expect(await subject.storage.failTask(aFailure("t"))).toMatchObject({ notBefore: undefined });
      await subject.storage.leaseTask(aLease("t", 2));
      await subject.storage.failTask(aFailure("t", 2, { permanent: true }));
      expect(await subject.storage.retryTask(aTaskKey("t"))).toMatchObject({ notBefore: undefined });
      await subject.storage.leaseTask(aLease("t", 3));
    });
  });

  describe("backoff of a task", () => {
    const subject = useStorage(factory);

    it.each([
      ["doubles", { initialBackoffMs: 100, maxBackoffMs: 10_000, multiplier: 2 }, 0, [100, 200, 400, 800]],
      ["stays", { initialBackoffMs: 100, maxBackoffMs: 10_000, multiplier: 1 }, 0, [100, 100, 100, 100]],
      ["is bounded", { initialBackoffMs: 100, maxBackoffMs: 250, multiplier: 2 }, 0, [100, 200, 250, 250]],
      ["is bounded at once", { initialBackoffMs: 100, maxBackoffMs: 30, multiplier: 2 }, 0, [30, 30, 30, 30]],
      ["is rounded", { initialBackoffMs: 5, maxBackoffMs: 10_000, multiplier: 1.5 }, 0, [5, 8, 11, 17]],
      ["gets a part at random", { initialBackoffMs: 100, maxBackoffMs: 250, multiplier: 2 }, 0.5, [110, 220, 275, 275]],
      ["gets at most a fifth", { initialBackoffMs: 1_000, maxBackoffMs: 1_000, multiplier: 1 }, 0.999, [1_200]],
      ["may be none", { initialBackoffMs: 0, maxBackoffMs: 1_000, multiplier: 10 }, 0.9, [undefined, undefined]],
    ] as const)("%s: %o with jitter %f", async (_how, policy, jitter, expected) => {
      await lease(subject, { retry: { ...policy, maxAttempts: 10 } });
      const waits: (number | undefined)[] = [];
      for (const attempt of times(expected.length, (index) => index + 1)) {
        const { notBefore, updateTime } = await subject.storage.failTask(aFailure("t", attempt, { jitter }));
        waits.push(notBefore === undefined ? undefined : notBefore - updateTime);
        await subject.advance(2_000);
        await subject.storage.leaseTask(aLease("t", attempt + 1));
      }
      expect(waits).toEqual(expected);
    });

    it("keeps the task from being leased until it is over", async () => {
      await lease(subject, {
        retry: { maxAttempts: 2, initialBackoffMs: HALF_MS, maxBackoffMs: 1_000, multiplier: 2 },
      });
      await subject.storage.failTask(aFailure("t"));
      const failure = await failureOf(() => subject.storage.leaseTask(aLease("t", 2)));
      const metadata = { attempt: "2", current: "1", status: "READY" };
      expect(failure).toMatchObject({ reason: "STALE_ATTEMPT", metadata });
      await subject.advance(HALF_MS);
      expect(await subject.storage.leaseTask(aLease("t", 2))).toMatchObject({ notBefore: undefined });
    });

    it("is nothing that a task waits for which was retried by hand", async () => {
      await lease(subject, { retry: { ...RETRY, maxAttempts: 1, initialBackoffMs: 60_000, maxBackoffMs: 60_000 } });
      expect(await subject.storage.failTask(aFailure("t"))).toMatchObject({ notBefore: undefined });
      await subject.storage.retryTask(aTaskKey("t"));
      await subject.storage.leaseTask(aLease("t", 2));
    });
  });

  describe("expiry of tasks", () => {
    const subject = useStorage(factory);

    it("fails an attempt whose lease has run out, once", async () => {
      await lease(subject);
      expect(await expire(subject)).toBe(0);
      await subject.advance(TASK_LEASE_MS);
      expect(await expire(subject)).toBe(1);
      expect(await expire(subject)).toBe(0);
      expect(await taskOf(subject, "t")).toMatchObject({
        status: TaskStatus.READY,
        reason: "LeaseExpired",
        error: "the agent did not renew its lease",
        attempt: 1,
        attemptsLeft: 2,
        agentId: "a",
        leaseExpireTime: undefined,
        deadline: undefined,
      });
      expect(await subject.events()).toEqual(["TASK s/t: LEASED>READY"]);
    });

    it("fails an attempt that has taken too long, however often it was renewed", async () => {
      await lease(subject, { timeoutMs: 3 * HALF_MS });
      const renewLater = async () => {
        await subject.advance(HALF_MS);
        await subject.storage.renewTask(aRenewal("t"));
        expect(await expire(subject)).toBe(0);
      };
      await renewLater();
      await renewLater();
      await subject.advance(HALF_MS);
      expect((await subject.storage.renewTask(aRenewal("t"))).remainingMs).toBe(0);
      expect(await expire(subject)).toBe(1);
      expect(await taskOf(subject, "t")).toMatchObject({ reason: "TimedOut", error: "the attempt took too long" });
      expect(await subject.events()).toEqual(["TASK s/t: LEASED>READY"]);
    });

    it("says that the attempt took too long where lease and deadline are the same, or both have passed", async () => {
      await lease(subject, { timeoutMs: HALF_MS });
      await subject.advance(HALF_MS);
      await expire(subject);
      expect(await taskOf(subject, "t")).toMatchObject({ reason: "TimedOut" });
      await subject.storage.startSession(aRun([aTask("u", { timeoutMs: 2 * TASK_LEASE_MS })], { sessionId: "late" }));
      await subject.storage.leaseTask(aLease("u", 1, { sessionId: "late" }));
      await subject.advance(2 * TASK_LEASE_MS);
      await expire(subject);
      expect(await subject.storage.getTask(aTaskKey("u", { sessionId: "late" }))).toMatchObject({ reason: "TimedOut" });
    });

    it("is put off by a renewal, also one that comes late", async () => {
      await lease(subject);
      await subject.advance(HALF_MS);
      await subject.replica.renewTask(aRenewal("t"));
      await subject.advance(HALF_MS + 1);
      expect(await expire(subject)).toBe(0);
      await subject.advance(TASK_LEASE_MS);
      await subject.storage.renewTask(aRenewal("t"));
      expect(await expire(subject)).toBe(0);
      await subject.advance(TASK_LEASE_MS);
      expect(await expire(subject)).toBe(1);
    });

    it("follows a renewal that is shorter than the lease was", async () => {
      await subject.storage.startSession(aRun([aTask("t"), aTask("other")]));
      await subject.storage.leaseTask(aLease("t", 1, { leaseMs: 50_000 }));
      await subject.storage.renewTask(aRenewal("t"));
      await subject.advance(TASK_LEASE_MS);
      expect(await expire(subject)).toBe(1);
    });

    it("leaves alone what was answered in time or late", async () => {
      await lease(subject);
      await subject.advance(2 * TASK_LEASE_MS);
      await subject.storage.completeTask(aCompletion("t"));
      expect(await expire(subject)).toBe(0);
      expect(await subject.events()).toEqual(["TASK s/t: LEASED>COMPLETED"]);
    });

    it("leaves alone an attempt that follows one which would have expired by now", async () => {
      await lease(subject);
      await subject.advance(HALF_MS);
      await subject.storage.failTask(aFailure("t"));
      await subject.storage.leaseTask(aLease("t", 2));
      await subject.advance(HALF_MS + 1);
      expect(await expire(subject)).toBe(0);
      expect(await taskOf(subject, "t")).toMatchObject({ status: TaskStatus.LEASED, attempt: 2 });
    });

    it("refuses what the agent says afterwards, but for a failure, which is none other", async () => {
      await lease(subject);
      await subject.advance(TASK_LEASE_MS);
      await expire(subject);
      await subject.changes();
      expect(await reasonOf(() => subject.storage.completeTask(aCompletion("t")))).toBe("STALE_ATTEMPT");
      expect(await reasonOf(() => subject.storage.renewTask(aRenewal("t")))).toBe("STALE_ATTEMPT");
      expect(await subject.storage.failTask(aFailure("t"))).toMatchObject({ reason: "LeaseExpired" });
      expect(await subject.events()).toEqual([]);
    });

    it("backs off with the jitter that it is given", async () => {
      await lease(subject, { retry: { maxAttempts: 2, initialBackoffMs: 100, maxBackoffMs: 1_000, multiplier: 2 } });
      await subject.advance(TASK_LEASE_MS);
      await expire(subject, 0.5);
      const { notBefore, updateTime } = await taskOf(subject, "t");
      expect(present(notBefore) - updateTime).toBe(110);
    });

    it("puts a task into the dead letter when no attempts are left, and ends the session with it", async () => {
      await subject.storage.startSession(aRun([aTask("t", { retry: { ...RETRY, maxAttempts: 1 } })]));
      await subject.storage.leaseTask(aLease("t"));
      await subject.changes();
      await subject.advance(TASK_LEASE_MS);
      expect(await expire(subject)).toBe(1);
      expect(await subject.events()).toEqual(["TASK s/t: LEASED>FAILED", "ENDED s: RUNNING>FAILED"]);
    });

    it("takes every attempt that is due, of whichever session and namespace", async () => {
      for (const index of times(12, (each) => each)) {
        const namespace = index % 2 === 0 ? "default" : "other";
        const sessionId = `s-${index}`;
        await subject.storage.startSession(aRun([aTask("t"), aTask("u")], { namespace, sessionId }));
        const leaseMs = index < 6 ? TASK_LEASE_MS : 10_000;
        await subject.storage.leaseTask(aLease("t", 1, { namespace, sessionId, leaseMs }));
      }
      await subject.changes();
      await subject.advance(TASK_LEASE_MS);
      expect(await expire(subject)).toBe(6);
      const expired = times(6, (index) => `TASK s-${index}/t: LEASED>READY`);
      expect([...(await subject.events())].sort()).toEqual(expired);
    });
  });
}
