/** What the rules let through, up to the last character and the last millisecond. Refusals are in `requests.test.ts`. */
import { describe, expect, test } from "vitest";
import { OpsCoreError } from "../../../src/errors/index.js";
import { DEFAULT_LIMITS } from "../../../src/services/limits.js";
import * as rules from "../../../src/services/validation/index.js";

/** Reads one value; its violations are thrown. */
function read<T>(rule: (bad: rules.Violations) => T): T {
  const bad = new rules.Violations();
  const value = rule(bad);
  bad.throwIfAny();
  return value;
}

describe("text", () => {
  test.each(["a", "A-z_0.9:x", "x".repeat(128)])("takes %s as an id", (id) => {
    expect(read((bad) => rules.id(bad, "f", id))).toBe(id);
    expect(read((bad) => rules.optionalId(bad, "f", id))).toBe(id);
  });

  test("takes no id where none is needed", () => {
    expect(read((bad) => rules.optionalId(bad, "f", ""))).toBe("");
  });

  test.each(["", "Ünïcode ✓", "x".repeat(255), "😀".repeat(255)])("takes %s as a name", (name) => {
    expect(read((bad) => rules.name(bad, "f", name))).toBe(name);
  });

  test("counts characters, not UTF-16 units", () => {
    expect(() => read((bad) => rules.name(bad, "f", "😀".repeat(256)))).toThrow(OpsCoreError);
  });

  test.each(["", "x".repeat(1_024), "€".repeat(341)])("takes text of at most 1,024 bytes", (text) => {
    expect(read((bad) => rules.text(bad, "f", text, 1_024))).toBe(text);
  });

  test.each(["", "Ok", "RateLimited", "Http429", "X".repeat(64)])("takes %s as a reason", (reason) => {
    expect(read((bad) => rules.reason(bad, "f", reason))).toBe(reason);
  });

  test.each([
    "",
    "http://localhost:8080",
    "HTTPS://Agent.Example/run?x=1#y",
    "http://[::1]:9000/",
    `http://a/${"x".repeat(2_039)}`,
  ])("takes %s as an endpoint", (url) => {
    expect(read((bad) => rules.httpUrl(bad, "f", url))).toBe(url);
  });
});

describe("numbers and times", () => {
  test.each([0n, 1n, BigInt(Number.MAX_SAFE_INTEGER)])("takes %s as a count", (value) => {
    expect(read((bad) => rules.count(bad, "f", value))).toBe(Number(value));
  });

  test.each([
    [0, 50],
    [1, 1],
    [1_000, 1_000],
  ])("reads a page size of %s as %s", (value, expected) => {
    expect(read((bad) => rules.pageSize(bad, "f", value, DEFAULT_LIMITS))).toBe(expected);
  });

  test.each([
    [{ seconds: 0n, nanos: 100_000_000 }, 100],
    [{ seconds: 0n, nanos: 100_000_001 }, 101],
    [{ seconds: 86_400n, nanos: 0 }, 86_400_000],
  ])("reads a duration, rounded up: %o", (value, expected) => {
    const duration = { $typeName: "google.protobuf.Duration" as const, ...value };
    expect(read((bad) => rules.duration(bad, "f", duration, 100, 86_400_000))).toBe(expected);
  });

  test("says between which bounds a duration must be", () => {
    const zero = { $typeName: "google.protobuf.Duration" as const, seconds: 0n, nanos: 0 };
    expect(() => read((bad) => rules.duration(bad, "f", zero, 100, 3_600_000))).toThrow("f must be 100 ms to 1 h");
    expect(() => read((bad) => rules.duration(bad, "f", zero, 1_000, 90_000))).toThrow("f must be 1 s to 90 s");
  });

  test.each([
    [{ seconds: 0n, nanos: 0 }, 0],
    [{ seconds: -1n, nanos: 999_999_999 }, -1],
    [{ seconds: -62_135_596_800n, nanos: 0 }, -62_135_596_800_000],
    [{ seconds: 253_402_300_799n, nanos: 999_999_999 }, 253_402_300_799_999],
  ])("reads a timestamp, rounded down: %o", (value, expected) => {
    const timestamp = { $typeName: "google.protobuf.Timestamp" as const, ...value };
    expect(read((bad) => rules.timestamp(bad, "f", timestamp))).toBe(expected);
  });

  test("leaves what is not set undefined", () => {
    expect(read((bad) => rules.duration(bad, "f", undefined, 0, 1))).toBeUndefined();
    expect(read((bad) => rules.timestamp(bad, "f", undefined))).toBeUndefined();
    expect(read((bad) => rules.freeData(bad, "f", undefined, DEFAULT_LIMITS))).toBeUndefined();
  });
});

describe("collections", () => {
  test("sorts capabilities and drops doubles, which do not count", () => {
    const many = Array.from({ length: 256 }, (_, i) => `c${i}`);
    expect(read((bad) => rules.capabilities(bad, "f", ["b", "a", "b"], 2))).toEqual(["a", "b"]);
    expect(read((bad) => rules.capabilities(bad, "f", [...many, ...many], 256))).toHaveLength(256);
  });

  test("takes labels up to their bounds", () => {
    const labels = { ["k".repeat(63)]: "v".repeat(255), "app.example/name_1-x": "", toString: "x" };
    expect(read((bad) => rules.labels(bad, "f", labels, 3))).toEqual(labels);
  });

  test("drops doubled enumeration values", () => {
    expect(read((bad) => rules.states(bad, "f", [3, 4, 3]))).toEqual([3, 4]);
  });
});

describe("free data", () => {
  const limits = { ...DEFAULT_LIMITS, dataBytes: 100, dataDepth: 3 };
  const take = (value: object) => read((bad) => rules.freeData(bad, "f", value as never, limits));

  test("takes every kind of JSON value", () => {
    const value = { s: "x", n: -1.5e-300, b: false, z: null, a: [1, ["y"]], o: { "": {} } };
    expect(take(value)).toBe(value);
  });

  test("takes objects without a prototype and odd keys", () => {
    const bare = Object.assign(Object.create(null) as object, { constructor: 1, toString: 2, hasOwnProperty: 3 });
    expect(take(bare)).toBe(bare);
  });

  test.each([
    ["ASCII", { k: "x".repeat(92) }],
    ["what JSON escapes", { k: '"'.repeat(46) }],
    ["control characters", { k: "\u0001".repeat(15) }],
    ["more than one byte a character", { k: "€".repeat(30) }],
  ])("measures %s as JSON", (_what, value) => {
    expect(JSON.stringify(value).length).toBeLessThanOrEqual(100);
    expect(take(value)).toBe(value);
    expect(() => take({ ...value, more: "12345678" })).toThrow("f must be at most 100 bytes as JSON");
  });

  test("counts the levels of lists and objects", () => {
    expect(take({ a: [[1]] })).toBeDefined();
    expect(() => take({ a: [[[]]] })).toThrow('f["a"][0][0] must not be nested deeper than 3 levels');
  });

  test("refuses a prototype that came in as a key", () => {
    const poisoned = Object.create({ admin: true }) as object;
    expect(() => take(poisoned)).toThrow('f must not have the key "__proto__"');
    expect(() => take({ a: [poisoned] })).toThrow('f["a"][0] must not have the key "__proto__"');
  });

  test.each([[undefined], [1n], [() => 1], [Symbol("s")]])("refuses what JSON does not have: %s", (value) => {
    expect(() => take({ a: value })).toThrow('f["a"] must be a JSON value');
  });

  test("shows a long path cut short", () => {
    const deep = { ...DEFAULT_LIMITS, dataDepth: 100 };
    let value: object = { bad: NaN };
    for (let i = 0; i < 50; i++) value = { ["k".repeat(50)]: value };
    expect(() => read((bad) => rules.freeData(bad, "f", value as never, deep))).toThrow(/^.{257} must be a finite/);
  });

  test("survives what is too deep for a stack", () => {
    let value: unknown = 1;
    for (let i = 0; i < 100_000; i++) value = [value];
    expect(() => take({ a: value })).toThrow("must not be nested deeper than 3 levels");
  });
});
