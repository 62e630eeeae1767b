import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { jsonEquals, type JsonValue } from "../../src/lib/json.js";

const json = fc.jsonValue({ maxDepth: 3, noUnicodeString: false }) as fc.Arbitrary<JsonValue>;

/** The text of a value with its keys in order: the same for values that say the same. */
function textOf(value: JsonValue): string {
  if (Array.isArray(value)) return `[${value.map(textOf).join()}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const entries = Object.entries(value as Readonly<Record<string, JsonValue>>);
  entries.sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${textOf(item)}`).join()}}`;
}

/** The same value with the keys of every object the other way round. */
function reversed(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return value.map(reversed);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([key, item]: [string, JsonValue]) => [key, reversed(item)]),
  );
}

describe("equality of JSON values", () => {
  it.each<[JsonValue | undefined, JsonValue | undefined]>([
    [undefined, null],
    [undefined, {}],
    [null, {}],
    [[], {}],
    [{}, { a: null }],
    [{ a: 1 }, { b: 1 }],
    [{ a: 1 }, { a: "1" }],
    [
      [1, 2],
      [2, 1],
    ],
    [[1], [1, 1]],
    [["0"], { 0: "0" }],
    [{ a: { b: [1] } }, { a: { b: [2] } }],
    [{ toString: 1 }, { a: 1 }],
  ])("%o is not %o", (a, b) => {
    expect(jsonEquals(a, b)).toBe(false);
    expect(jsonEquals(b, a)).toBe(false);
  });

  it("does not look at the order of keys", () => {
    fc.assert(
      fc.property(json, (value) => {
        expect(jsonEquals(value, reversed(value))).toBe(true);
        expect(jsonEquals(value, structuredClone(value))).toBe(true);
      }),
    );
  });

  it("says what a comparison of ordered texts says", () => {
    // Pairs of small values are often equal, pairs of any values often nearly so.
    const small = fc.jsonValue({ maxDepth: 1, stringUnit: fc.constantFrom("a", "b") }) as fc.Arbitrary<JsonValue>;
    fc.assert(
      fc.property(fc.oneof(fc.tuple(small, small), fc.tuple(json, json)), ([a, b]) => {
        expect(jsonEquals(a, b)).toBe(textOf(a) === textOf(b));
        expect(jsonEquals(b, a)).toBe(jsonEquals(a, b));
      }),
      { numRuns: 1_000 },
    );
  });
});
