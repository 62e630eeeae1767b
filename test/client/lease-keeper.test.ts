/** How an agent keeps the lease of a task, by a clock that a test moves. */
import { describe, expect, test } from "vitest";
import type { CallOptions } from "@connectrpc/connect";
import { LeaseKeeper, type RenewedLease } from "../../src/client/agent/lease-keeper.js";
import { RECONNECT } from "../../src/client/retry-policy.js";
import { failure } from "./helpers/failures.js";
import { FakeScheduler } from "./helpers/fake-scheduler.js";

type Answer = RenewedLease | Error;

function keep(leaseMs: number | undefined, ...answers: Answer[]) {
  const scheduler = new FakeScheduler();
  scheduler.chance = 0.5;
  const renewals: number[] = [];
  const begin = scheduler.monotonic();
  const told = { lost: 0 };
  const keeper = new LeaseKeeper({
    leaseMs,
    renew: ({ timeoutMs }: CallOptions) => {
      expect(timeoutMs).toBeGreaterThan(0);
      renewals.push(scheduler.monotonic() - begin);
      const answer = answers.shift() ?? { ttlMs: 30_000, remainingMs: 30_000 };
      return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
    },
    onLost: () => (told.lost += 1),
    reconnect: RECONNECT,
    scheduler,
  });
  const over = keeper.run();
  /** Lets so many waits run out, whatever their length. */
  const elapse = async (times: number): Promise<void> => {
    for (let i = 0; i < times; i += 1) {
      while (scheduler.running.length === 0) await Promise.resolve();
      scheduler.advance(Math.min(...scheduler.running));
    }
    for (let i = 0; i < 20; i += 1) await Promise.resolve();
  };
  return { scheduler, renewals, told, keeper, over, elapse };
}

const away = failure("STORAGE_UNAVAILABLE");

describe("LeaseKeeper", () => {
  test("renews after a third of the lease, again and again", async () => {
    const { renewals, told, keeper, over, elapse } = keep(30_000);
    await elapse(3);
    expect(renewals).toEqual([10_000, 20_000, 30_000]);
    keeper.stop();
    await over;
    expect(told.lost).toBe(0);
  });

  test("renews at once what it does not know the age of", async () => {
    const { renewals, keeper, over, elapse } = keep(undefined);
    await elapse(2);
    expect(renewals).toEqual([0, 10_000]);
    keeper.stop();
    await over;
  });

  test("tries again soon while the server is away, and gives up when the lease has run out", async () => {
    const { renewals, told, over, elapse, scheduler } = keep(3_000, ...new Array<Error>(50).fill(away));
    const begin = scheduler.monotonic();
    await elapse(5);
    expect(renewals.slice(0, 4)).toEqual([1_000, 1_050, 1_150, 1_350]);
    while (told.lost === 0) await elapse(1);
    await over;
    expect(scheduler.monotonic() - begin).toBe(3_000);
    expect(renewals.at(-1)).toBeLessThan(3_000);
    expect(told.lost).toBe(1);
  });

  test("goes on when the server is back in time", async () => {
    const { renewals, told, keeper, over, elapse } = keep(3_000, away, { ttlMs: 3_000, remainingMs: 3_000 });
    await elapse(3);
    expect(renewals).toEqual([1_000, 1_050, 2_050]);
    expect(told.lost).toBe(0);
    keeper.stop();
    await over;
  });

  test.each(["STALE_ATTEMPT", "TASK_NOT_FOUND"] as const)("gives up at once with %s", async (reason) => {
    const { renewals, told, over, elapse } = keep(3_000, failure(reason));
    await elapse(1);
    await over;
    expect(renewals).toHaveLength(1);
    expect(told.lost).toBe(1);
  });

  test("does not renew in vain when the attempt's own time ends", async () => {
    const { renewals, told, over, elapse, scheduler } = keep(3_000, { ttlMs: 3_000, remainingMs: 700 });
    const begin = scheduler.monotonic();
    await elapse(2);
    await over;
    expect(renewals).toEqual([1_000]);
    expect(scheduler.monotonic() - begin).toBe(1_700);
    expect(told.lost).toBe(1);
  });
});
