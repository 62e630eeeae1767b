import { describe, expect, test } from "vitest";
import { createUuid7 } from "../../src/lib/uuid7.js";

const UUID7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

describe("UUIDv7", () => {
  test("has the form, the version, the variant and the time of RFC 9562", () => {
    const at = Date.UTC(2022, 1, 22, 19, 22, 22);
    const id = createUuid7(() => at)();
    expect(id).toMatch(UUID7);
    // The example of RFC 9562, appendix A.6, was made at this moment.
    expect(id.slice(0, 13)).toBe("017f22e2-79b0");
  });

  test("grows within one millisecond, past the end of the counter too", () => {
    const make = createUuid7(() => 1_000);
    const ids = Array.from({ length: 10_000 }, make);
    expect(ids).toEqual([...ids].sort());
    expect(new Set(ids).size).toBe(ids.length);
    for (const id of ids) expect(id).toMatch(UUID7);
  });

  test("grows when the clock goes back", () => {
    let now = 5_000;
    const make = createUuid7(() => now);
    const before = make();
    now = 1_000;
    expect(make() > before).toBe(true);
  });

  test("grows with the clock", () => {
    let now = 5_000;
    const make = createUuid7(() => now++);
    const ids = Array.from({ length: 1_000 }, make);
    expect(ids).toEqual([...ids].sort());
    expect(parseInt(make().slice(0, 13).replace("-", ""), 16)).toBe(6_000);
  });

  test("takes a clock with fractions of a millisecond", () => {
    expect(createUuid7(() => 1_234.56)()).toMatch(UUID7);
  });
});
