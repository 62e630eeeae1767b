import { describe, expect, it } from "vitest";
import { NAMESPACE } from "../../helpers/records.js";
import { aDefinition, aWorkflow } from "../../helpers/tasks.js";
import { failureOf, present, times, useStorage, type StorageFactory } from "./harness.js";

const KEY = { namespace: NAMESPACE, workflowId: "w" };

/** PutWorkflow, GetWorkflow, ListWorkflows, DeleteWorkflow: definitions, which are no part of the log. */
export function workflowsContract(factory: StorageFactory): void {
  describe("definition of a workflow", () => {
    const subject = useStorage(factory);

    it("is kept as the caller wrote it", async () => {
      const command = aWorkflow("w", {
        displayName: "Nightly",
        description: "Builds and tests",
        version: "v1",
        tasks: [
          aDefinition("build", { displayName: "Build", capability: "build", parameters: { a: [1, { b: null }] } }),
          aDefinition("test", {
            dependsOn: ["build"],
            timeoutMs: 1_234,
            retry: { maxAttempts: 4, initialBackoffMs: 10, maxBackoffMs: 100, multiplier: 1.5 },
            priority: -7,
            startDelayMs: 500,
          }),
        ],
      });
      const { workflow, created } = await subject.storage.putWorkflow(command);
      expect(created).toBe(true);
      expect({ ...workflow, expectedRevision: 0 }).toEqual({
        ...command,
        createTime: workflow.createTime,
        updateTime: workflow.createTime,
        revision: workflow.revision,
      });
      expect(workflow.revision).toBeGreaterThan(0);
      expect(await subject.replica.getWorkflow(KEY)).toEqual(workflow);
      expect(await subject.events()).toEqual([]);
    });

    it("takes the place of the one before", async () => {
      const { workflow: first } = await subject.storage.putWorkflow(aWorkflow("w", { version: "1" }));
      await subject.advance(10);
      const tasks = [aDefinition("other")];
      const { workflow, created } = await subject.replica.putWorkflow(aWorkflow("w", { version: "2", tasks }));
      expect(created).toBe(false);
      expect(workflow).toMatchObject({ version: "2", tasks, createTime: first.createTime });
      expect(workflow.updateTime).toBeGreaterThanOrEqual(first.updateTime + 10);
      expect(workflow.revision).toBeGreaterThan(first.revision);
      expect(await subject.storage.getWorkflow(KEY)).toEqual(workflow);
    });

    it("is stored only in the place of the one that the caller has read", async () => {
      const expectedRevision = 7;
      const none = await failureOf(() => subject.storage.putWorkflow(aWorkflow("w", { expectedRevision })));
      expect(none).toMatchObject({ reason: "STATE_MISMATCH", metadata: { revision: "0" } });
      expect(await subject.storage.getWorkflow(KEY)).toBeUndefined();
      const { workflow: first } = await subject.storage.putWorkflow(aWorkflow("w"));
      const update = aWorkflow("w", { version: "2", expectedRevision: first.revision });
      const { workflow: second } = await subject.storage.putWorkflow(update);
      const refusal = await failureOf(() => subject.replica.putWorkflow(update));
      expect(refusal).toMatchObject({ reason: "STATE_MISMATCH", metadata: { revision: String(second.revision) } });
      expect(await subject.storage.getWorkflow(KEY)).toEqual(second);
    });

    it("is gone after it was deleted, and comes back with a greater revision", async () => {
      const { workflow } = await subject.storage.putWorkflow(aWorkflow("w"));
      await subject.advance(10);
      const deletion = { ...KEY, expectedRevision: workflow.revision };
      expect(await subject.replica.deleteWorkflow(deletion)).toEqual(workflow);
      expect(await subject.storage.getWorkflow(KEY)).toBeUndefined();
      expect((await subject.storage.listWorkflows({ ...KEY, limit: 10, cursor: undefined })).items).toEqual([]);
      const again = await subject.storage.putWorkflow(aWorkflow("w"));
      expect(again.created).toBe(true);
      expect(again.workflow.revision).toBeGreaterThan(workflow.revision);
      expect(again.workflow.createTime).toBeGreaterThanOrEqual(workflow.createTime + 10);
      expect(await failureOf(() => subject.storage.deleteWorkflow(deletion))).toMatchObject({
        reason: "STATE_MISMATCH",
        metadata: { revision: String(again.workflow.revision) },
      });
      expect(await subject.storage.deleteWorkflow({ ...KEY, expectedRevision: 0 })).toEqual(again.workflow);
      expect(await subject.events()).toEqual([]);
    });

    it.each([0, 3])("cannot be deleted where there is none (expected revision %i)", async (expectedRevision) => {
      await subject.storage.putWorkflow(aWorkflow("other"));
      const refusal = await failureOf(() => subject.storage.deleteWorkflow({ ...KEY, expectedRevision }));
      expect(refusal).toMatchObject({ reason: "WORKFLOW_NOT_FOUND", metadata: { workflow_id: "w" } });
    });

    it("may be a thousand tasks", async () => {
      const tasks = times(1_000, (index) => aDefinition(`t-${index}`, { parameters: { index } }));
      const { workflow } = await subject.storage.putWorkflow(aWorkflow("w", { tasks }));
      expect(workflow.tasks).toEqual(tasks);
      expect(await subject.replica.getWorkflow(KEY)).toEqual(workflow);
    });

    it.each(["__proto__", "constructor", "0"])("may be named %s", async (workflowId) => {
      const { workflow } = await subject.storage.putWorkflow(aWorkflow(workflowId));
      expect(await subject.storage.getWorkflow({ ...KEY, workflowId })).toEqual(workflow);
    });
  });

  describe("list of workflows", () => {
    const subject = useStorage(factory);
    const walk = async (limit: number, namespace = NAMESPACE): Promise<string[]> => {
      const ids: string[] = [];
      let cursor: string | undefined;
      do {
        const page = await subject.replica.listWorkflows({ namespace, limit, cursor });
        expect(page.items.length).toBeLessThanOrEqual(limit);
        ids.push(...page.items.map(({ workflowId }) => workflowId));
        cursor = page.next;
      } while (cursor !== undefined);
      return ids;
    };

    it("is in the order of their ids, by bytes, whatever the page size", async () => {
      const ids = ["b", "a", "B", "Z", "a.", "a-", "a:", "a_", "10", "9", "aa"];
      for (const id of ids) await subject.storage.putWorkflow(aWorkflow(id));
      await subject.storage.putWorkflow(aWorkflow("elsewhere", { namespace: "other" }));
      const sorted = ["10", "9", "B", "Z", "a", "a-", "a.", "a:", "a_", "aa", "b"];
      for (const limit of [1, 3, 11, 50]) expect(await walk(limit)).toEqual(sorted);
      const { items } = await subject.storage.listWorkflows({ namespace: NAMESPACE, limit: 50, cursor: undefined });
      for (const workflow of items) expect(await subject.storage.getWorkflow(workflow)).toEqual(workflow);
    });

    it("says that there is no next page exactly at its end", async () => {
      for (const id of ["a", "b"]) await subject.storage.putWorkflow(aWorkflow(id));
      const query = { namespace: NAMESPACE, limit: 2, cursor: undefined };
      expect((await subject.storage.listWorkflows(query)).next).toBeUndefined();
    });

    it("goes on after one that was deleted meanwhile", async () => {
      for (const id of ["a", "b", "c", "d"]) await subject.storage.putWorkflow(aWorkflow(id));
      const first = await subject.storage.listWorkflows({ namespace: NAMESPACE, limit: 2, cursor: undefined });
      await subject.storage.deleteWorkflow({ namespace: NAMESPACE, workflowId: "b", expectedRevision: 0 });
      await subject.storage.putWorkflow(aWorkflow("bb"));
      const second = await subject.storage.listWorkflows({
        namespace: NAMESPACE,
        limit: 9,
        cursor: present(first.next),
      });
      expect(second.items.map(({ workflowId }) => workflowId)).toEqual(["bb", "c", "d"]);
    });

    it("is empty where there is nothing", async () => {
      expect(await walk(5, "nowhere")).toEqual([]);
    });

    it.each(["", "w", "x", "s1", "t1", "🙂"])("refuses the cursor %o, which it never gave", async (cursor) => {
      await subject.storage.putWorkflow(aWorkflow("w"));
      for (const namespace of [NAMESPACE, "nowhere"]) {
        const refusal = await failureOf(() => subject.storage.listWorkflows({ namespace, limit: 5, cursor }));
        expect(refusal.reason).toBe("INVALID_PAGE_TOKEN");
      }
    });
  });
}
