import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { jsonEquals, type JsonObject } from "../../../src/lib/json.js";
import { canonicalJson } from "../../../src/storage/redis/canonical-json.js";

/** JSON as it comes out of a `Struct`: whatever JSON.parse makes. */
const anObject = fc
  .dictionary(fc.string(), fc.jsonValue())
  .map((value) => JSON.parse(JSON.stringify(value)) as JsonObject);

/** The same with all keys in the opposite order. */
function reversed(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(reversed);
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([key, each]) => [key, reversed(each)]),
  );
}

describe("canonical JSON", () => {
  it("is JSON and says the same", () => {
    fc.assert(fc.property(anObject, (value) => jsonEquals(JSON.parse(canonicalJson(value)) as JsonObject, value)));
  });

  it("is the same text for the same meaning, whatever the order of the keys", () => {
    fc.assert(
      fc.property(anObject, (value) => {
        expect(canonicalJson(reversed(value) as JsonObject)).toBe(canonicalJson(value));
      }),
    );
  });

  it("is another text for another meaning", () => {
    fc.assert(
      fc.property(anObject, anObject, (a, b) => {
        expect(canonicalJson(a) === canonicalJson(b)).toBe(jsonEquals(a, b));
      }),
    );
  });

  it.each([
    [undefined, "null"],
    [{}, "{}"],
    [{ b: 1, a: { d: [], c: null } }, '{"a":{"c":null,"d":[]},"b":1}'],
    [JSON.parse('{"b":1,"__proto__":{"x":1}}') as JsonObject, '{"__proto__":{"x":1},"b":1}'],
  ])("of %o is %s", (value, expected) => {
    expect(canonicalJson(value)).toBe(expected);
  });
});
