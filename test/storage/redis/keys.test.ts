import { describe, expect, it } from "vitest";
import { Keys } from "../../../src/storage/redis/keys.js";

describe("keys", () => {
  const keys = new Keys("opscore", 16);

  it("of a partition share one hash tag", () => {
    const all = [
      keys.meta(7),
      keys.log(7),
      keys.agent(7, "default", "a"),
      keys.answer(7, "default", "a", "+r"),
      keys.session(7, "default", "s"),
    ];
    for (const key of all) expect(/\{([^}]*)\}/.exec(key)?.[1]).toBe("p07");
  });

  it("are what the docs say", () => {
    expect(keys.agent(3, "default", "worker-1")).toBe("opscore:{p03}:agent:default/worker-1");
    expect(keys.session(12, "team-a", "s:1")).toBe("opscore:{p12}:session:team-a/s:1");
    expect(Keys.deployment("opscore")).toBe("opscore:deployment");
  });

  it("spread agents evenly, whatever their ids look like", () => {
    for (const name of [
      (n: number) => `agent-${n}`,
      (n: number) => `${n}`,
      (n: number) => `0192f0c1-7000-7abc-8def-${n}`,
    ]) {
      const counts = new Array<number>(16).fill(0);
      for (let n = 0; n < 16_000; n += 1) {
        const partition = keys.partitionOf("default", name(n));
        counts[partition] = (counts[partition] ?? 0) + 1;
      }
      for (const count of counts) expect(Math.abs(count - 1_000)).toBeLessThan(200);
    }
  });

  it("never put an entity into another partition: deployments depend on it", () => {
    const places = ["a", "worker-1", "0192f0c1-7000-7abc-8def-000000000001"].map((id) =>
      keys.partitionOf("default", id),
    );
    expect(places).toEqual([12, 10, 9]);
  });

  it("know the partition of a key", () => {
    expect(keys.partitionOfKey("opscore:{p15}:log")).toBe(15);
    expect(keys.partitionOfKey(keys.agent(3, "default", "{p04}:"))).toBe(3);
    expect(() => keys.partitionOfKey("opscore:{p16}:log")).toThrow(RangeError);
    expect(() => keys.partitionOfKey("opscore:deployment")).toThrow(RangeError);
    expect(() => keys.meta(16)).toThrow(RangeError);
  });
});
