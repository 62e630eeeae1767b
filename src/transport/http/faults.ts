/**
 * What is wrong with a body, in the words and the shape of pydantic 2, which clients of the HTTP routes know: each fault has the
 * place (`loc`), a message and a type.
 */
import type { FieldViolation } from "../../errors/index.js";
import { NAMESPACE_HEADER } from "../../interceptors/index.js";
import type { JsonObject, JsonValue } from "../../lib/json.js";
import { Refusal } from "./refusal.js";

/** A place in a request: `["body", "agent_details", "capabilities", 3]`. */
export type Loc = readonly (string | number)[];

export interface Fault extends JsonObject {
  readonly loc: Loc;
  readonly msg: string;
  readonly type: string;
}

/** As many as are told at once: a caller with more has one defect rather than many. */
const MAX_FAULTS = 20;

/** Collects the faults of one body, so that the caller hears of all at once. */
export class Faults {
  private found: Fault[] | undefined;

  add(loc: Loc, msg: string, type: string): void {
    this.found ??= [];
    if (this.found.length < MAX_FAULTS) this.found.push({ loc, msg, type });
  }

  /** @throws Refusal 422 with every fault */
  throwIfAny(): void {
    if (this.found !== undefined) throw unprocessable(this.found);
  }
}

/** @param faults at least one */
export function unprocessable(faults: readonly Fault[]): Refusal {
  const [first] = faults;
  const rest = faults.length > 1 ? ` (and ${faults.length - 1} more)` : "";
  return new Refusal(422, faults, `${first?.loc.join(".")}: ${first?.msg}${rest}`);
}

/**
 * What a service found, as faults of the request.
 *
 * @param places where the service's fields stand in the request, by their names: those of the request, or of the agent in it; and,
 * with a point before their names, what fields inside of them are called
 */
export function faultsOf(violations: readonly FieldViolation[], places: Readonly<Record<string, Loc>>): Fault[] {
  return violations.map(({ field, description }) => {
    return { loc: locOf(field, places), msg: `Value error, ${description}`, type: "value_error" };
  });
}

/** The steps of a path: `tasks`, `[3]`, `["any key"]`; or all that is left, when it was cut short. */
const STEP = /\.?(\w+)|\[(\d+)\]|\[("(?:[^"\\]|\\.)*")\]|.+/gs;

function locOf(field: string, places: Readonly<Record<string, Loc>>): Loc {
  if (field === NAMESPACE_HEADER) return ["header", field];
  const loc: (string | number)[] = [];
  for (const [step, name, index, key] of field.replace(/^agent\./, "").matchAll(STEP)) {
    if (loc.length === 0) loc.push(...(places[step] ?? ["body", step]));
    else if (name !== undefined) loc.push(...(places[`.${name}`] ?? [name]));
    else if (index !== undefined) loc.push(Number(index));
    else loc.push(key === undefined ? step : String(JSON.parse(key)));
  }
  return loc;
}

/** Reads the fields of one JSON object. A field that is not as it should be is a fault, and something harmless is returned. */
export class Fields {
  constructor(
    private readonly faults: Faults,
    private readonly values: JsonObject,
    private readonly loc: Loc,
  ) {}

  /** A string that must be there. */
  text(name: string): string {
    const value = this.get(name);
    if (typeof value === "string") return value;
    if (value === undefined) this.missing(name);
    else this.fault(name, "Input should be a valid string", "string_type");
    return "";
  }

  /** A string that must be there and not empty. Whether it is a URL, and one that is taken, is the service's to say. */
  url(name: string): string {
    const value = this.text(name);
    if (this.get(name) === "") this.fault(name, "Input should be a valid URL, input is empty", "url_parsing");
    return value;
  }

  /** A string that may be left out, null or empty. */
  optionalText(name: string): string | undefined {
    const value = this.get(name);
    return value === undefined || value === null || value === "" ? undefined : this.text(name);
  }

  /** An object that may be left out, or null. */
  optionalObject(name: string): JsonObject | undefined {
    const value = this.get(name);
    if (value === undefined || value === null) return undefined;
    if (isObject(value)) return value;
    this.fault(name, "Input should be a valid dictionary", "dict_type");
    return undefined;
  }

  /** A list that must be there. */
  list(name: string): readonly JsonValue[] {
    const value = this.get(name);
    if (value === undefined) this.missing(name);
    else if (!isList(value)) this.fault(name, "Input should be a valid list", "list_type");
    else return value;
    return [];
  }

  /** Strings that may be left out. */
  texts(name: string): readonly string[] {
    if (this.get(name) === undefined) return [];
    return this.list(name).filter((item, i): item is string => {
      if (typeof item === "string") return true;
      this.faults.add([...this.loc, name, i], "Input should be a valid string", "string_type");
      return false;
    });
  }

  /** The fields of an object that must be there. */
  fields(name: string): Fields {
    const value = this.get(name);
    if (value === undefined) this.missing(name);
    else if (!isObject(value)) this.fault(name, NOT_AN_OBJECT, "model_attributes_type");
    else return new Fields(this.faults, value, [...this.loc, name]);
    // Of what is not there, nothing more can be said.
    return new Fields(new Faults(), {}, this.loc);
  }

  /** The fields of an object that may be left out, or null. */
  optionalFields(name: string): Fields | undefined {
    const value = this.get(name);
    return value === undefined || value === null ? undefined : this.fields(name);
  }

  fault(name: string, msg: string, type: string): void {
    this.faults.add([...this.loc, name], msg, type);
  }

  private missing(name: string): void {
    this.fault(name, "Field required", "missing");
  }

  private get(name: string): JsonValue | undefined {
    return Object.hasOwn(this.values, name) ? this.values[name] : undefined;
  }
}

export const NOT_AN_OBJECT = "Input should be a valid dictionary or object to extract fields from";

export function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !isList(value);
}

export function isList(value: JsonValue | undefined): value is readonly JsonValue[] {
  return Array.isArray(value);
}
