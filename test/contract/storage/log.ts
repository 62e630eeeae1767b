import { describe, expect, it } from "vitest";
import { State } from "../../../src/storage/records.js";
import type { Position } from "../../../src/storage/storage.js";
import { aRegistration, aReport, aSession } from "../../helpers/records.js";
import { describeChange } from "./events.js";
import { present, times, useStorage, type StorageFactory, type Subject } from "./harness.js";
import { expectFollowing, Follower } from "./journal.js";

const CAPACITY = 20;

/** An agent that goes back and forth `count` times. */
async function commit({ storage }: Subject, count: number, agentId = "a"): Promise<void> {
  await storage.registerAgent(aRegistration(agentId));
  for (const index of times(count - 1, (each) => each)) {
    await storage.setState(aReport(agentId, index % 2 === 0 ? State.IDLE : State.ACTIVE));
  }
}

function isEqual(a: Position, b: Position): boolean {
  return JSON.stringify(a.revisions) === JSON.stringify(b.revisions);
}

/** Positions, pages and loss. */
export function logContract(factory: StorageFactory): void {
  describe("log", () => {
    const subject = useStorage(factory);
    const moved = (position: Position, by: number): Position => ({
      ...position,
      revisions: position.revisions.map((revision) => revision + by),
    });

    it("begins empty, and its positions are well-formed", async () => {
      const head = await subject.storage.head();
      expect(head.epoch).toMatch(/^[A-Za-z0-9_-]{1,32}$/);
      expect(head.revisions.length).toBeGreaterThan(0);
      for (const revision of head.revisions) expect(revision).toBe(0);
      const page = await subject.storage.readLog(head, 10);
      expect(page).toEqual({ lost: undefined, changes: [], position: head, atHead: true });
    });

    it("has the same head on every replica", async () => {
      await commit(subject, 3);
      expect(await subject.replica.head()).toEqual(await subject.storage.head());
    });

    it.each([1, 2, 3, 10, 11, 1_000])("is read in pages of %i without gap or doubling", async (limit) => {
      const start = await subject.storage.head();
      await commit(subject, 10);
      const all = await subject.events();
      const read: string[] = [];
      let position = start;
      for (;;) {
        const page = await subject.replica.readLog(position, limit);
        if (page.lost !== undefined) throw new Error(page.lost);
        expect(page.changes.length).toBeLessThanOrEqual(limit);
        expectFollowing(position, page.changes, page.position);
        read.push(...page.changes.map(describeChange));
        position = page.position;
        expect(page.atHead).toBe(isEqual(position, await subject.storage.head()));
        if (page.atHead) break;
      }
      expect(read).toEqual(all);
      expect(position).toEqual(await subject.storage.head());
    });

    it("holds agents and sessions of all namespaces", async () => {
      await subject.storage.registerAgent(aRegistration("a"));
      await subject.storage.registerAgent(aRegistration("a", { namespace: "other" }));
      await subject.storage.startSession(aSession("s", "a"));
      const changes = await subject.changes();
      expect(changes.map(({ kind, namespace }) => `${kind} ${namespace}`).sort()).toEqual([
        "agent default",
        "agent other",
        "session default",
      ]);
    });

    it("is read again from any place", async () => {
      const start = await subject.storage.head();
      await commit(subject, 10);
      const page = await subject.storage.readLog(start, 4);
      if (page.lost !== undefined) throw new Error(page.lost);
      const again = await subject.replica.readLog(start, 4);
      expect(again).toEqual(page);
      const rest = await subject.replica.readLog(page.position, 100);
      expect(rest).toMatchObject({ lost: undefined, atHead: true });
    });

    it("tells a position that it has not reached", async () => {
      await commit(subject, 3);
      const ahead = moved(await subject.storage.head(), 1);
      expect(await subject.storage.readLog(ahead, 10)).toEqual({ lost: "ahead" });
    });

    it("tells a position of another history", async () => {
      await commit(subject, 3);
      const head = await subject.storage.head();
      expect(await subject.storage.readLog({ ...head, epoch: "another" }, 10)).toEqual({ lost: "epoch" });
    });

    it("tells a position with other partitions", async () => {
      await commit(subject, 3);
      const head = await subject.storage.head();
      for (const revisions of [[], [...head.revisions, 0]]) {
        expect(await subject.storage.readLog({ ...head, revisions }, 10)).toEqual({ lost: "epoch" });
      }
    });
  });

  describe("log of another storage", () => {
    const one = useStorage(factory);
    const two = useStorage(factory);

    it("has another epoch", async () => {
      const position = await one.storage.head();
      expect((await two.storage.head()).epoch).not.toBe(position.epoch);
      expect(await two.storage.readLog(position, 10)).toEqual({ lost: "epoch" });
    });
  });

  describe("log that was cut", () => {
    const subject = useStorage(factory, { logCapacity: CAPACITY });

    it("tells a position that it no longer reaches back to, and goes on from one that it does", async () => {
      const start = await subject.storage.head();
      await commit(subject, 2 * CAPACITY);
      const recent = await subject.storage.head();
      await commit(subject, 3, "a");
      expect(await subject.replica.readLog(recent, 10)).toMatchObject({ lost: undefined, atHead: true });
      await commit(subject, 15 * CAPACITY);
      expect(await subject.replica.readLog(start, 10)).toEqual({ lost: "truncated" });
      expect(await subject.replica.readLog(recent, 10)).toEqual({ lost: "truncated" });
      expect(await subject.replica.readLog(await subject.replica.head(), 10)).toMatchObject({ lost: undefined });
    });
  });

  describe("tail", () => {
    const subject = useStorage(factory);

    it("delivers what is committed after its start, in order and once", async () => {
      await commit(subject, 3);
      const follower = new Follower();
      const tail = await subject.replica.tail(follower);
      expect(tail.start).toEqual(await subject.storage.head());
      follower.position = tail.start;
      await subject.changes();

      await commit(subject, 20);
      const changes = await follower.until(20);
      expect(changes.map(describeChange)).toEqual(await subject.events());
      expect(follower.position).toEqual(await subject.storage.head());
      expect(follower.losses).toEqual([]);
      await tail.close();
    });

    it("delivers to many, each from its own start", async () => {
      const early = new Follower();
      const earlyTail = await subject.storage.tail(early);
      await commit(subject, 5);
      await early.until(5);
      const late = new Follower();
      const lateTail = await subject.storage.tail(late);
      await commit(subject, 5);
      const [all, some] = [await early.until(10), await late.until(5)];
      expect(all.slice(5)).toEqual(some);
      await earlyTail.close();
      await lateTail.close();
    });

    it("delivers nothing after it was closed, also the second time", async () => {
      const closed = new Follower();
      const open = new Follower();
      const tail = await subject.storage.tail(closed);
      const other = await subject.storage.tail(open);
      await commit(subject, 2);
      await Promise.all([closed.until(2), open.until(2)]);
      await tail.close();
      await tail.close();
      await commit(subject, 2);
      await open.until(4);
      expect(closed.changes).toHaveLength(2);
      await other.close();
    });

    it("delivers a registration before the reports that were held for it", async () => {
      const follower = new Follower();
      const tail = await subject.storage.tail(follower);
      const held = subject.storage.setState(aReport("a", State.IDLE, { holdMs: 60_000 }));
      await subject.storage.registerAgent(aRegistration("a"));
      await held;
      const changes = await follower.until(2);
      expect(changes.map(describeChange)).toEqual(["REGISTERED a: UNKNOWN", "TRANSITION a: UNKNOWN>IDLE"]);
      await tail.close();
    });

    it("finds the storage at least as new as what it delivers", async () => {
      const seen: Promise<boolean>[] = [];
      const tail = await subject.storage.tail({
        onChanges: (changes) => {
          for (const change of changes) {
            if (change.kind !== "agent") continue;
            const key = { namespace: change.namespace, agentId: change.state.agentId };
            const read = async () => present(await subject.storage.getState(key)).revision >= change.state.revision;
            seen.push(read());
          }
        },
        onLost: () => undefined,
      });
      const follower = new Follower();
      const other = await subject.storage.tail(follower);
      await commit(subject, 10);
      await follower.until(10);
      expect(await Promise.all(seen)).toEqual(times(10, () => true));
      await tail.close();
      await other.close();
    });
  });
}
