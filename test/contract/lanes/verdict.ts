/** Which differences between servers are known, and whether they are still there. */
import type { JsonValue } from "../../../src/lib/json.js";
import type { Case } from "./case.js";
import type { Mismatch } from "./observation.js";
import type { ServerName } from "./servers/server.js";

/** For a side that says no more than the rest of the difference does. */
export const ANY: unique symbol = Symbol("any");

/** What a field has on one side: this value, none, a text that matches, or whatever it is. */
export type Expected = JsonValue | undefined | RegExp | typeof ANY;

/** A known difference between the lane and another server. */
export interface Difference {
  readonly from: Exclude<ServerName, "lane">;
  /** Why it is right as it is. */
  readonly why: string;
  /** The cases that show it, by name. Each one listed must; of a pattern, one must. */
  readonly cases: readonly string[] | RegExp;
  /** What differs: the lane's value and the other's. */
  readonly fields: Readonly<Record<string, readonly [lane: Expected, other: Expected]>>;
}

/** Holds what was found against what is known. */
export class Verdict {
  /** What has been seen of each difference: fields, and names of cases. */
  private readonly seen = new Map<Difference, { readonly fields: Set<string>; readonly cases: Set<string> }>();

  constructor(private readonly known: readonly Difference[]) {
    for (const difference of known) this.seen.set(difference, { fields: new Set(), cases: new Set() });
  }

  /** @returns what nobody has explained */
  unexplained(from: Difference["from"], { name }: Case, found: readonly Mismatch[]): readonly Mismatch[] {
    return found.filter((mismatch) => {
      const explanations = this.known.filter(
        (each) => each.from === from && concerns(each, name) && covers(each, mismatch),
      );
      for (const each of explanations) {
        const seen = this.seen.get(each);
        seen?.fields.add(mismatch.field);
        seen?.cases.add(name);
      }
      return explanations.length === 0;
    });
  }

  /** @returns what is listed and was not seen */
  stale(from: Difference["from"]): readonly string[] {
    return this.known
      .filter((each) => each.from === from)
      .flatMap((each) => {
        const { fields, cases } = this.seen.get(each) ?? { fields: new Set(), cases: new Set() };
        const missing = [
          ...Object.keys(each.fields).filter((field) => !fields.has(field)),
          ...(each.cases instanceof RegExp ? [] : each.cases.filter((name) => !cases.has(name))),
        ];
        return missing.map((what) => `${each.why} — ${what}`);
      });
  }
}

function concerns({ cases }: Difference, name: string): boolean {
  return cases instanceof RegExp ? cases.test(name) : cases.includes(name);
}

function covers({ fields }: Difference, { field, lane, other }: Mismatch): boolean {
  const expected = fields[field];
  return expected !== undefined && matches(expected[0], lane) && matches(expected[1], other);
}

function matches(expected: Expected, value: JsonValue | undefined): boolean {
  if (expected === ANY) return true;
  if (expected instanceof RegExp) return value !== undefined && expected.test(JSON.stringify(value));
  return JSON.stringify(expected) === JSON.stringify(value);
}
