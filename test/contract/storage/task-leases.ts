import { describe, expect, it } from "vitest";
import { SessionStatus, TaskDelivery, TaskStatus } from "../../../src/storage/records.js";
import { aSessionUpdate } from "../../helpers/records.js";
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
  SESSION,
  TASK_LEASE_MS,
} from "../../helpers/tasks.js";
import { failureOf, present, useStorage, type StorageFactory } from "./harness.js";
import { given, TASK_STATUSES } from "./tasks.js";

/** LeaseTask and RenewTask. */
export function taskLeasesContract(factory: StorageFactory): void {
  describe("lease of a task", () => {
    const subject = useStorage(factory);

    it("begins an attempt, and the session with it", async () => {
      await given(subject, TaskStatus.READY);
      const before = present(await subject.storage.getTask(aTaskKey("t")));
      const lease = aLease("t", 1, { agentIncarnation: 7, agentRevision: 5, delivery: TaskDelivery.ENDPOINT });
      const task = await subject.storage.leaseTask(lease);
      expect(task).toEqual({
        ...before,
        status: TaskStatus.LEASED,
        attempt: 1,
        attemptsLeft: 2,
        agentId: "a",
        agentIncarnation: 7,
        agentRevision: 5,
        delivery: TaskDelivery.ENDPOINT,
        startTime: task.updateTime,
        leaseExpireTime: task.updateTime + TASK_LEASE_MS,
        deadline: task.updateTime + 60_000,
        updateTime: task.updateTime,
        revision: task.revision,
        size: task.size,
      });
      expect(task.updateTime).toBeGreaterThanOrEqual(before.updateTime);
      expect(await subject.replica.getTask(aTaskKey("t"))).toEqual(task);
      const changes = await subject.changes();
      expect(changes).toMatchObject([
        { kind: "task", task, previousStatus: TaskStatus.READY },
        {
          kind: "session",
          previousStatus: SessionStatus.STARTED,
          session: { status: SessionStatus.RUNNING, updateTime: task.updateTime, endTime: undefined, error: "" },
        },
      ]);
      await subject.storage.leaseTask(aLease("other"));
      expect(await subject.events()).toEqual(["TASK s/other: READY>LEASED"]);
    });

    it("is never longer than the attempt may take", async () => {
      await subject.storage.startSession(aRun([aTask("t", { timeoutMs: 500 })]));
      const { startTime, leaseExpireTime, deadline } = await subject.storage.leaseTask(aLease("t"));
      expect(leaseExpireTime).toBe(present(startTime) + 500);
      expect(deadline).toBe(leaseExpireTime);
    });

    it("answers a repeat as the first time, also when it was renewed since or the session is PAUSED", async () => {
      await given(subject, TaskStatus.READY);
      const task = await subject.storage.leaseTask(aLease("t"));
      await subject.storage.renewTask(aRenewal("t"));
      await subject.storage.updateSession(aSessionUpdate(SESSION, { status: SessionStatus.PAUSED }));
      await subject.changes();
      expect(await subject.replica.leaseTask(aLease("t"))).toEqual(task);
      expect(await subject.events()).toEqual([]);
    });

    it.each([
      ["agent", { agentId: "b" }],
      ["incarnation", { agentIncarnation: 2 }],
      ["attempt", { attempt: 2 }],
    ])("is refused to another %s while it lasts", async (_which, other) => {
      await given(subject, TaskStatus.LEASED);
      const failure = await failureOf(() => subject.replica.leaseTask(aLease("t", 1, other)));
      expect(failure).toMatchObject({
        reason: "STALE_ATTEMPT",
        metadata: { attempt: String("attempt" in other ? other.attempt : 1), current: "1", status: "LEASED" },
      });
      expect(await subject.storage.getTask(aTaskKey("t"))).toMatchObject({ agentId: "a", agentIncarnation: 1 });
      expect(await subject.events()).toEqual([]);
    });

    it.each(TASK_STATUSES.filter(([, status]) => status !== TaskStatus.READY && status !== TaskStatus.LEASED))(
      "is refused for one that is %s",
      async (name, status) => {
        await given(subject, status);
        const { attempt } = present(await subject.storage.getTask(aTaskKey("t")));
        for (const next of [attempt, attempt + 1]) {
          const failure = await failureOf(() => subject.storage.leaseTask(aLease("t", next)));
          const metadata = { attempt: String(next), current: String(attempt), status: name };
          expect(failure).toMatchObject({ reason: "STALE_ATTEMPT", metadata });
        }
        expect(await subject.events()).toEqual([]);
      },
    );

    it.each([0, 2, 3])("is refused for attempt %i where 1 is next", async (attempt) => {
      await given(subject, TaskStatus.READY);
      const failure = await failureOf(() => subject.storage.leaseTask(aLease("t", attempt)));
      const metadata = { attempt: String(attempt), current: "0", status: "READY" };
      expect(failure).toMatchObject({ reason: "STALE_ATTEMPT", metadata });
    });

    it("counts attempts on after a failure, for whoever comes next", async () => {
      await given(subject, TaskStatus.LEASED);
      await subject.storage.failTask(aFailure("t"));
      expect((await failureOf(() => subject.storage.leaseTask(aLease("t", 1)))).reason).toBe("STALE_ATTEMPT");
      const task = await subject.storage.leaseTask(aLease("t", 2, { agentId: "b", agentIncarnation: 3 }));
      // Why the attempt before failed stands until this one has ended.
      expect(task).toMatchObject({ attempt: 2, attemptsLeft: 1, agentId: "b", agentIncarnation: 3, reason: "Broken" });
      expect(await subject.events()).toEqual(["TASK s/t: LEASED>READY", "TASK s/t: READY>LEASED"]);
    });
  });

  describe("a PAUSED session", () => {
    const subject = useStorage(factory);
    const pause = () => subject.storage.updateSession(aSessionUpdate(SESSION, { status: SessionStatus.PAUSED }));

    it("leases none of its tasks until it goes on", async () => {
      await given(subject, TaskStatus.READY);
      await pause();
      await subject.changes();
      const failure = await failureOf(() => subject.storage.leaseTask(aLease("t")));
      const metadata = { attempt: "1", current: "0", status: "READY" };
      expect(failure).toMatchObject({ reason: "STALE_ATTEMPT", metadata });
      expect(await subject.events()).toEqual([]);
      await subject.storage.updateSession(aSessionUpdate(SESSION, { status: SessionStatus.RUNNING }));
      await subject.storage.leaseTask(aLease("t"));
      expect(await subject.events()).toEqual(["UPDATED s: PAUSED>RUNNING", "TASK s/t: READY>LEASED"]);
    });

    it("lets attempts that are under way go on, and makes READY what they were waited for", async () => {
      await subject.storage.startSession(aRun([...aChain("t", "u"), aTask("v")]));
      await subject.storage.leaseTask(aLease("t"));
      await subject.storage.leaseTask(aLease("v"));
      await pause();
      await subject.changes();
      expect((await subject.storage.renewTask(aRenewal("t"))).remainingMs).toBeGreaterThan(0);
      await subject.storage.completeTask(aCompletion("t"));
      await subject.storage.failTask(aFailure("v"));
      expect(await subject.events()).toEqual([
        "TASK s/t: LEASED>COMPLETED",
        "TASK s/u: PENDING>READY",
        "TASK s/v: LEASED>READY",
      ]);
    });

    it("ends with its last task", async () => {
      await subject.storage.startSession(aRun([aTask("t")]));
      await subject.storage.leaseTask(aLease("t"));
      await pause();
      await subject.changes();
      await subject.storage.completeTask(aCompletion("t"));
      expect(await subject.events()).toEqual(["TASK s/t: LEASED>COMPLETED", "ENDED s: PAUSED>COMPLETED"]);
    });
  });

  describe("renewal of a task", () => {
    const subject = useStorage(factory);

    it("writes no event and no record", async () => {
      await given(subject, TaskStatus.LEASED);
      const before = await subject.storage.getTask(aTaskKey("t"));
      const { remainingMs } = await subject.replica.renewTask(aRenewal("t", 1, { leaseMs: 5_000 }));
      expect(remainingMs).toBeGreaterThan(5_000 - 100);
      expect(remainingMs).toBeLessThanOrEqual(5_000);
      expect(await subject.events()).toEqual([]);
      expect(await subject.storage.getTask(aTaskKey("t"))).toEqual(before);
    });

    it("reaches no further than the attempt's deadline", async () => {
      await subject.storage.startSession(aRun([aTask("t", { timeoutMs: 5_000 })]));
      await subject.storage.leaseTask(aLease("t"));
      await subject.advance(100);
      const { remainingMs } = await subject.storage.renewTask(aRenewal("t", 1, { leaseMs: 60_000 }));
      expect(remainingMs).toBeLessThanOrEqual(4_900);
      expect(remainingMs).toBeGreaterThan(4_800);
    });

    it.each(TASK_STATUSES.filter(([, status]) => status !== TaskStatus.LEASED))(
      "is refused for a task that is %s",
      async (name, status) => {
        await given(subject, status);
        const { attempt } = present(await subject.storage.getTask(aTaskKey("t")));
        const failure = await failureOf(() => subject.storage.renewTask(aRenewal("t", attempt)));
        const metadata = { attempt: String(attempt), current: String(attempt), status: name };
        expect(failure).toMatchObject({ reason: "STALE_ATTEMPT", metadata });
      },
    );

    it.each([0, 1, 3])("is refused for attempt %i while 2 is under way", async (attempt) => {
      await subject.storage.startSession(aRun([aTask("t", { retry: RETRY })]));
      await subject.storage.leaseTask(aLease("t"));
      await subject.storage.failTask(aFailure("t"));
      await subject.storage.leaseTask(aLease("t", 2));
      const failure = await failureOf(() => subject.storage.renewTask(aRenewal("t", attempt)));
      const metadata = { attempt: String(attempt), current: "2", status: "LEASED" };
      expect(failure).toMatchObject({ reason: "STALE_ATTEMPT", metadata });
    });
  });
}
