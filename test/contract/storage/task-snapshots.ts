import { describe, expect, it } from "vitest";
import { SessionStatus, TaskDelivery, TaskStatus, type TaskRecord } from "../../../src/storage/records.js";
import type { Position, Snapshot, TaskSnapshotQuery } from "../../../src/storage/storage.js";
import { aSessionUpdate, NAMESPACE } from "../../helpers/records.js";
import { aCancellation, aChain, aCompletion, aFailure, aLease, aRun, aTask, aTaskKey } from "../../helpers/tasks.js";
import { attempt, present, times, useStorage, type StorageFactory, type Subject } from "./harness.js";
import { Follower } from "./journal.js";

const OPEN: TaskSnapshotQuery = { namespace: NAMESPACE, of: { kind: "open" } };

const nameOf = ({ sessionId, taskId }: TaskRecord) => `${sessionId}/${taskId}`;

async function collect(snapshot: Snapshot<TaskRecord>): Promise<TaskRecord[]> {
  const items: TaskRecord[] = [];
  for await (const page of snapshot.pages()) items.push(...page.items);
  return items;
}

async function namesOf({ replica }: Subject, query: TaskSnapshotQuery): Promise<string[]> {
  return (await collect(await replica.snapshotTasks(query))).map(nameOf).sort();
}

/** What a reader of snapshot and log believes: the newest record of each task that it has seen. */
class Reader {
  readonly tasks = new Map<string, TaskRecord>();

  hold(tasks: readonly TaskRecord[]): void {
    for (const task of tasks) this.tasks.set(nameOf(task), task);
  }

  async follow({ storage }: Subject, from: Position): Promise<void> {
    let position = from;
    for (;;) {
      const page = await storage.readLog(position, 7);
      if (page.lost !== undefined) throw new Error(page.lost);
      for (const change of page.changes) {
        if (change.kind !== "task") continue;
        const known = this.tasks.get(nameOf(change.task));
        if (change.revision > (known?.revision ?? 0)) this.tasks.set(nameOf(change.task), change.task);
      }
      position = page.position;
      if (page.atHead) return;
    }
  }
}

/** Snapshots of tasks and how they join the log. */
export function taskSnapshotsContract(factory: StorageFactory): void {
  describe("snapshot of tasks", () => {
    const subject = useStorage(factory);
    /** Two sessions in one namespace, one in another, with a task in each status. */
    const startAll = async () => {
      const { storage } = subject;
      for (const [namespace, sessionId] of [
        [NAMESPACE, "s"],
        [NAMESPACE, "t"],
        ["other", "s"],
      ] as const) {
        const tasks = ["r", "l", "c", "f", "x"].map((taskId) => aTask(taskId));
        await storage.startSession(aRun([...tasks, aTask("p", { dependsOn: ["r"] })], { namespace, sessionId }));
        const key = { namespace, sessionId };
        const agentId = sessionId === "t" ? "b" : "a";
        for (const taskId of ["l", "c", "f"]) await storage.leaseTask(aLease(taskId, 1, { ...key, agentId }));
        await storage.completeTask(aCompletion("c", 1, key));
        await storage.failTask(aFailure("f", 1, { ...key, permanent: true }));
        await storage.cancelTask(aCancellation("x", key));
      }
    };

    const allOf = (sessionId: string) => ["c", "f", "l", "p", "r", "x"].map((taskId) => `${sessionId}/${taskId}`);

    it.each<TaskSnapshotQuery["of"]>([
      { kind: "open" },
      { kind: "agent", agentId: "a" },
      { kind: "sessions", sessionIds: ["s"] },
    ])("%o is empty where there is nothing, and has a position all the same", async (of) => {
      const snapshot = await subject.storage.snapshotTasks({ namespace: NAMESPACE, of });
      expect(await collect(snapshot)).toEqual([]);
      expect(snapshot.position).toEqual(await subject.storage.head());
    });

    it.each<[TaskSnapshotQuery["of"], string[]]>([
      [{ kind: "open" }, ["s/l", "s/r", "t/l", "t/r"]],
      [{ kind: "agent", agentId: "a" }, ["s/l"]],
      [{ kind: "agent", agentId: "b" }, ["t/l"]],
      [{ kind: "agent", agentId: "nobody" }, []],
      [{ kind: "sessions", sessionIds: ["s"] }, allOf("s")],
      [{ kind: "sessions", sessionIds: ["nobody", "t", "t"] }, allOf("t")],
      [{ kind: "sessions", sessionIds: [] }, []],
    ])("%o holds exactly what it says", async (of, expected) => {
      await startAll();
      expect(await namesOf(subject, { namespace: NAMESPACE, of })).toEqual(expected);
      for (const task of await collect(await subject.storage.snapshotTasks({ namespace: NAMESPACE, of }))) {
        expect(task).toEqual(await subject.storage.getTask(task));
      }
    });

    it("of all namespaces holds what is open in each", async () => {
      await startAll();
      const tasks = await collect(await subject.storage.snapshotTasks({ namespace: undefined, of: { kind: "open" } }));
      const names = tasks.map((task) => `${task.namespace}:${nameOf(task)}`).sort();
      expect(names).toEqual(["default:s/l", "default:s/r", "default:t/l", "default:t/r", "other:s/l", "other:s/r"]);
    });

    it("follows tasks as they come, go, and change hands", async () => {
      const { storage } = subject;
      const held = async (agentId: string) =>
        namesOf(subject, { namespace: NAMESPACE, of: { kind: "agent", agentId } });
      await storage.startSession(aRun(aChain("t", "u")));
      expect([await namesOf(subject, OPEN), await held("a")]).toEqual([["s/t"], []]);
      await storage.leaseTask(aLease("t"));
      expect([await namesOf(subject, OPEN), await held("a")]).toEqual([["s/t"], ["s/t"]]);
      await storage.failTask(aFailure("t"));
      expect([await namesOf(subject, OPEN), await held("a")]).toEqual([["s/t"], []]);
      await storage.leaseTask(aLease("t", 2, { agentId: "b" }));
      expect([await held("a"), await held("b")]).toEqual([[], ["s/t"]]);
      await storage.completeTask(aCompletion("t", 2));
      expect([await namesOf(subject, OPEN), await held("b")]).toEqual([["s/u"], []]);
      await storage.leaseTask(aLease("u"));
      await storage.failTask(aFailure("u", 1, { permanent: true }));
      expect(await namesOf(subject, OPEN)).toEqual([]);
      await storage.retryTask(aTaskKey("u"));
      expect(await namesOf(subject, OPEN)).toEqual(["s/u"]);
      await storage.leaseTask(aLease("u", 2));
      await storage.updateSession(aSessionUpdate("s", { status: SessionStatus.CANCELLED }));
      expect([await namesOf(subject, OPEN), await held("a")]).toEqual([[], []]);
    });

    it("follows an expiry", async () => {
      await subject.storage.startSession(aRun([aTask("t")]));
      await subject.storage.leaseTask(aLease("t", 1, { leaseMs: 100 }));
      await subject.advance(100);
      await subject.storage.expireTasks({ jitter: 0 });
      expect(await namesOf(subject, { namespace: NAMESPACE, of: { kind: "agent", agentId: "a" } })).toEqual([]);
      expect(await namesOf(subject, OPEN)).toEqual(["s/t"]);
    });

    it("holds a thousand tasks", async () => {
      await subject.storage.startSession(aRun(times(1_000, (index) => aTask(`t-${index}`))));
      const names = times(1_000, (index) => `s/t-${index}`).sort();
      expect(await namesOf(subject, OPEN)).toEqual(names);
      const sessions = { namespace: NAMESPACE, of: { kind: "sessions", sessionIds: ["s"] } } as const;
      expect(await namesOf(subject, sessions)).toEqual(names);
    });

    it("holds nothing that is newer than its record says", async () => {
      await subject.storage.startSession(aRun([aTask("t"), aTask("u")]));
      const snapshot = await subject.storage.snapshotTasks(OPEN);
      await subject.storage.leaseTask(aLease("t"));
      for (const { taskId, status, attempt } of await collect(snapshot)) {
        expect(attempt).toBe(status === TaskStatus.LEASED ? 1 : 0);
        if (taskId === "u") expect(status).toBe(TaskStatus.READY);
      }
    });

    it("joins the log without a gap or a repeat while everything moves", async () => {
      const ids = times(40, (index) => `s-${index}`);
      const work = async (on: Subject["storage"], sessionId: string) => {
        await on.startSession(aRun([...aChain("t", "u"), aTask("v")], { sessionId }));
        for (const taskId of ["t", "u"]) {
          await on.leaseTask(aLease(taskId, 1, { sessionId }));
          await on.completeTask(aCompletion(taskId, 1, { sessionId }));
        }
        await attempt(() => on.cancelTask(aCancellation("v", { sessionId })));
      };
      const start = await subject.storage.head();
      const working = Promise.all(
        ids.map((sessionId, index) => work(index % 2 === 0 ? subject.storage : subject.replica, sessionId)),
      );
      const readers = await Promise.all(
        times(5, async () => {
          const reader = new Reader();
          const of = { kind: "sessions", sessionIds: ids } as const;
          const snapshot = await subject.replica.snapshotTasks({ namespace: NAMESPACE, of });
          reader.hold(await collect(snapshot));
          return { reader, position: snapshot.position };
        }),
      );
      await working;
      for (const { reader, position } of [...readers, { reader: new Reader(), position: start }]) {
        await reader.follow(subject, position);
        expect(reader.tasks.size).toBe(3 * ids.length);
        for (const task of reader.tasks.values()) expect(task).toEqual(present(await subject.storage.getTask(task)));
      }
    });
  });

  describe("changes of tasks", () => {
    const subject = useStorage(factory);

    it("reach whoever follows the log, through any replica, as they are in it", async () => {
      const followers = [new Follower(), new Follower()] as const;
      const tails = await Promise.all([subject.storage.tail(followers[0]), subject.replica.tail(followers[1])]);
      const { storage } = subject;
      const parameters = { text: "ü 🙂 \u2028", list: [1.5, -0.25, { deep: [null, true] }], empty: {} };
      await storage.startSession(aRun([aTask("t", { parameters }), ...aChain("u", "v")], { metadata: { a: 1 } }));
      await storage.leaseTask(aLease("u", 1, { delivery: TaskDelivery.AGENTKIT }));
      await storage.completeTask(aCompletion("u", 1, { result: parameters }));
      await storage.leaseTask(aLease("t"));
      await storage.failTask(aFailure("t", 1, { permanent: true, error: "ü" }));
      await storage.cancelTask(aCancellation("v"));
      const changes = await subject.changes();
      expect(changes).toHaveLength(12);
      for (const follower of followers) expect(await follower.until(changes.length)).toEqual(changes);
      for (const tail of tails) await tail.close();
    });
  });
}
