import fc from "fast-check";
import { expect, test } from "vitest";
import { jsonFault } from "../../src/lib/json-fault.js";

test.each<[text: string, offset: number, description: string]>([
  ["", 0, "expected a value, found the end of the file"],
  ["[1,", 3, "expected a value, found the end of the file"],
  ["[1,]", 3, "expected a value, found ]"],
  ["[1 2]", 3, "expected a comma or ], found 2"],
  ['["a" "b"]', 5, 'expected a comma or ], found "b"'],
  ["[1}", 2, "expected a comma or ], found }"],
  ['{"a":1,}', 7, 'expected a key in double quotes ("), found }'],
  ['{"a":1 // one', 7, "expected a comma or }, found /"],
  ["{'a':1}", 1, "expected a key in double quotes (\"), found '"],
  ["{a:1}", 1, 'expected a key in double quotes ("), found a'],
  ['{"a" 1}', 5, "expected a colon, found 1"],
  ['{"a":}', 5, "expected a value, found }"],
  ["[NaN]", 1, "expected a value, found NaN"],
  ["[01]", 1, "expected a value, found 01"],
  ["[1.]", 1, "expected a value, found 1."],
  ["[nullx]", 1, "expected a value, found nullx"],
  [`[${"x".repeat(50)}]`, 1, `expected a value, found ${"x".repeat(40)}`],
  ["[\u0000]", 1, 'expected a value, found "\\u0000"'],
  ["[😀]", 1, "expected a value, found 😀"],
  ["{}\n[]", 3, "expected the end of the file, found ["],
  ['["a\tb"]', 3, "a line break, a tab or the like stands in quotes: write \\n, \\t"],
  ['["a\\q"]', 3, "there is no such escape; a backslash itself is \\\\"],
  ['["a', 1, 'the text that begins here has no quote (") at its end'],
])("%j is not JSON at %i: %s", (text, offset, description) => {
  expect(jsonFault(text)).toEqual({ offset, description });
});

test("what is deep or long takes no more of the stack", () => {
  const deep = 200_000;
  expect(jsonFault("[".repeat(deep))).toMatchObject({ offset: deep });
  expect(jsonFault(`["${"x\\n".repeat(deep)}", ${"1".repeat(deep)}]`)).toBeUndefined();
});

test("finds a fault where JSON.parse does, and in nothing else", () => {
  const pieces = fc.constantFrom(
    "",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    '"',
    "\\",
    "\n",
    "1",
    "-",
    ".",
    "e",
    "0",
    "null",
    "\u2028",
    '"a":',
  );
  const places = fc.tuple(fc.nat(), fc.nat({ max: 2 }), pieces);
  fc.assert(
    fc.property(fc.json(), fc.nat({ max: 2 }), fc.array(places, { maxLength: 2 }), (whole, space, changes) => {
      let text = JSON.stringify(JSON.parse(whole), undefined, space);
      for (const [place, removed, piece] of changes) {
        const at = place % (text.length + 1);
        text = text.slice(0, at) + piece + text.slice(at + removed);
      }
      expect(jsonFault(text) === undefined, text).toBe(isJson(text));
    }),
    { numRuns: 2_000 },
  );
});

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
