import { describe, expect, it } from "vitest";
import type { Awaitable } from "../../../src/lib/awaitable.js";
import { State } from "../../../src/storage/records.js";
import { MAX_PAGE_BYTES } from "../../../src/storage/pages.js";
import { agentWithStateSize, documentSize, workflowSize } from "../../../src/storage/sizes.js";
import type { Page } from "../../../src/storage/storage.js";
import { anAgentQuery, aRegistration, aReport, aSession, aSessionQuery, NAMESPACE } from "../../helpers/records.js";
import { aDefinition, aRun, aTask, aTaskQuery, aWorkflow } from "../../helpers/tasks.js";
import { present, times, useStorage, type StorageFactory } from "./harness.js";

/** More than a page holds of what is as large as it may be. */
const COUNT = 30;
const LARGE = { text: "x".repeat(60_000) };
const TOO_LARGE = { text: "x".repeat(MAX_PAGE_BYTES) };
const ids = times(COUNT, (index) => `i-${String(index).padStart(2, "0")}`);

/** Every page is bounded in bytes, however many items are asked for. */
export function pageSizesContract(factory: StorageFactory): void {
  describe("page of large items", () => {
    const subject = useStorage(factory);

    /** All items, and on how many pages they came; no page may be too large, and none may lack what has room on it. */
    const walk = async <T>(
      read: (page: { readonly limit: number; readonly cursor: string | undefined }) => Awaitable<Page<T>>,
      sizeOf: (item: T) => number,
    ): Promise<{ readonly items: readonly T[]; readonly pages: number }> => {
      const items: T[] = [];
      let pages = 0;
      let cursor: string | undefined;
      do {
        const page = await read({ limit: 1_000, cursor });
        const size = page.items.reduce((sum, item) => sum + sizeOf(item), 0);
        if (page.items.length > 1) expect(size).toBeLessThanOrEqual(MAX_PAGE_BYTES);
        if (page.next !== undefined) expect(size).toBeGreaterThan(MAX_PAGE_BYTES - 2 * LARGE.text.length - 1_000);
        items.push(...page.items);
        pages += 1;
        cursor = page.next;
      } while (cursor !== undefined);
      return { items, pages };
    };

    it("of agents ends before it is too large", async () => {
      for (const agentId of ids) {
        await subject.storage.registerAgent(aRegistration(agentId, { metadata: LARGE }));
        await subject.storage.setState(aReport(agentId, State.IDLE, { details: LARGE }));
      }
      const { items, pages } = await walk(
        (page) => subject.replica.listAgents(anAgentQuery(page)),
        (agent) => agentWithStateSize(agent),
      );
      expect(items.map(({ record }) => record.agentId)).toEqual(ids);
      expect(pages).toBe(6);
    });

    it("of sessions ends before it is too large", async () => {
      await subject.storage.registerAgent(aRegistration("a"));
      for (const sessionId of ids) {
        await subject.storage.startSession(aSession(sessionId, "a", { metadata: LARGE }));
      }
      for (const agentId of ["", "a"]) {
        const { items, pages } = await walk(
          (page) => subject.replica.listSessions(aSessionQuery({ agentId, ...page })),
          ({ size }) => size,
        );
        expect(items.map(({ sessionId }) => sessionId)).toEqual(ids);
        expect(pages).toBe(3);
      }
    });

    it("of tasks ends before it is too large, within a session and over many", async () => {
      const large = (taskId: string) => aTask(taskId, { parameters: LARGE });
      await subject.storage.startSession(aRun(ids.map(large), { sessionId: "many" }));
      for (const sessionId of ids) await subject.storage.startSession(aRun([large("t")], { sessionId }));
      const of = (query: object) =>
        walk(
          (page) => subject.replica.listTasks(aTaskQuery({ ...query, ...page })),
          ({ size }) => size,
        );
      const many = await of({ sessionId: "many" });
      expect(many.items.map(({ taskId }) => taskId)).toEqual(ids);
      expect(many.pages).toBe(3);
      const all = await of({});
      expect(all.items.map(({ sessionId }) => sessionId)).toEqual([...ids.map(() => "many"), ...ids]);
      expect(all.pages).toBe(6);
    });

    it("of definitions ends before it is too large, and holds one that is too large by itself", async () => {
      for (const [index, workflowId] of ids.entries()) {
        const parameters = index === 7 ? TOO_LARGE : LARGE;
        await subject.storage.putWorkflow(aWorkflow(workflowId, { tasks: [aDefinition("t", { parameters })] }));
      }
      const items: string[] = [];
      const sizes: number[] = [];
      let cursor: string | undefined;
      do {
        const page = await subject.replica.listWorkflows({ namespace: NAMESPACE, limit: 1_000, cursor });
        items.push(...page.items.map(({ workflowId }) => workflowId));
        sizes.push(page.items.length);
        const size = page.items.reduce((sum, item) => sum + workflowSize(item), 0);
        if (page.items.length > 1) expect(size).toBeLessThanOrEqual(MAX_PAGE_BYTES);
        cursor = page.next;
      } while (cursor !== undefined);
      expect(items).toEqual(ids);
      expect(sizes).toEqual([7, 1, 10, 10, 2]);
    });

    it("of documents ends before it is too large, when it is for an answer", async () => {
      for (const id of ids) {
        const key = { kind: "thing", namespace: NAMESPACE, id };
        await subject.storage.writeDocument({ ...key, body: LARGE, expectedRevision: 0 });
      }
      const query = { kind: "thing", namespace: NAMESPACE };
      const { items, pages } = await walk(
        (page) => subject.replica.listDocuments({ ...query, ...page, bounded: true }),
        (document) => documentSize(document),
      );
      expect(items.map(({ id }) => id)).toEqual(ids);
      expect(pages).toBe(3);
      const whole = await subject.replica.listDocuments({ ...query, limit: COUNT, cursor: undefined });
      expect(whole).toMatchObject({ items: { length: COUNT }, next: undefined });
    });

    it("of history ends before it is too large, each entry counted with the one before it", async () => {
      await subject.storage.registerAgent(aRegistration("a"));
      for (const [index] of ids.entries()) {
        const state = index % 2 === 0 ? State.IDLE : State.ACTIVE;
        await subject.storage.setState(aReport("a", state, { details: LARGE }));
      }
      const lengths: number[] = [];
      let afterRevision = 0;
      for (let more = true; more;) {
        const query = { namespace: NAMESPACE, agentId: "a", afterRevision, limit: 1_000 };
        const page = present(await subject.replica.readHistory(query));
        const before = page.before?.size ?? 0;
        const size = page.entries.reduce(
          (sum, entry, at) => sum + entry.size + (page.entries[at - 1]?.size ?? before),
          0,
        );
        expect(size).toBeLessThanOrEqual(MAX_PAGE_BYTES);
        expect(page.before?.revision ?? 0).toBe(afterRevision);
        lengths.push(page.entries.length);
        afterRevision = present(page.entries.at(-1)).revision;
        more = page.more;
      }
      expect(lengths.reduce((sum, length) => sum + length)).toBe(COUNT + 1);
      expect(lengths).toEqual([6, 5, 5, 5, 5, 5]);
    });
  });
}
