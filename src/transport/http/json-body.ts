import { isUtf8 } from "node:buffer";
import type { JsonObject, JsonValue } from "../../lib/json.js";
import { isObject, NOT_AN_OBJECT, unprocessable, type Loc } from "./faults.js";
import type { Refusal } from "./refusal.js";

const JSON_TYPE = /^application\/(?:[\w.!#$&^-]+\+)?json$/;

/** As much of a content type as is said again. */
const MAX_TYPE = 100;

/**
 * Reads a body that must be one JSON object in UTF-8.
 *
 * A body that says it is of another type is refused: a page of another origin may post plain text without asking, but not JSON. With
 * 422 like any body that is not as it should be, because older clients know that and no 415.
 *
 * @param type the content type; one that is not given is JSON
 * @throws Refusal 422
 */
export function readJsonObject(body: Buffer, type: string | undefined): JsonObject {
  if (body.length === 0) throw fault(["body"], "Field required", "missing");
  if (type !== undefined && !isJson(type)) {
    const msg = `Value error, must be application/json, not ${JSON.stringify(type.slice(0, MAX_TYPE))}`;
    throw fault(["header", "content-type"], msg, "value_error");
  }
  const value = parse(body);
  if (!isObject(value)) throw fault(["body"], NOT_AN_OBJECT, "model_attributes_type");
  return value;
}

function isJson(type: string): boolean {
  if (type === "application/json") return true;
  const end = type.indexOf(";");
  return JSON_TYPE.test((end < 0 ? type : type.slice(0, end)).trim().toLowerCase());
}

function parse(body: Buffer): JsonValue {
  if (!isUtf8(body)) throw undecodable(["body"]);
  const text = body.toString();
  try {
    // Whatever JSON.parse makes is a JSON value.
    return JSON.parse(text) as JsonValue;
  } catch (error) {
    throw undecodable(placeOf(error, text));
  }
}

/** Where the text stops being JSON, as far as the parser says so. */
function placeOf(error: unknown, text: string): Loc {
  const message = error instanceof Error ? error.message : "";
  const position = message.endsWith("end of JSON input") ? text.length : / at position (\d+)/.exec(message)?.[1];
  return position === undefined ? ["body"] : ["body", Number(position)];
}

function undecodable(loc: Loc): Refusal {
  return fault(loc, "JSON decode error", "json_invalid");
}

function fault(loc: Loc, msg: string, type: string): Refusal {
  return unprocessable([{ loc, msg, type }]);
}
