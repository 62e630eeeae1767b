import { describe, expect, it } from "vitest";
import { TaskSweeper } from "../../../src/services/workflows/task-sweeper.js";
import { FakeClock } from "../../helpers/fake-clock.js";

const INTERVAL = 200;

/** A storage that answers sweeps with what a test has lined up. */
function setUp() {
  const clock = new FakeClock();
  const sweeps: number[] = [];
  const answers: number[] = [];
  const told: string[] = [];
  const state = { ready: true };
  const storage = {
    ready: () => state.ready,
    expireTasks({ jitter }: { readonly jitter: number }): number {
      sweeps.push(clock.monotonic());
      expect(jitter).toBe(0.5);
      if (!state.ready) throw new Error("away");
      return answers.shift() ?? 0;
    },
  };
  const sweeper = new TaskSweeper(storage, {
    clock,
    intervalMs: INTERVAL,
    random: () => 0.5,
    onExpired: (count) => told.push(`expired ${count}`),
    onFailure: (thrown) => told.push(`failure ${String(thrown)}`),
    onRecovery: () => told.push("recovery"),
  });
  const begin = clock.monotonic();
  /** Sweeps as the timer would, for some time. */
  const run = async (ms: number): Promise<void> => {
    for (let passed = 0; passed < ms; passed += INTERVAL) {
      clock.advance(INTERVAL);
      await sweeper.sweep();
    }
  };
  return { clock, sweeps: () => sweeps.map((at) => at - begin), answers, told, state, sweeper, run };
}

describe("TaskSweeper", () => {
  it("counts what ran out", async () => {
    const { answers, told, sweeper, run } = setUp();
    answers.push(2, 0, 1);
    await run(600);
    expect(sweeper.expired).toBe(3);
    expect(told).toEqual(["expired 2", "expired 1"]);
  });

  it("leaves time for renewals after the process stood still, as much as that took", async () => {
    const { clock, sweeps, run } = setUp();
    await run(INTERVAL);
    clock.advance(3_000);
    await run(4_000);
    // The stall ends at 3,400, and was 3,000 long.
    expect(sweeps().slice(0, 2)).toEqual([200, 6_400]);
  });

  it("and at most ten seconds of it", async () => {
    const { clock, sweeps, run } = setUp();
    clock.advance(3_600_000);
    await run(12_000);
    expect(sweeps()[0]).toBe(3_600_200 + 10_000);
  });

  it("counts time in which the storage was away as a stall, from when it is back", async () => {
    const { sweeps, told, state, sweeper, run } = setUp();
    sweeper.start();
    state.ready = false;
    await run(5_000);
    expect(told).toEqual(["failure Error: away"]);
    const failed = sweeps().length;
    state.ready = true;
    await run(12_000);
    sweeper.stop();
    expect(told).toEqual(["failure Error: away", "recovery"]);
    expect((sweeps()[failed] ?? 0) - 5_000).toBeGreaterThanOrEqual(5_000);
  });

  it("sweeps again and again until it is stopped", async () => {
    const { sweeper, answers } = setUp();
    const swept = new Promise<void>((resolve) => {
      answers.shift = () => {
        if (sweeper.expired === 3) resolve();
        return 1;
      };
    });
    sweeper.start();
    await swept;
    sweeper.stop();
    expect(sweeper.expired).toBeGreaterThanOrEqual(3);
  });
});
