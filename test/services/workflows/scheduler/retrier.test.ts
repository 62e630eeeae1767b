import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { OpsCoreError } from "../../../../src/errors/index.js";
import { Delays } from "../../../../src/services/workflows/scheduler/delays.js";
import { Retrier } from "../../../../src/services/workflows/scheduler/retrier.js";

const AWAY = new OpsCoreError("STORAGE_UNAVAILABLE", "away");
const REFUSED = new OpsCoreError("STALE_ATTEMPT", "over");
const CORRUPT = new OpsCoreError("CORRUPT_RECORD", "the record k cannot be read", { key: "k" });
const DEFECT = new TypeError("a defect");

describe("retrier", () => {
  let told: unknown[];
  let retrier: Retrier;
  beforeEach(() => {
    vi.useFakeTimers();
    told = [];
    retrier = new Retrier(new Delays(), (thrown) => told.push(thrown));
  });
  afterEach(() => void vi.useRealTimers());

  const failing = (thrown: Error, times = Infinity) => {
    let left = times;
    return vi.fn(() => ((left -= 1) < 0 ? Promise.resolve() : Promise.reject(thrown)));
  };

  it("tries again in quick succession while the storage is away, and tells of it once", async () => {
    const action = failing(AWAY, 20);
    retrier.run(action);
    await vi.advanceTimersByTimeAsync(4_900);
    expect([action.mock.calls.length, told.length, retrier.isWaiting]).toEqual([20, 1, true]);
    await vi.advanceTimersByTimeAsync(10_000);
    expect([action.mock.calls.length, told.length, retrier.isWaiting]).toEqual([21, 1, false]);
    retrier.run(failing(AWAY, 1));
    await vi.advanceTimersByTimeAsync(1_000);
    expect(told).toEqual([AWAY, AWAY]);
  });

  it.each([DEFECT, CORRUPT])(
    "tries $name ever less often, tells of it once, and holds nothing else up",
    async (thrown) => {
      const action = failing(thrown);
      retrier.run(action);
      await vi.advanceTimersByTimeAsync(0);
      expect(retrier.isWaiting).toBe(false);
      await vi.advanceTimersByTimeAsync(3_600_000);
      // Eight times in the first minute, then once a minute.
      expect(action.mock.calls.length).toBeLessThan(70);
      expect(action.mock.calls.length).toBeGreaterThan(60);
      expect(told).toEqual([thrown]);
    },
  );

  it("does what failed for a while in the end, once", async () => {
    const action = failing(DEFECT, 5);
    retrier.run(action);
    await vi.advanceTimersByTimeAsync(3_600_000);
    expect([action.mock.calls.length, told.length]).toEqual([6, 1]);
  });

  it("takes a refusal for an end, and nothing is tried after a stop", async () => {
    const refused = failing(REFUSED);
    retrier.run(refused);
    const defect = failing(DEFECT);
    retrier.run(defect);
    retrier.stop();
    await vi.advanceTimersByTimeAsync(60_000);
    expect([refused.mock.calls.length, defect.mock.calls.length, told]).toEqual([1, 1, []]);
  });
});
