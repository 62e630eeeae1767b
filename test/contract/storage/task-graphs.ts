import { describe, expect, it } from "vitest";
import { TaskStatus, type TaskPlan } from "../../../src/storage/records.js";
import { aCancellation, aChain, aCompletion, aFailure, aLease, aRun, aTask, aTaskKey } from "../../helpers/tasks.js";
import { present, times, useStorage, type StorageFactory } from "./harness.js";

/** Bytes of JSON that the results handed on may take together. */
const MAX_BYTES = 64 * 1024;

/** A result that takes, with its task's id, exactly so many bytes of the room that there is. */
function filling(taskId: string, bytes: number) {
  const frame = taskId.length + 4 + JSON.stringify({ x: "" }).length;
  return { x: "x".repeat(bytes - frame) };
}

/** Which tasks wait for which, and what is handed on. */
export function taskGraphsContract(factory: StorageFactory): void {
  describe("dependencies of tasks", () => {
    const subject = useStorage(factory);
    const start = async (tasks: readonly TaskPlan[]) => {
      await subject.storage.startSession(aRun(tasks));
      await subject.changes();
    };
    const complete = async (taskId: string, result?: Parameters<typeof aCompletion>[2]) => {
      await subject.storage.leaseTask(aLease(taskId));
      await subject.changes();
      await subject.storage.completeTask(aCompletion(taskId, 1, result));
      return subject.events();
    };
    const inputsOf = async (taskId: string) => present(await subject.storage.getTask(aTaskKey(taskId))).inputs;

    it("let a chain go on step by step", async () => {
      await start(aChain("a", "b", "c"));
      expect(await complete("a")).toEqual(["TASK s/a: LEASED>COMPLETED", "TASK s/b: PENDING>READY"]);
      expect(await complete("b")).toEqual(["TASK s/b: LEASED>COMPLETED", "TASK s/c: PENDING>READY"]);
      expect(await complete("c")).toEqual(["TASK s/c: LEASED>COMPLETED", "ENDED s: RUNNING>COMPLETED"]);
    });

    it("let all of a fan-out go at once, in the order of the plan", async () => {
      const leaves = ["z", "m", "a", "q"];
      await start([aTask("root"), ...leaves.map((taskId) => aTask(taskId, { dependsOn: ["root"] }))]);
      expect(await complete("root")).toEqual([
        "TASK s/root: LEASED>COMPLETED",
        ...leaves.map((taskId) => `TASK s/${taskId}: PENDING>READY`),
      ]);
    });

    it("make a join wait for all, whichever comes last", async () => {
      await start([aTask("a"), aTask("b"), aTask("c"), aTask("join", { dependsOn: ["c", "a", "b"] })]);
      expect(await complete("b", { result: { from: "b" } })).toEqual(["TASK s/b: LEASED>COMPLETED"]);
      expect(await complete("c", { result: { from: "c" } })).toEqual(["TASK s/c: LEASED>COMPLETED"]);
      expect(await inputsOf("join")).toBeUndefined();
      expect(await complete("a")).toEqual(["TASK s/a: LEASED>COMPLETED", "TASK s/join: PENDING>READY"]);
      expect(await inputsOf("join")).toEqual({ c: { from: "c" }, a: {}, b: { from: "b" } });
    });

    it("open a diamond side by side and close it once", async () => {
      await start([
        aTask("top"),
        aTask("left", { dependsOn: ["top"] }),
        aTask("right", { dependsOn: ["top"] }),
        aTask("bottom", { dependsOn: ["left", "right"] }),
      ]);
      await complete("top", { result: { n: 1 } });
      expect(await inputsOf("left")).toEqual({ top: { n: 1 } });
      expect(await complete("right")).toEqual(["TASK s/right: LEASED>COMPLETED"]);
      // A repeat of the completion opens nothing.
      await subject.storage.completeTask(aCompletion("right"));
      expect(await subject.events()).toEqual([]);
      expect(await complete("left")).toEqual(["TASK s/left: LEASED>COMPLETED", "TASK s/bottom: PENDING>READY"]);
      expect(await inputsOf("bottom")).toEqual({ left: {}, right: {} });
      expect(await complete("bottom")).toEqual(["TASK s/bottom: LEASED>COMPLETED", "ENDED s: RUNNING>COMPLETED"]);
    });

    it("hand on what the direct dependencies gave, not what came before them", async () => {
      await start(aChain("a", "b", "c"));
      await complete("a", { result: { a: 1 } });
      await complete("b", { result: { b: 2 } });
      expect(await inputsOf("c")).toEqual({ b: { b: 2 } });
      const task = await subject.storage.leaseTask(aLease("c"));
      expect(task.inputs).toEqual({ b: { b: 2 } });
    });

    it("give a task without any no inputs", async () => {
      await start([aTask("a")]);
      expect(await inputsOf("a")).toBeUndefined();
    });

    it("are not met by a failure or a call-off", async () => {
      await start([aTask("a"), aTask("b"), aTask("c", { dependsOn: ["a"] }), aTask("d", { dependsOn: ["b"] })]);
      await subject.storage.leaseTask(aLease("a"));
      await subject.storage.leaseTask(aLease("b"));
      await subject.changes();
      await subject.storage.failTask(aFailure("a", 1, { permanent: true }));
      await subject.storage.cancelTask(aCancellation("b"));
      expect(await subject.events()).toEqual([
        "TASK s/a: LEASED>FAILED",
        "TASK s/b: LEASED>CANCELLED",
        "ENDED s: RUNNING>FAILED",
      ]);
      for (const taskId of ["c", "d"]) {
        expect(await subject.storage.getTask(aTaskKey(taskId))).toMatchObject({ status: TaskStatus.PENDING });
      }
    });

    it("that are met leave a task alone which was called off meanwhile", async () => {
      await start([...aChain("a", "b"), aTask("c", { dependsOn: ["a"] })]);
      await subject.storage.cancelTask(aCancellation("b"));
      expect(await complete("a")).toEqual(["TASK s/a: LEASED>COMPLETED", "TASK s/c: PENDING>READY"]);
      expect(await subject.storage.getTask(aTaskKey("b"))).toMatchObject({ status: TaskStatus.CANCELLED });
    });

    it("bring a thousand tasks through", async () => {
      const leaves = times(998, (index) => `leaf-${index}`);
      await start([
        aTask("root"),
        ...leaves.map((taskId) => aTask(taskId, { dependsOn: ["root"] })),
        aTask("join", { dependsOn: leaves }),
      ]);
      expect(await complete("root")).toHaveLength(999);
      await Promise.all(
        leaves.map(async (taskId) => {
          await subject.storage.leaseTask(aLease(taskId));
          await subject.storage.completeTask(aCompletion(taskId, 1, { result: { n: 1 } }));
        }),
      );
      const events = await subject.events();
      expect(events).toHaveLength(2 * 998 + 1);
      expect(events.at(-1)).toBe("TASK s/join: PENDING>READY");
      expect(Object.keys(present(await inputsOf("join")))).toEqual(leaves);
      expect(await complete("join")).toEqual(["TASK s/join: LEASED>COMPLETED", "ENDED s: RUNNING>COMPLETED"]);
    });
  });

  describe("what is handed on", () => {
    const subject = useStorage(factory);
    /** Completes tasks with these results, and gives the ids of those that their dependant gets. */
    const handedOn = async (results: Readonly<Record<string, object>>): Promise<string[]> => {
      const ids = Object.keys(results);
      await subject.storage.startSession(
        aRun([...ids.map((id) => aTask(id)), aTask("join", { dependsOn: ids })], { agentId: "" }),
      );
      for (const id of ids) {
        await subject.storage.leaseTask(aLease(id));
        await subject.storage.completeTask(aCompletion(id, 1, { result: { ...results[id] } }));
      }
      const { inputs = {} } = present(await subject.storage.getTask(aTaskKey("join")));
      for (const id of Object.keys(inputs)) expect(inputs[id]).toEqual(results[id]);
      return Object.keys(inputs);
    };

    it.each([
      ["takes exactly as much as there is room for", 0, ["a", "b"]],
      ["leaves out a result for which a byte is missing", 1, ["a"]],
    ])("%s", async (_what, over, expected) => {
      const half = (MAX_BYTES - 2) / 2;
      expect(await handedOn({ a: filling("a", half), b: filling("b", half + over) })).toEqual(expected);
    });

    it("leaves out what does not fit, and takes what fits after it", async () => {
      const results = { a: filling("a", 60_000), b: filling("b", 6_000), c: filling("c", 5_000), d: {} };
      expect(await handedOn(results)).toEqual(["a", "c", "d"]);
    });

    it("counts bytes, not characters", async () => {
      const wide = { x: "é".repeat(20_000) };
      expect(await handedOn({ a: wide, b: wide })).toEqual(["a"]);
    });

    it("is nothing where nothing fits", async () => {
      expect(await handedOn({ a: filling("a", MAX_BYTES) })).toEqual([]);
      expect(present(await subject.storage.getTask(aTaskKey("join"))).inputs).toBeUndefined();
    });
  });
}
