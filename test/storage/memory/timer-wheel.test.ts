import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { TimerWheel, UNSCHEDULED, type Scheduled } from "../../../src/storage/memory/timer-wheel.js";

interface Item extends Scheduled {
  readonly name: number;
}

const anItem = (name: number): Item => ({ name, wheelTick: UNSCHEDULED, wheelIndex: 0 });
const START = 12_345.6;

/** Turns a wheel as its users do: what is not due yet goes back. */
function collect(wheel: TimerWheel<Item>, dueTimes: ReadonlyMap<number, number>, now: number): number[] {
  const due: number[] = [];
  wheel.turn(now, (item) => {
    const dueAt = dueTimes.get(item.name) ?? NaN;
    if (dueAt > now) wheel.schedule(item, dueAt);
    else due.push(item.name);
  });
  return due.sort((a, b) => a - b);
}

describe("timer wheel", () => {
  it("visits an item at the first turn at or after its due time", () => {
    const wheel = new TimerWheel<Item>(0);
    const times = new Map([[1, 1_050]]);
    wheel.schedule(anItem(1), 1_050);
    expect([1_000, 1_049.9].map((now) => collect(wheel, times, now))).toEqual([[], []]);
    expect(wheel.size).toBe(1);
    expect(collect(wheel, times, 1_050)).toEqual([1]);
    expect(wheel.size).toBe(0);
    expect(collect(wheel, times, 9_000)).toEqual([]);
  });

  it("visits what is due already at the next turn", () => {
    const wheel = new TimerWheel<Item>(5_000);
    wheel.schedule(anItem(1), 20);
    expect(collect(wheel, new Map([[1, 20]]), 5_000)).toEqual([1]);
  });

  it("visits an item that its visit schedules for the past at the next turn, not at the same one", () => {
    const wheel = new TimerWheel<Item>(0);
    let visits = 0;
    wheel.schedule(anItem(1), 100);
    const visit = (item: Item) => {
      visits += 1;
      if (visits < 3) wheel.schedule(item, 0);
    };
    wheel.turn(250, visit);
    expect(visits).toBe(1);
    wheel.turn(250, visit);
    expect(visits).toBe(2);
  });

  it("goes over a long pause without counting its ticks", () => {
    const wheel = new TimerWheel<Item>(0);
    const times = new Map([
      [1, 500],
      [2, 1e12],
      [3, 1e15],
    ]);
    for (const [name, dueAt] of times) wheel.schedule(anItem(name), dueAt);
    expect(collect(wheel, times, 1e13)).toEqual([1, 2]);
    expect(wheel.size).toBe(1);
  });

  it("visits exactly what is due, in any mix of scheduling, moving, removing and turning", () => {
    const names = fc.nat({ max: 9 });
    const step = fc.oneof(
      fc.record({
        kind: fc.constant("schedule" as const),
        name: names,
        // Often in the same slot, at times far away.
        delay: fc.oneof(fc.constantFrom(50, 150), fc.double({ min: -500, max: 3_000, noNaN: true })),
      }),
      fc.record({ kind: fc.constant("remove" as const), name: names }),
      fc.record({ kind: fc.constant("turn" as const), ms: fc.double({ min: 0, max: 1_500, noNaN: true }) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 100, size: "max" }), (steps) => {
        let now = START;
        const wheel = new TimerWheel<Item>(now);
        const items = Array.from({ length: 10 }, (_, name) => anItem(name));
        const dueTimes = new Map<number, number>();
        for (const each of steps) {
          if (each.kind === "turn") {
            now += each.ms;
            const due = [...dueTimes].filter(([, dueAt]) => dueAt <= now).map(([name]) => name);
            expect(collect(wheel, dueTimes, now)).toEqual(due.sort((a, b) => a - b));
            for (const name of due) dueTimes.delete(name);
          } else {
            const item = items[each.name];
            if (item === undefined) throw new Error("no such item");
            if (each.kind === "remove") {
              wheel.remove(item);
              dueTimes.delete(each.name);
            } else {
              wheel.schedule(item, now + each.delay);
              dueTimes.set(each.name, now + each.delay);
            }
          }
          expect(wheel.size).toBe(dueTimes.size);
        }
      }),
      { numRuns: 500 },
    );
  });
});
