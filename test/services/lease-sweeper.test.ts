import { describe, expect, it } from "vitest";
import { LeaseSweeper } from "../../src/services/lease-sweeper.js";
import type { Expired, ExpireLeases } from "../../src/storage/storage.js";
import { FakeClock } from "../helpers/fake-clock.js";

const NOTHING: Expired = { suspected: 0, lost: 0, braked: 0 };

/** A storage that answers sweeps with what a test has lined up. */
function setUp() {
  const clock = new FakeClock();
  const commands: ExpireLeases[] = [];
  const answers: (Expired | Error)[] = [];
  const told: string[] = [];
  const storage = {
    expireLeases(command: ExpireLeases): Expired {
      commands.push(command);
      const answer = answers.shift() ?? NOTHING;
      if (answer instanceof Error) throw answer;
      return answer;
    },
  };
  const sweeper = new LeaseSweeper(storage, {
    clock,
    intervalMs: 100,
    onExpired: ({ suspected, lost }) => told.push(`expired ${suspected} ${lost}`),
    onBrake: (braked) => told.push(`brake ${braked}`),
    onFailure: (thrown) => told.push(`failure ${String(thrown)}`),
    onRecovery: () => told.push("recovery"),
  });
  return { clock, commands, answers, told, sweeper };
}

describe("LeaseSweeper", () => {
  it("says for how long nobody could have renewed", async () => {
    const { clock, commands, sweeper } = setUp();
    for (const elapsed of [100, 103, 40, 5100]) {
      clock.advance(elapsed);
      await sweeper.sweep();
    }
    expect(commands.map(({ stalledMs }) => stalledMs)).toEqual([0, 3, 0, 5000]);
  });

  it("counts time in which the storage was away as a stall", async () => {
    const { clock, commands, answers, told, sweeper } = setUp();
    sweeper.start();
    answers.push(new Error("away"), new Error("still away"));
    for (let i = 0; i < 3; i += 1) {
      clock.advance(1000);
      await sweeper.sweep();
    }
    sweeper.stop();
    expect(commands.map(({ stalledMs }) => stalledMs)).toEqual([900, 1900, 2900]);
    expect(told).toEqual(["failure Error: away", "recovery"]);
  });

  it("does not take a jump of the wall clock for a stall", async () => {
    const { clock, commands, sweeper } = setUp();
    clock.advance(100);
    clock.jumpWall(3_600_000);
    await sweeper.sweep();
    expect(commands).toEqual([{ stalledMs: 0 }]);
  });

  it("tells of what expired, and of the brake when it takes hold and when it lets go", async () => {
    const { answers, told, sweeper } = setUp();
    answers.push(
      { suspected: 2, lost: 1, braked: 0 },
      NOTHING,
      { suspected: 30, lost: 0, braked: 30 },
      { suspected: 0, lost: 0, braked: 25 },
      NOTHING,
    );
    for (let i = 0; i < 5; i += 1) await sweeper.sweep();
    expect(told).toEqual(["expired 2 1", "expired 30 0", "brake 30", "brake 0"]);
  });

  it("sweeps again and again until it is stopped, also after a failure", async () => {
    const { answers, commands, sweeper } = setUp();
    answers.push(new Error("away"));
    const swept = new Promise<void>((resolve) => {
      const push = commands.push.bind(commands);
      commands.push = (...items) => {
        if (commands.length === 2) resolve();
        return push(...items);
      };
    });
    sweeper.start();
    await swept;
    sweeper.stop();
    expect(commands).toHaveLength(3);
  });
});
