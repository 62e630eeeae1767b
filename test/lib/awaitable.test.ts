import { describe, expect, it } from "vitest";
import { chain, isPromise } from "../../src/lib/awaitable.js";
import { systemClock } from "../../src/lib/clock.js";

describe("awaitable", () => {
  it("maps what is there at once", () => {
    expect(chain(1, (value) => value + 1)).toBe(2);
  });

  it("maps what has to be awaited when it comes", async () => {
    const mapped = chain(Promise.resolve(1), (value) => value + 1);
    expect(isPromise(mapped)).toBe(true);
    expect(await mapped).toBe(2);
  });

  it("passes on a promise that the mapping makes, and every failure", async () => {
    expect(await chain(1, (value) => Promise.resolve(value + 1))).toBe(2);
    const failure = new Error("no");
    const fail = (): number => {
      throw failure;
    };
    expect(() => chain(1, fail)).toThrow(failure);
    await expect(Promise.resolve(chain(Promise.resolve(1), fail))).rejects.toBe(failure);
    await expect(Promise.resolve(chain(Promise.reject<number>(failure), () => 1))).rejects.toBe(failure);
  });

  it("tells promises from values", () => {
    expect([isPromise(Promise.resolve()), isPromise(undefined), isPromise({})]).toEqual([true, false, false]);
  });
});

describe("system clock", () => {
  it("shows the time, and a time that does not go back", () => {
    const before = Date.now();
    expect(systemClock.now()).toBeGreaterThanOrEqual(before);
    const first = systemClock.monotonic();
    expect(systemClock.monotonic()).toBeGreaterThanOrEqual(first);
  });
});
