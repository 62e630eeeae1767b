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
  RETRY,
  SESSION,
} from "../../helpers/tasks.js";
import { failureOf, present, useStorage, type StorageFactory } from "./harness.js";
import { given, TASK_STATUSES } from "./tasks.js";

/** CompleteTask, FailTask, CancelTask; `task-retries.ts` has the way back. */
export function taskEndsContract(factory: StorageFactory): void {
  const subject = () => useStorage(factory);
  describe("completion of a task", () => completion(subject()));
  describe("failure of a task", () => failure(subject()));
  describe("cancellation of a task", () => cancellation(subject()));
}

type Subject = ReturnType<typeof useStorage>;

function completion(subject: Subject): void {
  it("keeps the result and lets go of the agent", async () => {
    await given(subject, TaskStatus.LEASED);
    const before = present(await subject.storage.getTask(aTaskKey("t")));
    const result = { files: ["a", "b"], nested: { none: null } };
    const task = await subject.replica.completeTask(aCompletion("t", 1, { result }));
    expect(task).toEqual({
      ...before,
      status: TaskStatus.COMPLETED,
      result,
      leaseExpireTime: undefined,
      deadline: undefined,
      updateTime: task.updateTime,
      endTime: task.updateTime,
      revision: before.revision + 2,
      size: task.size,
    });
    expect(task.size).toBeGreaterThan(before.size);
    expect(await subject.storage.getTask(aTaskKey("t"))).toEqual(task);
    expect(await subject.changes()).toMatchObject([{ kind: "task", task, previousStatus: TaskStatus.LEASED }]);
  });

  it("wipes why an earlier attempt failed", async () => {
    await given(subject, TaskStatus.LEASED);
    await subject.storage.failTask(aFailure("t", 1, { error: "no luck" }));
    await subject.storage.leaseTask(aLease("t", 2));
    const task = await subject.storage.completeTask(aCompletion("t", 2));
    expect(task).toMatchObject({ reason: "", error: "", attempt: 2, attemptsLeft: 1, result: undefined });
  });

  it("gives a repeat the task as it is, and changes nothing", async () => {
    await given(subject, TaskStatus.LEASED);
    const task = await subject.storage.completeTask(aCompletion("t", 1, { result: { first: 1 } }));
    await subject.changes();
    expect(await subject.replica.completeTask(aCompletion("t", 1, { result: { second: 2 } }))).toEqual(task);
    expect(await subject.events()).toEqual([]);
  });

  it.each(TASK_STATUSES.filter(([, status]) => status !== TaskStatus.LEASED && status !== TaskStatus.COMPLETED))(
    "is refused for one that is %s",
    async (name, status) => {
      await given(subject, status);
      const { attempt } = present(await subject.storage.getTask(aTaskKey("t")));
      const refusal = await failureOf(() => subject.storage.completeTask(aCompletion("t", attempt)));
      const metadata = { attempt: String(attempt), current: String(attempt), status: name };
      expect(refusal).toMatchObject({ reason: "STALE_ATTEMPT", metadata });
      expect(await subject.events()).toEqual([]);
    },
  );

  it.each([0, 1, 3])("is refused to attempt %i while 2 is under way, and after it has completed", async (attempt) => {
    await given(subject, TaskStatus.LEASED);
    await subject.storage.failTask(aFailure("t"));
    await subject.storage.leaseTask(aLease("t", 2));
    await subject.changes();
    for (const status of ["LEASED", "COMPLETED"]) {
      const refusal = await failureOf(() => subject.storage.completeTask(aCompletion("t", attempt)));
      const metadata = { attempt: String(attempt), current: "2", status };
      expect(refusal).toMatchObject({ reason: "STALE_ATTEMPT", metadata });
      await subject.storage.completeTask(aCompletion("t", 2));
    }
    expect(await subject.events()).toEqual(["TASK s/t: LEASED>COMPLETED"]);
  });
}

function failure(subject: Subject): void {
  it("makes it READY again, with the reason, while attempts are left", async () => {
    await given(subject, TaskStatus.LEASED);
    const before = present(await subject.storage.getTask(aTaskKey("t")));
    const task = await subject.replica.failTask(aFailure("t", 1, { reason: "NoDisk", error: "disk is full" }));
    expect(task).toEqual({
      ...before,
      status: TaskStatus.READY,
      reason: "NoDisk",
      error: "disk is full",
      leaseExpireTime: undefined,
      deadline: undefined,
      updateTime: task.updateTime,
      revision: before.revision + 2,
      size: task.size,
    });
    expect(await subject.storage.getTask(aTaskKey("t"))).toEqual(task);
    expect(await subject.changes()).toMatchObject([{ kind: "task", task, previousStatus: TaskStatus.LEASED }]);
  });

  it("makes it FAILED with the last attempt", async () => {
    await given(subject, TaskStatus.READY);
    for (const attempt of [1, 2, 3]) {
      const { attemptsLeft } = await subject.storage.leaseTask(aLease("t", attempt));
      expect(attemptsLeft).toBe(RETRY.maxAttempts - attempt);
      const task = await subject.storage.failTask(aFailure("t", attempt, { error: `attempt ${attempt}` }));
      const isLast = attempt === RETRY.maxAttempts;
      expect(task).toMatchObject({
        status: isLast ? TaskStatus.FAILED : TaskStatus.READY,
        attempt,
        attemptsLeft,
        endTime: isLast ? task.updateTime : undefined,
        error: `attempt ${attempt}`,
      });
    }
    expect(await subject.storage.getTask(aTaskKey("t"))).toMatchObject({ agentId: "a", agentIncarnation: 1 });
    expect(await reasonOfLease(4)).toBe("STALE_ATTEMPT");
  });

  const reasonOfLease = async (attempt: number) =>
    (await failureOf(() => subject.storage.leaseTask(aLease("t", attempt)))).reason;

  it("that is permanent makes it FAILED whatever attempts are left", async () => {
    await given(subject, TaskStatus.LEASED);
    const task = await subject.storage.failTask(aFailure("t", 1, { permanent: true }));
    expect(task).toMatchObject({ status: TaskStatus.FAILED, attempt: 1, attemptsLeft: 2, notBefore: undefined });
    expect(task.endTime).toBe(task.updateTime);
    expect(await subject.events()).toEqual(["TASK s/t: LEASED>FAILED"]);
  });

  it.each([true, false])("gives a repeat the task as it is, and changes nothing (permanent: %s)", async (permanent) => {
    await given(subject, TaskStatus.LEASED);
    const task = await subject.storage.failTask(aFailure("t", 1, { permanent, error: "first" }));
    await subject.changes();
    const repeat = aFailure("t", 1, { permanent: true, reason: "Other", error: "second" });
    expect(await subject.replica.failTask(repeat)).toEqual(task);
    expect(await subject.events()).toEqual([]);
  });

  it("is a repeat also when somebody has retried the task by hand since", async () => {
    await given(subject, TaskStatus.FAILED);
    const task = await subject.storage.retryTask(aTaskKey("t"));
    await subject.changes();
    expect(await subject.storage.failTask(aFailure("t"))).toEqual(task);
    expect(await subject.events()).toEqual([]);
  });

  it.each([
    ["PENDING", TaskStatus.PENDING, 0],
    ["READY", TaskStatus.READY, 0],
    ["READY", TaskStatus.READY, 1],
    ["COMPLETED", TaskStatus.COMPLETED, 1],
    ["FAILED", TaskStatus.FAILED, 0],
    ["FAILED", TaskStatus.FAILED, 2],
    ["CANCELLED", TaskStatus.CANCELLED, 0],
    ["CANCELLED", TaskStatus.CANCELLED, 1],
  ])("is refused for one that is %s (status %i), attempt %i", async (name, status, attempt) => {
    await given(subject, status);
    const before = present(await subject.storage.getTask(aTaskKey("t")));
    const refusal = await failureOf(() => subject.storage.failTask(aFailure("t", attempt)));
    const metadata = { attempt: String(attempt), current: String(before.attempt), status: name };
    expect(refusal).toMatchObject({ reason: "STALE_ATTEMPT", metadata });
    expect(await subject.storage.getTask(aTaskKey("t"))).toEqual(before);
    expect(await subject.events()).toEqual([]);
  });

  it.each([0, 1, 3])("is refused to attempt %i while 2 is under way", async (attempt) => {
    await given(subject, TaskStatus.LEASED);
    await subject.storage.failTask(aFailure("t"));
    await subject.storage.leaseTask(aLease("t", 2));
    await subject.changes();
    const refusal = await failureOf(() => subject.storage.failTask(aFailure("t", attempt)));
    const metadata = { attempt: String(attempt), current: "2", status: "LEASED" };
    expect(refusal).toMatchObject({ reason: "STALE_ATTEMPT", metadata });
    expect(await subject.events()).toEqual([]);
  });

  it("is refused for an attempt that was called off", async () => {
    await given(subject, TaskStatus.LEASED);
    await subject.storage.cancelTask(aCancellation("t"));
    const metadata = { attempt: "1", current: "1", status: "CANCELLED" };
    const refusal = { reason: "STALE_ATTEMPT", metadata };
    expect(await failureOf(() => subject.storage.failTask(aFailure("t")))).toMatchObject(refusal);
    expect(await failureOf(() => subject.storage.completeTask(aCompletion("t")))).toMatchObject(refusal);
  });
}

function cancellation(subject: Subject): void {
  it.each([
    ["PENDING", TaskStatus.PENDING],
    ["READY", TaskStatus.READY],
    ["LEASED", TaskStatus.LEASED],
  ])("calls off a task that is %s", async (name, status) => {
    await given(subject, status);
    const before = present(await subject.storage.getTask(aTaskKey("t")));
    const task = await subject.replica.cancelTask(aCancellation("t", { message: "not needed" }));
    expect(task).toEqual({
      ...before,
      status: TaskStatus.CANCELLED,
      error: "not needed",
      leaseExpireTime: undefined,
      deadline: undefined,
      updateTime: task.updateTime,
      endTime: task.updateTime,
      revision: task.revision,
      size: task.size,
    });
    expect(task.revision).toBeGreaterThan(before.revision);
    expect(await subject.storage.getTask(aTaskKey("t"))).toEqual(task);
    expect(await subject.events()).toEqual([`TASK s/t: ${name}>CANCELLED`]);
  });

  it("says why it was called off, not how an attempt failed before", async () => {
    await given(subject, TaskStatus.LEASED);
    await subject.storage.failTask(aFailure("t"));
    const task = await subject.storage.cancelTask(aCancellation("t", { message: "not needed" }));
    expect(task).toMatchObject({ reason: "", error: "not needed", attempt: 1 });
  });

  it("forgets the time that a task waited for", async () => {
    await subject.storage.startSession(aRun([aTask("t", { startDelayMs: 5_000 }), aTask("u")]));
    expect(await subject.storage.cancelTask(aCancellation("t"))).toMatchObject({ notBefore: undefined, error: "" });
  });

  it.each([
    ["COMPLETED", TaskStatus.COMPLETED],
    ["FAILED", TaskStatus.FAILED],
    ["CANCELLED", TaskStatus.CANCELLED],
  ])("is refused for one that has ended as %s", async (name, status) => {
    await given(subject, status);
    const before = await subject.storage.getTask(aTaskKey("t"));
    const refusal = await failureOf(() => subject.storage.cancelTask(aCancellation("t")));
    expect(refusal).toMatchObject({ reason: "TASK_ENDED", metadata: { task_id: "t", status: name } });
    expect(await subject.storage.getTask(aTaskKey("t"))).toEqual(before);
    expect(await subject.events()).toEqual([]);
  });

  it("keeps what depends on it from running", async () => {
    await subject.storage.startSession(aRun([...aChain("t", "u"), aTask("v")]));
    await subject.storage.cancelTask(aCancellation("t"));
    await subject.storage.leaseTask(aLease("v"));
    await subject.changes();
    expect(await subject.storage.getTask(aTaskKey("u"))).toMatchObject({ status: TaskStatus.PENDING });
    await subject.storage.completeTask(aCompletion("v"));
    expect(await subject.events()).toEqual([
      "TASK s/v: LEASED>COMPLETED",
      "TASK s/u: PENDING>CANCELLED",
      "ENDED s: RUNNING>CANCELLED",
    ]);
  });

  it("works in a PAUSED session", async () => {
    await given(subject, TaskStatus.LEASED);
    await subject.storage.updateSession(aSessionUpdate(SESSION, { status: SessionStatus.PAUSED }));
    await subject.storage.cancelTask(aCancellation("t"));
    const session = await subject.storage.getSession({ namespace: NAMESPACE, sessionId: SESSION });
    expect(session).toMatchObject({ status: SessionStatus.PAUSED });
  });
}
