import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EVERYTHING, parseSelector, SelectorSyntaxError, type Labels } from "../../src/lib/selector.js";

describe("selector", () => {
  const web = { env: "prod", tier: "web", empty: "" };

  it.each([
    ["", true],
    ["   ", true],
    ["env=prod", true],
    ["env==prod", true],
    ["env=dev", false],
    ["env!=dev", true],
    ["env!=prod", false],
    ["other!=x", true],
    ["env in (prod)", true],
    ["env in (dev,prod)", true],
    ["env in (dev,test)", false],
    ["other in (prod)", false],
    ["env notin (dev,test)", true],
    ["env notin (prod)", false],
    ["other notin (prod)", true],
    ["env", true],
    ["empty", true],
    ["other", false],
    ["!env", false],
    ["!empty", false],
    ["!other", true],
    ["empty=", true],
    ["env=", false],
    ["other=", false],
    ["empty in ()", true],
    ["empty in (x,)", true],
    ["env notin ()", true],
    ["env=prod,tier=web,!other", true],
    ["env=prod,tier=db", false],
    ["env=,empty", false],
    [" env  =  prod ,tier in(web) ", true],
  ])("%o matches env=prod, tier=web, empty=: %s", (text, matches) => {
    expect(parseSelector(text).matches(web)).toBe(matches);
  });

  it.each(["toString", "__proto__", "constructor"])("takes no label %s where there is none", (key) => {
    expect(parseSelector(key).matches({})).toBe(false);
    expect(parseSelector(`!${key}`).matches({})).toBe(true);
    expect(parseSelector(`${key}!=x`).matches({})).toBe(true);
  });

  it.each([
    ["env=prod,tier=web", "tier=web,env=prod"],
    ["env=prod", "env==prod"],
    ["env=prod", " env in ( prod ) "],
    ["env!=prod", "env notin (prod)"],
    ["env in (a,b)", "env in (b,a,b)"],
    ["env,env", "env"],
    ["", " "],
    ["env=", "env in ()"],
  ])("spells %o and %o the same", (one, other) => {
    expect(parseSelector(one).canonical).toBe(parseSelector(other).canonical);
  });

  it.each([
    ["env", "!env"],
    ["env=a", "env=b"],
    ["env=a", "env!=a"],
    ["env in (a,b)", "env=a,env=b"],
    ["env=", "env"],
    ["a=b,c", "a=b,!c"],
    ["in in (in)", "in notin (in)"],
  ])("tells %o and %o apart", (one, other) => {
    expect(parseSelector(one).canonical).not.toBe(parseSelector(other).canonical);
  });

  it.each([
    ["=prod", 'expected a label key, found "=" at 1'],
    ["env=prod,", "expected a requirement, found the end"],
    [",env", 'expected a label key, found "," at 1'],
    ["env prod", 'expected ",", found "prod" at 5'],
    ["env in prod", 'expected "(", found "prod" at 8'],
    ["env in (prod", 'expected ")", found the end'],
    ["env in (a b)", 'expected ")", found "b" at 11'],
    ["!", "expected a label key, found the end"],
    ["!!env", 'expected a label key, found "!" at 2'],
    ["env=(a)", 'expected a label value, found "(" at 5'],
    ["env=prod)", 'expected ",", found ")" at 9'],
    ["env=a$b", "unexpected character at 6"],
    [" env  $", "unexpected character at 7"],
    ["ключ=a", "unexpected character at 1"],
    ["env===prod", 'expected a label value, found "=" at 6'],
  ])("refuses %o and says where", (text, message) => {
    expect(() => parseSelector(text)).toThrow(SelectorSyntaxError);
    expect(() => parseSelector(text)).toThrow(message);
  });

  it("selects everything with one selector for it", () => {
    expect(parseSelector(" ")).toBe(EVERYTHING);
    expect(EVERYTHING.matches({})).toBe(true);
  });
});

/** A requirement as data, with its spelling and its meaning. */
interface Requirement {
  readonly key: string;
  readonly operator: "=" | "==" | "!=" | "in" | "notin" | "exists" | "absent";
  readonly values: readonly string[];
}

// Few words, so that requirements and labels meet; among them those that are operators too.
const word = fc.constantFrom("a", "b", "in", "notin", "x/y.z-1_2", "0");
const value = fc.oneof({ weight: 4, arbitrary: word }, { weight: 1, arbitrary: fc.constant("") });
const requirement: fc.Arbitrary<Requirement> = fc.oneof(
  fc.record({ key: word, operator: fc.constantFrom("=", "==", "!="), values: fc.tuple(value) }),
  fc.record({
    key: word,
    operator: fc.constantFrom("in", "notin"),
    values: fc.array(value, { minLength: 1, maxLength: 3 }),
  }),
  fc.record({ key: word, operator: fc.constantFrom("exists", "absent"), values: fc.constant([]) }),
);
const requirements = fc.array(requirement, { maxLength: 4 });
const labels: fc.Arbitrary<Labels> = fc.dictionary(word, value);

function spell({ key, operator, values }: Requirement): string {
  if (operator === "exists") return key;
  if (operator === "absent") return `!${key}`;
  if (operator === "in" || operator === "notin") return `${key} ${operator} (${values.join(", ")})`;
  return `${key}${operator}${values.join()}`;
}

function holds({ key, operator, values }: Requirement, given: Labels): boolean {
  const found = given[key];
  switch (operator) {
    case "exists":
      return found !== undefined;
    case "absent":
      return found === undefined;
    case "!=":
    case "notin":
      return found === undefined || !values.includes(found);
    case "=":
    case "==":
    case "in":
      return found !== undefined && values.includes(found);
  }
}

describe("any selector", () => {
  const textOf = (all: readonly Requirement[]) => all.map(spell).join(",");

  it("matches what all its requirements match", () => {
    fc.assert(
      fc.property(requirements, labels, (all, given) => {
        const expected = all.every((each) => holds(each, given));
        expect(parseSelector(textOf(all)).matches(given)).toBe(expected);
      }),
      { numRuns: 1_000 },
    );
  });

  it("has a canonical form that is a selector, means the same and is its own canonical form", () => {
    fc.assert(
      fc.property(requirements, labels, (all, given) => {
        const selector = parseSelector(textOf(all));
        const again = parseSelector(selector.canonical);
        expect(again.canonical).toBe(selector.canonical);
        expect(again.matches(given)).toBe(selector.matches(given));
      }),
    );
  });

  it("has the same canonical form in any order", () => {
    const shuffled = requirements.chain((all) =>
      fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length })),
    );
    fc.assert(
      fc.property(shuffled, ([all, other]) => {
        expect(parseSelector(textOf(other)).canonical).toBe(parseSelector(textOf(all)).canonical);
      }),
    );
  });

  it("is read or refused, whatever the text", () => {
    const characters = fc.constantFrom("a", "b", "0", "in", "notin", " ", ",", "(", ")", "=", "!", "-", ".");
    const text = fc.oneof(fc.string(), fc.string({ unit: characters }));
    fc.assert(
      fc.property(text, (given) => {
        try {
          parseSelector(given);
        } catch (refusal) {
          expect(refusal).toBeInstanceOf(SelectorSyntaxError);
        }
      }),
      { numRuns: 2_000 },
    );
  });
});
