import { describe, expect, it } from "vitest";
import { State, type Change } from "../../../src/storage/records.js";
import { createMemoryStorage, type MemoryStorageOptions } from "../../../src/storage/memory/index.js";
import type { Position } from "../../../src/storage/storage.js";
import { Follower } from "../../contract/storage/journal.js";
import { FakeClock } from "../../helpers/fake-clock.js";
import { aRegistration, aReport } from "../../helpers/records.js";

function committed(count: number, options: MemoryStorageOptions, message = "") {
  const storage = createMemoryStorage({ clock: new FakeClock(), ...options });
  const start = storage.head();
  storage.registerAgent(aRegistration("a"));
  for (let index = 1; index < count; index += 1) {
    void storage.setState(aReport("a", index % 2 === 0 ? State.IDLE : State.ACTIVE, { message }));
  }
  const at = (revision: number): Position => ({ ...start, revisions: [revision] });
  return { storage, at };
}

describe("log of the memory storage", () => {
  it("numbers commits from 1 in one partition", () => {
    const { storage } = committed(3, {});
    expect(storage.head().revisions).toEqual([3]);
  });

  it.each([1, 2, 10])("keeps exactly the last %i changes", (logCapacity) => {
    const { storage, at } = committed(25, { logCapacity });
    const oldest = storage.readLog(at(25 - logCapacity), 100);
    expect(oldest).toMatchObject({ lost: undefined, atHead: true });
    expect(oldest.lost === undefined && oldest.changes).toHaveLength(logCapacity);
    expect(storage.readLog(at(24 - logCapacity), 100)).toEqual({ lost: "truncated" });
    expect(storage.readLog(at(25), 100)).toMatchObject({ lost: undefined, changes: [], atHead: true });
    expect(storage.readLog(at(26), 100)).toEqual({ lost: "ahead" });
  });

  it("keeps fewer when they are large, but always the last", () => {
    const { storage, at } = committed(50, { logBytes: 20_000 }, "x".repeat(1_000));
    expect(storage.readLog(at(30), 100)).toEqual({ lost: "truncated" });
    expect(storage.readLog(at(40), 100)).toMatchObject({ lost: undefined });
    const tiny = committed(50, { logBytes: 1 });
    expect(tiny.storage.readLog(tiny.at(49), 100)).toMatchObject({ lost: undefined, atHead: true });
  });

  it("forgets what it dropped when it counts bytes", () => {
    const { storage, at } = committed(10_000, { logCapacity: 10, logBytes: 10_000 });
    expect(storage.readLog(at(9_990), 100)).toMatchObject({ lost: undefined });
  });

  it("tells tails of a commit before the command answers, with the storage as it is after it", () => {
    const storage = createMemoryStorage({ clock: new FakeClock() });
    const seen: unknown[] = [];
    const tail = {
      onChanges: (changes: readonly Change[]) => {
        const state = storage.getState({ namespace: "default", agentId: "a" });
        seen.push([changes.length, storage.head(), state === stateOf(changes[0])]);
      },
      onLost: () => undefined,
    };
    storage.tail(tail);
    storage.registerAgent(aRegistration("a"));
    expect(seen).toEqual([[1, storage.head(), true]]);
  });

  it("tells a tail that another tail closes nothing more", () => {
    const storage = createMemoryStorage({ clock: new FakeClock() });
    const first = new Follower();
    const second = new Follower();
    storage.tail({
      onChanges: (changes) => {
        first.onChanges(changes);
        void secondTail.close();
      },
      onLost: (reason, position) => first.onLost(reason, position),
    });
    const secondTail = storage.tail(second);
    storage.registerAgent(aRegistration("a"));
    storage.registerAgent(aRegistration("b"));
    expect([first.changes.length, second.changes.length]).toEqual([2, 0]);
  });

  it("gives tails no more after the storage was closed", () => {
    const storage = createMemoryStorage({ clock: new FakeClock() });
    const follower = new Follower();
    const tail = storage.tail(follower);
    storage.close();
    void tail.close();
    expect([follower.changes, follower.losses]).toEqual([[], []]);
  });
});

function stateOf(change: Change | undefined) {
  return change?.kind === "agent" ? change.state : undefined;
}
