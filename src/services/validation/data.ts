/** The rule for free data: `details`, `metadata`, `result`. */
import type { JsonObject as WireStruct } from "@bufbuild/protobuf";
import type { JsonObject } from "../../lib/json.js";
import type { Limits } from "../limits.js";
import { excerpt, type Violations } from "./violations.js";

/** A path inside free data is shown up to this length. */
const MAX_PATH = 256;

/** What one character of a string can become in JSON: `\u0000`. */
const BYTES_PER_UNIT = 6;
/** The longest number, `-1.2345678901234567e-308`, and what stands between two values. */
const BYTES_PER_SCALAR = 26;

/** Free data that may be left out. It is taken as it is, not copied: a decoded request belongs to nobody else. */
export function freeData(
  bad: Violations,
  field: string,
  value: WireStruct | undefined,
  limits: Limits,
): JsonObject | undefined {
  if (value === undefined) return undefined;
  const inspection = new Inspection(limits.dataDepth);
  if (!inspection.accepts(value, 1)) {
    bad.add(clip(field + inspection.path), inspection.fault);
  } else if (inspection.maxBytes > limits.dataBytes && jsonBytes(value) > limits.dataBytes) {
    bad.add(field, `must be at most ${limits.dataBytes} bytes as JSON`);
  }
  return value;
}

/** Bytes of UTF-8 that the value takes as JSON. */
export function jsonBytes(value: JsonObject): number {
  return Buffer.byteLength(JSON.stringify(value));
}

/** Walks a value once, to find what JSON cannot hold and to bound its size without making the JSON text. */
class Inspection {
  /** As JSON the value is at most so long. */
  maxBytes = 0;
  fault = "";
  /** Where the fault is; built on the way back up, so that a good value costs no path. */
  path = "";

  constructor(private readonly maxDepth: number) {}

  accepts(value: unknown, depth: number): boolean {
    this.maxBytes += BYTES_PER_SCALAR;
    switch (typeof value) {
      case "string":
        this.maxBytes += value.length * BYTES_PER_UNIT;
        return true;
      case "boolean":
        return true;
      case "number":
        return Number.isFinite(value) || this.refuse("must be a finite number");
      case "object":
        if (value === null) return true;
        if (depth > this.maxDepth) return this.refuse(`must not be nested deeper than ${this.maxDepth} levels`);
        return Array.isArray(value) ? this.acceptsList(value, depth) : this.acceptsObject(value, depth);
      case "bigint":
      case "function":
      case "symbol":
      case "undefined":
        return this.refuse("must be a JSON value");
    }
  }

  private acceptsList(list: readonly unknown[], depth: number): boolean {
    for (let i = 0; i < list.length; i++) {
      if (!this.accepts(list[i], depth + 1)) return this.within(`[${i}]`);
    }
    return true;
  }

  private acceptsObject(object: object, depth: number): boolean {
    // A decoder that assigns `__proto__` changes the prototype instead of making a key. Neither spelling gets further.
    const prototype: unknown = Object.getPrototypeOf(object);
    if (prototype !== null && Object.getPrototypeOf(prototype) !== null) {
      return this.refuse('must not have the key "__proto__"');
    }
    for (const [key, value] of Object.entries(object)) {
      if (key === "__proto__") return this.refuse('must not have the key "__proto__"');
      this.maxBytes += key.length * BYTES_PER_UNIT + BYTES_PER_SCALAR;
      if (!this.accepts(value, depth + 1)) return this.within(`[${excerpt(key)}]`);
    }
    return true;
  }

  private refuse(fault: string): false {
    this.fault = fault;
    return false;
  }

  private within(step: string): false {
    this.path = step + this.path;
    return false;
  }
}

function clip(path: string): string {
  return path.length > MAX_PATH ? `${path.slice(0, MAX_PATH)}…` : path;
}
