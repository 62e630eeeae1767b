import { describe, expect, it } from "vitest";
import { createMemoryStorage, type MemoryStorageOptions } from "../../../src/storage/memory/index.js";
import { Namespaces } from "../../../src/storage/memory/entries.js";
import { RequestMemory } from "../../../src/storage/memory/request-memory.js";
import { Ring } from "../../../src/storage/memory/ring.js";
import { Tombstones } from "../../../src/storage/memory/tombstones.js";
import { SessionStatus, State } from "../../../src/storage/records.js";
import { REQUEST_MEMORY_MS } from "../../../src/storage/storage.js";
import { FakeClock } from "../../helpers/fake-clock.js";
import {
  ACTOR,
  aRegistration,
  aReport,
  aSession,
  aSessionQuery,
  aSessionUpdate,
  NAMESPACE,
} from "../../helpers/records.js";
import { aFailure, aLease, aRun, aTask, aTaskKey } from "../../helpers/tasks.js";

const DAY_MS = 24 * 60 * 60_000;

function open(options: MemoryStorageOptions = {}) {
  const clock = new FakeClock();
  const storage = createMemoryStorage({ clock, ...options });
  const deregister = (agentId: string) =>
    storage.deregisterAgent({ namespace: NAMESPACE, agentId, incarnation: 0, actor: ACTOR });
  const history = (agentId: string) =>
    storage.readHistory({ namespace: NAMESPACE, agentId, afterRevision: 0, limit: 1_000 })?.entries.length;
  const sweep = () => storage.expireLeases({ stalledMs: 0 });
  return { clock, storage, deregister, history, sweep };
}

describe("retention of requests", () => {
  it("lasts ten minutes to the millisecond", () => {
    const { clock, storage } = open();
    const registration = aRegistration("a", { requestId: "r" });
    const first = storage.registerAgent(registration);
    clock.advance(REQUEST_MEMORY_MS - 1);
    expect(storage.registerAgent(registration)).toBe(first);
    clock.advance(1);
    expect(storage.registerAgent(registration).agent.record.incarnation).toBe(2);
  });

  it("does not follow a wall clock that jumps", () => {
    const { clock, storage } = open();
    const registration = aRegistration("a", { requestId: "r" });
    const first = storage.registerAgent(registration);
    clock.jumpWall(DAY_MS);
    expect(storage.registerAgent(registration)).toBe(first);
  });

  it("is bounded by count: the oldest goes first", () => {
    const memory = new RequestMemory<number>(new FakeClock(), 3, 1_000);
    for (const key of [1, 2, 3, 4]) memory.remember(String(key), key, 1);
    expect(["1", "2", "3", "4"].map((key) => memory.recall(key))).toEqual([undefined, 2, 3, 4]);
  });

  it("is bounded by bytes: the oldest goes first", () => {
    const memory = new RequestMemory<number>(new FakeClock(), 1_000, 10);
    for (const key of [1, 2, 3]) memory.remember(String(key), key, 4);
    expect(["1", "2", "3"].map((key) => memory.recall(key))).toEqual([undefined, 2, 3]);
    memory.remember("large", 4, 11);
    expect(["2", "3", "large"].map((key) => memory.recall(key))).toEqual([undefined, undefined, undefined]);
    memory.remember("5", 5, 10);
    expect(memory.recall("5")).toBe(5);
  });
});

describe("retention of deregistered agents", () => {
  it("ends by age", () => {
    const { clock, storage, deregister, history } = open();
    storage.registerAgent(aRegistration("a"));
    deregister("a");
    clock.advance(7 * DAY_MS);
    expect(history("a")).toBe(2);
    clock.advance(1);
    expect(history("a")).toBeUndefined();
    expect(storage.registerAgent(aRegistration("a")).agent.record.incarnation).toBe(1);
  });

  it("ends by age also when nobody looks before the agent comes back", () => {
    const { clock, storage, deregister } = open({ historyAgeMs: DAY_MS });
    storage.registerAgent(aRegistration("a"));
    deregister("a");
    clock.advance(DAY_MS + 1);
    expect(storage.registerAgent(aRegistration("a")).agent.record.incarnation).toBe(1);
  });

  it("ends by count, oldest first", () => {
    const { storage, deregister, history } = open({ maxTombstones: 2 });
    for (const id of ["a", "b", "c"]) {
      storage.registerAgent(aRegistration(id));
      deregister(id);
    }
    expect([history("a"), history("b"), history("c")]).toEqual([undefined, 2, 2]);
  });

  it("is not ended by agents that come and go meanwhile", () => {
    const { storage, deregister, history } = open({ maxTombstones: 2 });
    for (const id of ["stays-away", "a"]) {
      storage.registerAgent(aRegistration(id));
      deregister(id);
    }
    for (let round = 0; round < 20; round += 1) {
      storage.registerAgent(aRegistration("a"));
      deregister("a");
      expect(history("stays-away")).toBe(2);
    }
    storage.registerAgent(aRegistration("b"));
    deregister("b");
    expect([history("stays-away"), history("a"), history("b")]).toEqual([undefined, 42, 2]);
  });

  it("does not end what has come back since", () => {
    const { clock, storage, deregister, history, sweep } = open();
    storage.registerAgent(aRegistration("a"));
    deregister("a");
    clock.advance(DAY_MS);
    storage.registerAgent(aRegistration("a"));
    clock.advance(7 * DAY_MS);
    sweep();
    expect(storage.getAgent({ namespace: NAMESPACE, agentId: "a" })?.record.incarnation).toBe(2);
    expect(history("a")).toBe(1);
  });

  it("takes agents that come and go without growing", () => {
    const { storage, deregister, history } = open({ maxTombstones: 5 });
    for (let round = 0; round < 100; round += 1) {
      storage.registerAgent(aRegistration("a"));
      deregister("a");
    }
    expect(history("a")).toBe(200);
    expect(storage.registerAgent(aRegistration("a")).agent.record.incarnation).toBe(101);
  });
});

describe("retention of sessions", () => {
  const start = ({ storage }: ReturnType<typeof open>, id: string) => storage.startSession(aSession(id, "a"));
  const end = ({ storage }: ReturnType<typeof open>, id: string) =>
    storage.updateSession(aSessionUpdate(id, { status: SessionStatus.COMPLETED }));
  const listed = ({ storage }: ReturnType<typeof open>, agentId: string) =>
    storage.listSessions(aSessionQuery({ agentId })).items.map(({ sessionId }) => sessionId);

  it("keeps a running session for ever and an ended one for its time", () => {
    const opened = open();
    opened.storage.registerAgent(aRegistration("a"));
    for (const id of ["runs", "ends"]) start(opened, id);
    end(opened, "ends");
    opened.clock.advance(7 * DAY_MS);
    opened.sweep();
    expect(listed(opened, "a")).toEqual(["runs", "ends"]);
    opened.clock.advance(1);
    opened.sweep();
    expect(listed(opened, "a")).toEqual(["runs"]);
    expect(listed(opened, "")).toEqual(["runs"]);
    expect(opened.storage.getSession({ namespace: NAMESPACE, sessionId: "ends" })).toBeUndefined();
    expect(start(opened, "ends").status).toBe(SessionStatus.STARTED);
  });

  it("keeps only so many ended ones, those that ended last", () => {
    const opened = open({ maxEndedSessions: 2 });
    opened.storage.registerAgent(aRegistration("a"));
    for (const id of ["r", "s", "t"]) start(opened, id);
    for (const id of ["t", "r", "s"]) end(opened, id);
    expect(listed(opened, "a")).toEqual(["r", "s"]);
  });

  it("does not count one that was opened again", () => {
    const { storage } = open({ maxEndedSessions: 2 });
    const sessions = () => storage.listSessions(aSessionQuery()).items.map(({ sessionId }) => sessionId);
    const fail = (sessionId: string, attempt = 1) => {
      storage.leaseTask(aLease("t", attempt, { sessionId }));
      storage.failTask({ ...aFailure("t", attempt, { permanent: true }), sessionId });
    };
    for (const sessionId of ["r", "s", "t", "u"]) storage.startSession(aRun([aTask("t")], { sessionId }));
    fail("r");
    fail("s");
    // Opened and ended so often that the gaps must be closed meanwhile.
    for (let attempt = 1; attempt <= 300; attempt += 1) {
      storage.retryTask(aTaskKey("t", { sessionId: "s" }));
      if (attempt < 300) fail("s", attempt + 1);
    }
    fail("t");
    expect(sessions()).toEqual(["r", "s", "t", "u"]);
    fail("u");
    expect(sessions()).toEqual(["s", "t", "u"]);
    fail("s", 301);
    expect(sessions()).toEqual(["s", "u"]);
    storage.retryTask(aTaskKey("t", { sessionId: "s" }));
    fail("s", 302);
    expect(sessions()).toEqual(["s", "u"]);
  });
});

describe("retention of namespaces", () => {
  it("drops one of which nothing is left", () => {
    const namespaces = new Namespaces();
    const table = namespaces.getOrCreate("n");
    expect(namespaces.getOrCreate("n")).toBe(table);
    namespaces.dropIfEmpty(table);
    expect(namespaces.get("n")).toBeUndefined();
  });

  it("drops one with its last tombstone", () => {
    const namespaces = new Namespaces();
    const tombstones = new Tombstones(namespaces, 10, 1_000);
    const table = namespaces.getOrCreate("n");
    const storage = createMemoryStorage({ clock: new FakeClock() });
    const { state } = storage.registerAgent(aRegistration("a")).agent;
    tombstones.bury(table, state, new Ring());
    tombstones.forget(state.commitTime + 1_000);
    expect(namespaces.get("n")).toBe(table);
    tombstones.forget(state.commitTime + 1_001);
    expect(namespaces.get("n")).toBeUndefined();
  });

  it("leaves no trace of names that were only asked for", () => {
    const { storage } = open();
    const key = { namespace: "asked", agentId: "a" };
    expect(storage.getAgent(key)).toBeUndefined();
    expect(() => storage.setState(aReport("a", State.IDLE, { namespace: "asked" }))).toThrow("not registered");
    expect(storage.readHistory({ ...key, afterRevision: 0, limit: 1 })).toBeUndefined();
  });
});
