import { describe, expect, it } from "vitest";
import { TaskStatus } from "../../../src/storage/records.js";
import type { ListTasks } from "../../../src/storage/storage.js";
import {
  aCancellation,
  aCompletion,
  aFailure,
  aLease,
  aRelease,
  aRenewal,
  aReservation,
  aRun,
  aTask,
  aTaskKey,
  aTaskQuery,
  aWorkflow,
} from "../../helpers/tasks.js";
import { aSessionQuery, NAMESPACE } from "../../helpers/records.js";
import { failureOf, present, reasonOf, times, useStorage, type StorageFactory, type Subject } from "./harness.js";

/** ListTasks, and how tasks of different namespaces stay apart. */
export function taskListsContract(factory: StorageFactory): void {
  describe("list of tasks", () => {
    const subject = useStorage(factory);
    const walk = async (query: Partial<ListTasks>): Promise<string[]> => {
      const names: string[] = [];
      let cursor: string | undefined;
      do {
        const page = await subject.replica.listTasks(aTaskQuery({ ...query, cursor }));
        expect(page.items.length).toBeLessThanOrEqual(query.limit ?? 50);
        names.push(...page.items.map(({ sessionId, taskId }) => `${sessionId}/${taskId}`));
        cursor = page.next;
      } while (cursor !== undefined);
      return names;
    };
    /** Three sessions, started in this order, whose tasks are READY, LEASED, COMPLETED, FAILED, CANCELLED and PENDING. */
    const startAll = async () => {
      const { storage } = subject;
      for (const sessionId of ["z", "a", "m"]) {
        const tasks = ["r", "l", "c", "f", "x"].map((taskId) => aTask(taskId));
        await storage.startSession(aRun([...tasks, aTask("p", { dependsOn: ["r"] })], { sessionId }));
        const agentId = sessionId === "a" ? "two" : "one";
        for (const taskId of ["l", "c", "f"]) {
          await storage.leaseTask(aLease(taskId, 1, { sessionId, agentId: taskId === "f" ? "last" : agentId }));
        }
        await storage.completeTask(aCompletion("c", 1, { sessionId }));
        await storage.failTask(aFailure("f", 1, { sessionId, permanent: true }));
        await storage.cancelTask(aCancellation("x", { sessionId }));
      }
    };
    const all = (sessionId: string) => ["r", "l", "c", "f", "x", "p"].map((taskId) => `${sessionId}/${taskId}`);

    it.each<[Partial<ListTasks>, string[]]>([
      [{}, ["z", "a", "m"].flatMap(all)],
      [{ sessionId: "a" }, all("a")],
      [{ sessionId: "nobody" }, []],
      [{ agentId: "one" }, ["z/l", "z/c", "m/l", "m/c"]],
      [{ agentId: "two" }, ["a/l", "a/c"]],
      [{ agentId: "nobody" }, []],
      [{ agentId: "one", sessionId: "m" }, ["m/l", "m/c"]],
      [{ agentId: "one", sessionId: "a" }, []],
      [{ agentId: "last" }, ["z/f", "a/f", "m/f"]],
      [{ statuses: [TaskStatus.FAILED] }, ["z/f", "a/f", "m/f"]],
      [{ statuses: [TaskStatus.READY, TaskStatus.PENDING], sessionId: "z" }, ["z/r", "z/p"]],
      [{ statuses: [TaskStatus.LEASED, TaskStatus.CANCELLED] }, ["z/l", "z/x", "a/l", "a/x", "m/l", "m/x"]],
      [{ agentId: "one", statuses: [TaskStatus.COMPLETED], sessionId: "z" }, ["z/c"]],
      [{ agentId: "one", statuses: [TaskStatus.READY] }, []],
      [{ namespace: "other" }, []],
    ])("filters %o, whatever the page size", async (query, expected) => {
      await startAll();
      for (const limit of [1, 4, 50]) expect(await walk({ ...query, limit })).toEqual(expected);
    });

    it("holds tasks as they are", async () => {
      await startAll();
      const { items, next } = await subject.storage.listTasks(aTaskQuery());
      expect(next).toBeUndefined();
      for (const task of items) expect(await subject.storage.getTask(task)).toEqual(task);
    });

    it("keeps the order of their sessions' start and of their plans, whatever happens to them", async () => {
      await startAll();
      const { storage } = subject;
      await storage.retryTask(aTaskKey("f", { sessionId: "m" }));
      await storage.leaseTask(aLease("f", 2, { sessionId: "m", agentId: "one" }));
      await storage.completeTask(aCompletion("f", 2, { sessionId: "m" }));
      expect(await walk({ agentId: "one", limit: 3 })).toEqual(["z/l", "z/c", "m/l", "m/c", "m/f"]);
      expect(await walk({ agentId: "last" })).toEqual(["z/f", "a/f"]);
      expect(await walk({ sessionId: "m" })).toEqual(all("m"));
    });

    it("says that there is no next page exactly at its end", async () => {
      await subject.storage.startSession(aRun([aTask("t"), aTask("u")]));
      for (const sessionId of ["s", ""]) {
        expect((await subject.storage.listTasks(aTaskQuery({ sessionId, limit: 2 }))).next).toBeUndefined();
      }
    });

    it("walks a thousand tasks", async () => {
      const ids = times(1_000, (index) => `t-${index}`);
      await subject.storage.startSession(aRun(ids.map((taskId) => aTask(taskId))));
      const names = ids.map((taskId) => `s/${taskId}`);
      for (const sessionId of ["s", ""]) expect(await walk({ sessionId, limit: 300 })).toEqual(names);
      await subject.storage.leaseTask(aLease("t-999"));
      expect(await walk({ statuses: [TaskStatus.LEASED] })).toEqual(["s/t-999"]);
    });

    it.each(["", "x", "t", "s1", "a1", "t-1", "t1.5", "tZZ", "🙂"])(
      "refuses the cursor %o, which it never gave",
      async (cursor) => {
        await startAll();
        for (const sessionId of ["", "a", "nobody"]) {
          const failure = await failureOf(() => subject.storage.listTasks(aTaskQuery({ cursor, sessionId })));
          expect(failure.reason).toBe("INVALID_PAGE_TOKEN");
        }
      },
    );
  });

  describe("tasks of two namespaces", () => {
    const subject = useStorage(factory);

    it("share nothing but the log", async () => {
      const { storage } = subject;
      await storage.startSession(aRun([aTask("t"), aTask("u")], { namespace: "one" }));
      await storage.startSession(aRun([aTask("t", { startDelayMs: 50_000 })], { namespace: "two" }));
      await subject.changes();
      const task = await storage.leaseTask(aLease("t", 1, { namespace: "one" }));
      expect(await storage.getTask(aTaskKey("t", { namespace: "two" }))).toMatchObject({ status: TaskStatus.READY });
      expect(await storage.getTask(aTaskKey("t", { namespace: "three" }))).toBeUndefined();
      for (const namespace of ["two", "three"]) {
        const failure = await failureOf(() => storage.completeTask(aCompletion("t", 1, { namespace })));
        expect(failure.reason).toBe(namespace === "two" ? "STALE_ATTEMPT" : "TASK_NOT_FOUND");
      }
      expect(await storage.getTask(aTaskKey("t", { namespace: "one" }))).toEqual(task);
      expect(await subject.changes()).toMatchObject([
        { kind: "task", namespace: "one", previousStatus: TaskStatus.READY },
        { kind: "session", namespace: "one" },
      ]);
      const listed = await storage.listTasks(aTaskQuery({ namespace: "one", agentId: "a" }));
      expect(listed.items).toEqual([task]);
      expect((await storage.listTasks(aTaskQuery({ namespace: "two", agentId: "a" }))).items).toEqual([]);
    });

    it("end their own sessions", async () => {
      const { storage } = subject;
      for (const namespace of ["one", "two"]) await storage.startSession(aRun([aTask("t")], { namespace }));
      await storage.leaseTask(aLease("t", 1, { namespace: "one" }));
      await storage.completeTask(aCompletion("t", 1, { namespace: "one" }));
      const listed = async (namespace: string) =>
        (await storage.listSessions(aSessionQuery({ namespace }))).items.map(({ endTime }) => endTime !== undefined);
      expect([await listed("one"), await listed("two")]).toEqual([[true], [false]]);
      expect(present(await storage.getTask(aTaskKey("t", { namespace: "two" }))).attempt).toBe(0);
    });
  });

  describe("a closed storage", () => {
    const subject = useStorage(factory);

    it.each<[string, (subject: Subject) => unknown]>([
      ["startSession", ({ storage }) => storage.startSession(aRun([aTask("t")], { sessionId: "new" }))],
      ["leaseTask", ({ storage }) => storage.leaseTask(aLease("t"))],
      ["renewTask", ({ storage }) => storage.renewTask(aRenewal("t"))],
      ["completeTask", ({ storage }) => storage.completeTask(aCompletion("t"))],
      ["failTask", ({ storage }) => storage.failTask(aFailure("t"))],
      ["cancelTask", ({ storage }) => storage.cancelTask(aCancellation("t"))],
      ["retryTask", ({ storage }) => storage.retryTask(aTaskKey("t"))],
      ["expireTasks", ({ storage }) => storage.expireTasks({ jitter: 0 })],
      ["getTask", ({ storage }) => storage.getTask(aTaskKey("t"))],
      ["listTasks", ({ storage }) => storage.listTasks(aTaskQuery())],
      ["snapshotTasks", ({ storage }) => storage.snapshotTasks({ namespace: NAMESPACE, of: { kind: "open" } })],
      ["reserveSlot", ({ storage }) => storage.reserveSlot(aReservation("t"))],
      ["releaseSlot", ({ storage }) => storage.releaseSlot(aRelease("t"))],
      ["putWorkflow", ({ storage }) => storage.putWorkflow(aWorkflow("w"))],
      ["getWorkflow", ({ storage }) => storage.getWorkflow({ namespace: NAMESPACE, workflowId: "w" })],
      ["listWorkflows", ({ storage }) => storage.listWorkflows({ namespace: NAMESPACE, limit: 1, cursor: undefined })],
      ["deleteWorkflow", ({ storage }) => storage.deleteWorkflow({ ...aWorkflow("w"), expectedRevision: 0 })],
    ])("refuses %s", async (_command, call) => {
      await subject.storage.startSession(aRun([aTask("t")]));
      await subject.storage.close();
      expect(await reasonOf(() => call(subject))).toBe("SERVER_STOPPING");
    });
  });
}
