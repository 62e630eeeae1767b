import type { JsonObject as WireStruct } from "@bufbuild/protobuf";
import type { Duration } from "@bufbuild/protobuf/wkt";
import { parseDuration } from "../../config/units.js";
import { excerpt, type Violations } from "../validation/index.js";
import { toDuration } from "../wire/index.js";

/** The way from the root of the data to a value: keys as they are written, and indexes. */
export type Place = readonly (string | number)[];

/** Where a value stands. */
export interface Where {
  /** Its path in the proto file; empty for the root. */
  readonly field: string;
  readonly place: Place;
}

/** Told of each value that is there. */
export type OnPlace = (where: Where) => void;

const MAX_INT32 = 2 ** 31 - 1;

/**
 * An object of plain data whose keys are those of a message, in snake or in camel case. A value that is null is not set. What has the
 * wrong type is a violation, and reads as if it were not set.
 */
export class DataObject {
  /** By the name in the proto file. */
  private readonly values = new Map<string, { readonly value: unknown; readonly place: Place }>();
  private readonly known = new Set<string>();

  /** @param aliases other names of fields, in snake case */
  constructor(
    private readonly bad: Violations,
    data: unknown,
    private readonly where: Where,
    private readonly onPlace: OnPlace,
    aliases: Readonly<Record<string, string>> = {},
  ) {
    if (!isObject(data)) {
      bad.add(where.field === "" ? "workflow" : where.field, `must be an object, not ${kindOf(data)}`);
      return;
    }
    for (const [key, value] of Object.entries(data)) {
      const written = key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
      const name = Object.hasOwn(aliases, written) ? (aliases[written] ?? written) : written;
      if (value === null || value === undefined) continue;
      const before = this.values.get(name);
      if (before === undefined) this.values.set(name, { value, place: [...where.place, key] });
      else
        bad.add(
          this.at(name),
          `must be given once, not as ${excerpt(String(before.place.at(-1)))} and ${excerpt(key)}`,
        );
    }
  }

  text(name: string): string {
    return this.read(name, "text", (value) => (typeof value === "string" ? value : undefined)) ?? "";
  }

  number(name: string): number {
    return this.read(name, "a number", (value) => (typeof value === "number" ? value : undefined)) ?? 0;
  }

  /** A whole number that a message can hold. */
  whole(name: string): number {
    const isWhole = (value: unknown): value is number =>
      Number.isInteger(value) && Math.abs(Number(value)) <= MAX_INT32;
    return this.read(name, "a whole number", (value) => (isWhole(value) ? value : undefined)) ?? 0;
  }

  duration(name: string): Duration | undefined {
    return this.read(name, "a duration such as 500ms, 30s, 5m or 1h", (value) => {
      const ms = typeof value === "string" ? parseDuration(value) : undefined;
      return ms === undefined ? undefined : toDuration(ms);
    });
  }

  struct(name: string): WireStruct | undefined {
    // Whether all of it is JSON is judged with the rest of the message.
    return this.read(name, "an object", (value) => (isObject(value) ? (value as WireStruct) : undefined));
  }

  texts(name: string): string[] {
    return this.list(name, (value, { field }) => {
      if (typeof value === "string") return value;
      this.bad.add(field, `must be text, not ${kindOf(value)}`);
      return "";
    });
  }

  list<T>(name: string, read: (value: unknown, where: Where) => T): T[] {
    const items = this.read(name, "a list", (value) =>
      Array.isArray(value) ? (value as readonly unknown[]) : undefined,
    );
    return (items ?? []).map((value, i) => {
      const where = { field: `${this.at(name)}[${i}]`, place: [...this.placeOf(name), i] };
      this.onPlace(where);
      return read(value, where);
    });
  }

  object<T>(name: string, read: (value: unknown, where: Where) => T): T | undefined {
    const value = this.read(name, "an object", (found) => (isObject(found) ? found : undefined));
    return value === undefined ? undefined : read(value, { field: this.at(name), place: this.placeOf(name) });
  }

  /** The path of a field in the proto file. */
  at(name: string): string {
    return this.where.field === "" ? name : `${this.where.field}.${name}`;
  }

  /** Where a field is written; the object itself when it is not. */
  placeOf(name: string): Place {
    return this.values.get(name)?.place ?? this.where.place;
  }

  /** Refuses the keys that nobody has read, but for some. */
  finish(ignored: readonly string[] = []): void {
    for (const [name, { place }] of this.values) {
      if (this.known.has(name) || ignored.includes(name)) continue;
      this.onPlace({ field: this.at(name), place });
      this.bad.add(this.at(name), `must not be there: the fields are ${[...this.known].join(", ")}`);
    }
  }

  private read<T>(name: string, expected: string, convert: (value: unknown) => T | undefined): T | undefined {
    this.known.add(name);
    const found = this.values.get(name);
    if (found === undefined) return undefined;
    this.onPlace({ field: this.at(name), place: found.place });
    const value = convert(found.value);
    if (value === undefined) this.bad.add(this.at(name), `must be ${expected}, not ${kindOf(found.value)}`);
    return value;
  }
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** What somebody wrote, in a word or two. */
function kindOf(value: unknown): string {
  if (value === null || value === undefined) return "nothing";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "an object";
  if (typeof value === "string") return excerpt(value);
  if (typeof value === "number" || typeof value === "boolean") return `the ${typeof value} ${value}`;
  return `a ${typeof value}`;
}
