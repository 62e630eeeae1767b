import { describe, expect, it } from "vitest";
import { CLAIM_MEMORY_MS } from "../../../src/storage/storage.js";
import { reasonOf, times, useStorage, type StorageFactory } from "./harness.js";

/** What may be done once. */
export function claimsContract(factory: StorageFactory): void {
  describe("claims", () => {
    const subject = useStorage(factory);

    it("are given to the first who asks, on whichever replica", async () => {
      expect(await subject.storage.claim("a")).toBe(true);
      expect(await subject.storage.claim("a")).toBe(false);
      expect(await subject.replica.claim("a")).toBe(false);
      expect(await subject.replica.claim("b")).toBe(true);
      expect(await subject.events()).toEqual([]);
    });

    it("are given once, however many ask together", async () => {
      const answers = await Promise.all(
        times(20, async (i) => (i % 2 === 0 ? subject.storage : subject.replica).claim("a")),
      );
      expect(answers.filter((first) => first)).toHaveLength(1);
    });

    it("may have long keys of any of the characters", async () => {
      const key = "Az09._:-".repeat(32);
      expect(await subject.storage.claim(key)).toBe(true);
      expect(await subject.storage.claim(key.slice(1))).toBe(true);
      expect(await subject.storage.claim(key)).toBe(false);
    });

    it("are remembered for their time, which a repeat does not prolong", async () => {
      await subject.storage.claim("a");
      await subject.advance(CLAIM_MEMORY_MS - 1_000);
      expect(await subject.storage.claim("a")).toBe(false);
      await subject.advance(1_000);
      expect(await subject.storage.claim("a")).toBe(true);
      expect(await subject.storage.claim("a")).toBe(false);
    });
  });

  describe("claims of a storage that was closed", () => {
    const subject = useStorage(factory);

    it("fail", async () => {
      await subject.storage.close();
      expect(await reasonOf(() => subject.storage.claim("a"))).toBe("SERVER_STOPPING");
    });
  });
}
