/** What was seen of a call, as plain fields that can be compared. */
import { createRegistry, fromBinary, toJson, type Registry } from "@bufbuild/protobuf";
import { anyUnpack, BytesValueSchema, StringValueSchema } from "@bufbuild/protobuf/wkt";
import { createHash } from "node:crypto";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  ResourceInfoSchema,
  RetryInfoSchema,
} from "../../../gen/google/rpc/error_details_pb.js";
import { StatusSchema } from "../../../gen/google/rpc/status_pb.js";
import type { Case, RawCase } from "./case.js";
import { codeName } from "../../../src/interceptors/index.js";
import type { JsonValue } from "../../../src/lib/json.js";

/** `status`, `message`, `details`, `messages`, `header NAME`, `trailer NAME`, `form`, `end`, `notes`, `log` … */
export type Observation = Readonly<Record<string, JsonValue>>;

/** What a client saw. */
export type ClientFields = Record<string, JsonValue>;

export function isRaw(testCase: Case): testCase is RawCase {
  return testCase.raw !== undefined;
}

/** A message as it is shown; a large one by its size and hash. */
export function shown(content: string): string {
  const text = content.replace(UUID, "ID");
  if (text.length <= 200) return text;
  return `${text.length} characters, ${createHash("sha256").update(text).digest("hex").slice(0, 16)}`;
}

const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g;

const registry: Registry = createRegistry(
  ErrorInfoSchema,
  BadRequestSchema,
  RetryInfoSchema,
  ResourceInfoSchema,
  BytesValueSchema,
  StringValueSchema,
);

/** `grpc-status-details-bin`, decoded. */
export function detailsOf(bytes: Uint8Array): JsonValue {
  try {
    return readDetails(bytes);
  } catch {
    return "unreadable";
  }
}

function readDetails(bytes: Uint8Array): JsonValue {
  const { code, message, details } = fromBinary(StatusSchema, bytes);
  return {
    code,
    message: shown(message),
    details: details.map((any) => {
      const unpacked = anyUnpack(any, registry);
      const desc = unpacked === undefined ? undefined : registry.getMessage(unpacked.$typeName);
      if (unpacked === undefined || desc === undefined) return { typeUrl: any.typeUrl, value: "unknown" };
      const value = JSON.parse(JSON.stringify(toJson(desc, unpacked)).replace(UUID, "ID")) as JsonValue;
      return { typeUrl: any.typeUrl, value };
    }),
  };
}

/** NOT_FOUND for 5, OK for 0. */
export function statusName(code: number): string {
  return code === 0 ? "OK" : codeName(code);
}

/** Headers of which the protocol itself, or HTTP, makes fields of their own. */
const OWN: ReadonlySet<string> = new Set([":status", "grpc-status", "grpc-message", "grpc-status-details-bin", "date"]);

/** With a client library it depends on the form of the answer whether this is a header or a trailer. Bare streams look at it. */
export const LIBRARY_OWN: ReadonlySet<string> = new Set(["content-type"]);

/** Adds headers or trailers as fields. */
export function addMetadata(
  fields: ClientFields,
  place: "header" | "trailer",
  metadata: Iterable<readonly [name: string, value: string]>,
  hidden: ReadonlySet<string> = OWN,
): void {
  for (const [name, value] of metadata) {
    if (OWN.has(name) || hidden.has(name)) continue;
    const key = `${place} ${name}`;
    const present = fields[key];
    fields[key] = typeof present === "string" ? `${present}, ${shown(value)}` : shown(value);
  }
}

/** One field that is not the same. */
export interface Mismatch {
  readonly field: string;
  readonly lane: JsonValue | undefined;
  readonly other: JsonValue | undefined;
}

export function compare(lane: Observation, other: Observation): Mismatch[] {
  const names = new Set([...Object.keys(lane), ...Object.keys(other)]);
  return [...names]
    .filter((name) => JSON.stringify(lane[name]) !== JSON.stringify(other[name]))
    .map((field) => ({ field, lane: lane[field], other: other[field] }));
}
