import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createMemoryStorage } from "../../../src/storage/memory/index.js";
import { Liveness, State, TaskStatus } from "../../../src/storage/records.js";
import { FakeClock } from "../../helpers/fake-clock.js";
import { aRegistration, aReport, NAMESPACE } from "../../helpers/records.js";
import { aLease, aRun, aTask, aTaskKey } from "../../helpers/tasks.js";

const KEY = { namespace: NAMESPACE, agentId: "a" };

function open() {
  const clock = new FakeClock();
  const storage = createMemoryStorage({ clock });
  return { clock, storage, sweep: () => storage.expireLeases({ stalledMs: 0 }) };
}

describe("leases by the clock", () => {
  it("end to the millisecond", () => {
    const { clock, storage, sweep } = open();
    storage.registerAgent(aRegistration("a", { leaseTtlMs: 1_001 }));
    clock.advance(1_000.9);
    expect(sweep()).toMatchObject({ suspected: 0 });
    clock.advance(0.1);
    expect(sweep()).toMatchObject({ suspected: 1, lost: 0 });
    clock.advance(500.4);
    expect(sweep()).toMatchObject({ lost: 0 });
    clock.advance(0.1);
    expect(sweep()).toMatchObject({ lost: 1 });
  });

  it("end both times in one sweep that comes late", () => {
    const { clock, storage, sweep } = open();
    storage.registerAgent(aRegistration("a", { leaseTtlMs: 1_000 }));
    clock.advance(10_000);
    expect(sweep()).toEqual({ suspected: 1, lost: 1, braked: 0 });
    expect(storage.getState(KEY)?.liveness).toBe(Liveness.LOST);
  });

  it.each([60_000, -60_000])("neither end nor last longer when the wall clock jumps by %i ms", (jump) => {
    const { clock, storage, sweep } = open();
    storage.registerAgent(aRegistration("a", { leaseTtlMs: 1_000 }));
    clock.jumpWall(jump);
    expect(sweep()).toMatchObject({ suspected: 0 });
    clock.advance(1_000);
    expect(sweep()).toMatchObject({ suspected: 1 });
  });

  it("show when they end by the wall clock of the moment", () => {
    const { clock, storage } = open();
    storage.registerAgent(aRegistration("a", { leaseTtlMs: 1_000 }));
    clock.advance(400);
    expect(storage.getAgent(KEY)?.leaseExpireTime).toBe(clock.now() + 600);
    clock.jumpWall(5_000);
    expect(storage.getAgent(KEY)?.leaseExpireTime).toBe(clock.now() + 600);
  });

  it("are swept for many agents, each at its own time", () => {
    const { clock, storage, sweep } = open();
    for (let index = 0; index < 500; index += 1) {
      storage.registerAgent(aRegistration(`agent-${index}`, { leaseTtlMs: 1_000 + index }));
    }
    clock.advance(999);
    for (let index = 0; index < 500; index += 1) {
      clock.advance(1);
      expect(sweep().suspected).toBe(1);
    }
  });
});

describe("attempts at tasks by the clock", () => {
  it("expire each at its own millisecond, however often it is looked for", () => {
    const { clock, storage } = open();
    const ids = Array.from({ length: 300 }, (_, index) => `t-${index}`);
    storage.startSession(aRun(ids.map((id) => aTask(id))));
    ids.forEach((id, index) => storage.leaseTask(aLease(id, 1, { leaseMs: 1_000 + index })));
    clock.advance(999);
    for (const taskId of ids) {
      expect(storage.getTask(aTaskKey(taskId))?.status).toBe(TaskStatus.LEASED);
      clock.advance(1);
      expect(storage.expireTasks({ jitter: 0 })).toBe(1);
      expect(storage.getTask(aTaskKey(taskId))?.status).toBe(TaskStatus.READY);
    }
  });

  it.each([60_000, -60_000])("neither end nor last longer when the wall clock jumps by %i ms", (jump) => {
    const { clock, storage } = open();
    const retry = { maxAttempts: 2, initialBackoffMs: 500, maxBackoffMs: 500, multiplier: 1 };
    storage.startSession(aRun([aTask("t", { startDelayMs: 500, retry }), aTask("u")]));
    clock.jumpWall(jump);
    expect(() => storage.leaseTask(aLease("t"))).toThrow("not under way");
    clock.advance(500);
    storage.leaseTask(aLease("t", 1, { leaseMs: 1_000 }));
    clock.jumpWall(jump);
    expect(storage.expireTasks({ jitter: 0 })).toBe(0);
    clock.advance(1_000);
    expect(storage.expireTasks({ jitter: 0 })).toBe(1);
    clock.jumpWall(jump);
    expect(() => storage.leaseTask(aLease("t", 2))).toThrow("not under way");
    clock.advance(500);
    storage.leaseTask(aLease("t", 2));
  });
});

describe("commit times", () => {
  it("never go back with the wall clock", () => {
    const { clock, storage } = open();
    const first = storage.registerAgent(aRegistration("a")).agent.state.commitTime;
    clock.jumpWall(-60_000);
    storage.registerAgent(aRegistration("b"));
    expect(storage.registerAgent(aRegistration("b")).agent.record.registerTime).toBe(first);
    clock.jumpWall(61_000);
    expect(storage.registerAgent(aRegistration("c")).agent.state.commitTime).toBe(first + 1_000);
  });
});

describe("held reports by the clock", () => {
  beforeEach(() => vi.useFakeTimers());
  afterEach(() => vi.useRealTimers());

  const hold = (storage: ReturnType<typeof open>["storage"], agentId: string, holdMs: number) =>
    Promise.resolve(storage.setState(aReport(agentId, State.IDLE, { holdMs }))).then(
      () => "applied",
      (failure: unknown) => failure,
    );

  it("end at their own time, whichever came first", async () => {
    const { storage } = open();
    const settled: string[] = [];
    for (const [agentId, holdMs] of [
      ["long", 5_000],
      ["short", 100],
      ["middle", 1_000],
    ] as const) {
      void hold(storage, agentId, holdMs).then(() => settled.push(agentId));
    }
    await vi.advanceTimersByTimeAsync(99);
    expect(settled).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(settled).toEqual(["short"]);
    await vi.advanceTimersByTimeAsync(4_899);
    expect(settled).toEqual(["short", "middle"]);
    await vi.advanceTimersByTimeAsync(1);
    expect(settled).toEqual(["short", "middle", "long"]);
  });

  it("leave no timer behind when they are applied, when they fail and when the storage closes", async () => {
    const { storage } = open();
    const outcomes = ["a", "a", "b", "c"].map((agentId) => hold(storage, agentId, 1_000));
    expect(vi.getTimerCount()).toBe(4);
    storage.registerAgent(aRegistration("a"));
    expect(vi.getTimerCount()).toBe(2);
    outcomes.push(hold(storage, "d", 100));
    await vi.advanceTimersByTimeAsync(100);
    expect(vi.getTimerCount()).toBe(2);
    storage.close();
    expect(vi.getTimerCount()).toBe(0);
    expect(await Promise.all(outcomes)).toMatchObject([
      "applied",
      "applied",
      { reason: "SERVER_STOPPING" },
      { reason: "SERVER_STOPPING" },
      { reason: "AGENT_NOT_FOUND" },
    ]);
  });
});
