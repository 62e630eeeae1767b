import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { OpsCoreError } from "../../src/errors/index.js";
import { StorageStartError } from "../../src/server/open-storage.js";
import { patiently } from "../../src/server/patiently.js";

const AWAY = new OpsCoreError("STORAGE_UNAVAILABLE", "away", {}, { cause: new Error("no answer in time") });

describe("patiently", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it("begins again until the storage is there", async () => {
    const begin = vi
      .fn<() => Promise<void>>()
      .mockRejectedValueOnce(AWAY)
      .mockRejectedValueOnce(AWAY)
      .mockResolvedValue();
    const begun = patiently(begin, 1_000);
    await vi.runAllTimersAsync();
    await begun;
    expect(begin).toHaveBeenCalledTimes(3);
  });

  it("gives up in time, and says why", async () => {
    const begun = patiently(() => Promise.reject(AWAY), 1_000);
    const failed = expect(begun).rejects.toThrow(
      new StorageStartError("the storage could not be used for 1s: no answer in time"),
    );
    await vi.runAllTimersAsync();
    await failed;
  });

  it("gives up at once for any other reason", async () => {
    const defect = new TypeError("a defect");
    const begin = vi.fn<() => Promise<void>>().mockRejectedValue(defect);
    await expect(patiently(begin, 1_000)).rejects.toBe(defect);
    expect(begin).toHaveBeenCalledTimes(1);
  });
});
