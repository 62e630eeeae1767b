/** Rules for lists of words, for labels and for what selects by them. */
import { EVERYTHING, parseSelector, SelectorSyntaxError, type Selector } from "../../lib/selector.js";
import { id, isLonger, word } from "./text.js";
import { excerpt, type Violations } from "./violations.js";

const LABEL_KEY = /^[A-Za-z0-9._/-]{1,63}$/;
const MAX_LABEL_VALUE = 255;
const MAX_SELECTOR = 4_096;

/** @returns sorted, without doubles */
export function capabilities(
  bad: Violations,
  field: string,
  values: readonly string[],
  max: number,
): readonly string[] {
  return distinct(bad, field, values, max, word);
}

/** @returns sorted, without doubles */
export function ids(bad: Violations, field: string, values: readonly string[], max: number): readonly string[] {
  return distinct(bad, field, values, max, id);
}

export function labels(
  bad: Violations,
  field: string,
  value: Readonly<Record<string, string>>,
  max: number,
): Readonly<Record<string, string>> {
  const entries = Object.entries(value);
  if (entries.length > max) {
    bad.add(field, `must be at most ${max}`);
    return value;
  }
  for (const [key, text] of entries) {
    // On the wire `__proto__` cannot be told from no key at all, so nobody shall see it come and go.
    if (!LABEL_KEY.test(key) || key === "__proto__") {
      bad.add(`${field}[${excerpt(key)}]`, "must have a key of 1 to 63 characters of [A-Za-z0-9._/-]");
    }
    if (isLonger(text, MAX_LABEL_VALUE)) {
      bad.add(`${field}[${excerpt(key)}]`, `must be at most ${MAX_LABEL_VALUE} characters`);
    }
  }
  return value;
}

/** A label selector; empty selects everything. */
export function selector(bad: Violations, field: string, value: string): Selector {
  if (value === "") return EVERYTHING;
  if (value.length > MAX_SELECTOR) {
    bad.add(field, `must be at most ${MAX_SELECTOR} characters`);
    return EVERYTHING;
  }
  try {
    return parseSelector(value);
  } catch (error) {
    if (!(error instanceof SelectorSyntaxError)) throw error;
    bad.add(field, `must be a label selector: ${error.message}`);
    return EVERYTHING;
  }
}

function distinct(
  bad: Violations,
  field: string,
  values: readonly string[],
  max: number,
  rule: (bad: Violations, field: string, value: string) => string,
): readonly string[] {
  if (values.length === 0) return values;
  const unique = new Set(values);
  if (unique.size > max) {
    bad.add(field, `must be at most ${max}`);
    return [];
  }
  values.forEach((value, i) => rule(bad, `${field}[${i}]`, value));
  return [...unique].sort();
}
