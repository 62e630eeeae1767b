import type { JsonObject, JsonValue } from "../../lib/json.js";

/** JSON whose text is the same whenever its meaning is: keys are sorted. Scripts compare texts. */
export function canonicalJson(value: JsonObject | undefined): string {
  if (value === undefined) return "null";
  return JSON.stringify(value, sortKeys);
}

/** A replacer is called for every value; only objects whose keys are out of order are made anew. */
function sortKeys(_key: string, value: JsonValue): JsonValue {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  const keys = Object.keys(value);
  if (keys.every((key, index) => index === 0 || (keys[index - 1] ?? "") < key)) return value;
  return Object.fromEntries(keys.sort().map((key) => [key, (value as JsonObject)[key] ?? null]));
}
