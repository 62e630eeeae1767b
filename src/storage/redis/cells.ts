import { CorruptRecordError } from "./failures.js";
import type { JsonObject } from "../../lib/json.js";

/** The version of the encoding of every record. One that begins with another number was written by a newer version. */
export const ENCODING = 1;

/**
 * Reads a record's cells, one after the other: `[ENCODING, …]`. What is not as expected is not one of our records, and the error
 * names the key that it came from.
 */
export class Cells {
  private at = 1;

  private constructor(
    private readonly cells: readonly unknown[],
    private readonly key: string,
  ) {}

  /** @param key where the text came from, for the error */
  static parse(text: string, key: string): Cells {
    let parsed: unknown;
    try {
      parsed = JSON.parse(text);
    } catch (cause) {
      throw new CorruptRecordError(key, "not JSON", cause);
    }
    return Cells.of(parsed, key);
  }

  static of(record: unknown, key: string): Cells {
    if (!isList(record)) throw new CorruptRecordError(key, "not a list");
    if (record[0] !== ENCODING) throw new CorruptRecordError(key, `encoded as version ${JSON.stringify(record[0])}`);
    return new Cells(record, key);
  }

  number(): number {
    const value = this.next();
    return typeof value === "number" ? value : this.fail("a number");
  }

  optionalNumber(): number | undefined {
    const value = this.next();
    if (value === null) return undefined;
    return typeof value === "number" ? value : this.fail("a number or null");
  }

  /** A number of an enumeration. */
  member<T extends number>(members: ReadonlySet<T>): T {
    const value = this.next();
    return isMember(members, value) ? value : this.fail("one of an enumeration");
  }

  text(): string {
    const value = this.next();
    return typeof value === "string" ? value : this.fail("text");
  }

  texts(): readonly string[] {
    const value = this.next();
    return isList(value) && value.every(isText) ? value : this.fail("a list of text");
  }

  textMap(): Readonly<Record<string, string>> {
    const value = this.next();
    return isObject(value) && isTextMap(value) ? value : this.fail("a map of text");
  }

  data(): JsonObject | undefined {
    const value = this.next();
    if (value === null) return undefined;
    return isObject(value) ? value : this.fail("an object or null");
  }

  numbers(): readonly number[] {
    const value = this.next();
    return isList(value) && value.every(isNumber) ? value : this.fail("a list of numbers");
  }

  /** A record within this one. */
  record(): Cells {
    return Cells.of(this.next(), this.key);
  }

  /** A list of records within this one. */
  records(): readonly Cells[] {
    const value = this.next();
    return isList(value) ? value.map((record) => Cells.of(record, this.key)) : this.fail("a list of records");
  }

  /** Passes over the next cell if it is `value`, and tells so. */
  skip(value: number | null): boolean {
    if (this.cells[this.at] !== value) return false;
    this.at += 1;
    return true;
  }

  private next(): unknown {
    return this.cells[this.at++];
  }

  private fail(expected: string): never {
    throw new CorruptRecordError(this.key, `cell ${this.at - 1} is not ${expected}`);
  }
}

function isList(value: unknown): value is readonly unknown[] {
  return Array.isArray(value);
}

/** Everything here came out of `JSON.parse`. */
function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !isList(value);
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}

function isNumber(value: unknown): value is number {
  return typeof value === "number";
}

function isTextMap(value: JsonObject): value is JsonObject & Readonly<Record<string, string>> {
  return Object.values(value).every(isText);
}

function isMember<T extends number>(members: ReadonlySet<T>, value: unknown): value is T {
  const numbers: ReadonlySet<unknown> = members;
  return numbers.has(value);
}
