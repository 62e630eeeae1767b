import { describe, expect, it } from "vitest";
import { AgentChangeType, State, type StateRecord } from "../../../src/storage/records.js";
import { ACTOR, aRegistration, aReport, NAMESPACE } from "../../helpers/records.js";
import { present, times, useStorage, type StorageFactory, type Subject } from "./harness.js";

const KEY = { namespace: NAMESPACE, agentId: "a" };
const LIMIT = 10;
const AGE_MS = 500;

async function report({ storage }: Subject, count: number, from = 0): Promise<readonly StateRecord[]> {
  const records: StateRecord[] = [];
  for (const index of times(count, (each) => each)) {
    const outcome = await storage.setState(aReport("a", State.ACTIVE, { message: `step ${from + index}` }));
    records.push(outcome.state);
  }
  return records;
}

function read({ replica }: Subject, afterRevision = 0, limit = 1_000) {
  return replica.readHistory({ ...KEY, afterRevision, limit });
}

/** ReadHistory, and how long history is kept. */
export function historyContract(factory: StorageFactory): void {
  describe("history", () => {
    const subject = useStorage(factory);

    it("holds every state, oldest first, as it was committed", async () => {
      const { agent } = await subject.storage.registerAgent(aRegistration("a"));
      const reported = await report(subject, 3);
      const again = await subject.storage.registerAgent(aRegistration("a"));
      const removed = await subject.storage.deregisterAgent({ ...KEY, incarnation: 0, actor: ACTOR });
      expect(await read(subject)).toEqual({
        entries: [agent.state, ...reported, again.agent.state, removed.state],
        before: undefined,
        more: false,
      });
    });

    it("holds no updates, no renewals and nothing that was refused", async () => {
      await subject.storage.registerAgent(aRegistration("a", { leaseTtlMs: 60_000 }));
      await subject.storage.updateAgent({
        ...KEY,
        patch: { version: "2" },
        expectedRevision: 0,
        requestId: "",
        actor: ACTOR,
      });
      await subject.storage.renewLease({ ...KEY, incarnation: 0 });
      await subject.storage.setState(aReport("a", State.UNKNOWN));
      const causes = present(await read(subject)).entries.map(({ cause }) => cause);
      expect(causes).toEqual([AgentChangeType.REGISTERED]);
    });

    it("goes on after a revision, with the entry before", async () => {
      await subject.storage.registerAgent(aRegistration("a"));
      const [first, second, third] = await report(subject, 3);
      expect(await read(subject, present(first).revision)).toEqual({
        entries: [second, third],
        before: first,
        more: false,
      });
      expect(await read(subject, present(second).revision - 0.5)).toMatchObject({ entries: [second, third] });
    });

    it("has nothing after the newest revision", async () => {
      await subject.storage.registerAgent(aRegistration("a"));
      const newest = present((await report(subject, 3)).at(-1));
      for (const after of [newest.revision, newest.revision + 1_000]) {
        expect(await read(subject, after)).toEqual({ entries: [], before: undefined, more: false });
      }
    });

    it.each([1, 2, 3, 7, 8])("comes in pages of %i", async (limit) => {
      await subject.storage.registerAgent(aRegistration("a"));
      await report(subject, 7);
      const all = present(await read(subject)).entries;
      const pages: StateRecord[] = [];
      for (;;) {
        const page = present(await read(subject, pages.at(-1)?.revision ?? 0, limit));
        expect(page.before).toEqual(pages.at(-1));
        expect(page.entries.length).toBe(Math.min(limit, all.length - pages.length));
        pages.push(...page.entries);
        if (!page.more) break;
      }
      expect(pages).toEqual(all);
    });

    it("is unknown of an agent that never was", async () => {
      expect(await read(subject)).toBeUndefined();
    });

    it("goes on when an agent comes back", async () => {
      await subject.storage.registerAgent(aRegistration("a"));
      await subject.storage.deregisterAgent({ ...KEY, incarnation: 0, actor: ACTOR });
      await subject.storage.registerAgent(aRegistration("a"));
      const { entries } = present(await read(subject));
      expect(entries.map(({ cause, incarnation }) => [cause, incarnation])).toEqual([
        [AgentChangeType.REGISTERED, 1],
        [AgentChangeType.DEREGISTERED, 1],
        [AgentChangeType.REGISTERED, 2],
      ]);
    });
  });

  describe("kept history", () => {
    const subject = useStorage(factory, { historyLimit: LIMIT, historyAgeMs: AGE_MS });

    it("is bounded by count", async () => {
      await subject.storage.registerAgent(aRegistration("a"));
      const reported = await report(subject, 3 * LIMIT);
      const { entries, before } = present(await read(subject));
      expect(entries).toEqual(reported.slice(-LIMIT));
      expect(before).toBeUndefined();
    });

    it("is bounded by age", async () => {
      await subject.storage.registerAgent(aRegistration("a"));
      await report(subject, 3);
      await subject.advance(AGE_MS + 1);
      expect(present(await read(subject)).entries).toEqual([]);
      const reported = await report(subject, 2, 10);
      expect(present(await read(subject)).entries).toEqual(reported);
    });

    it("stays as long for an agent that was deregistered, and then nothing is known of it", async () => {
      await subject.storage.registerAgent(aRegistration("a"));
      await subject.storage.deregisterAgent({ ...KEY, incarnation: 0, actor: ACTOR });
      expect(present(await read(subject)).entries).toHaveLength(2);
      await subject.advance(AGE_MS + 1);
      await subject.storage.expireLeases({ stalledMs: 0 });
      expect(await read(subject)).toBeUndefined();
    });
  });
}
