/**
 * google.protobuf.Struct, which messages hold as plain JSON objects. The numbers are those of google/protobuf/struct.proto.
 */
import type { Writer } from "./writer.js";

const VARINT = 0;
const FIXED64 = 1;
const DELIMITED = 2;

const FIELDS = (1 << 3) | DELIMITED;
const KEY = (1 << 3) | DELIMITED;
const VALUE = (2 << 3) | DELIMITED;
const NULL = (1 << 3) | VARINT;
const NUMBER = (2 << 3) | FIXED64;
const STRING = (3 << 3) | DELIMITED;
const BOOL = (4 << 3) | VARINT;
const STRUCT = (5 << 3) | DELIMITED;
const LIST = (6 << 3) | DELIMITED;
const VALUES = (1 << 3) | DELIMITED;

/** @throws TypeError for what JSON cannot hold */
export function writeStruct(writer: Writer, object: object): void {
  for (const entry of Object.entries(object)) {
    writer.varint(FIELDS);
    writer.delimited(writeEntry, entry);
  }
}

function writeEntry(writer: Writer, [key, value]: readonly [string, unknown]): void {
  writer.varint(KEY);
  writer.text(key);
  writer.varint(VALUE);
  writer.delimited(writeValue, value);
}

function writeValue(writer: Writer, value: unknown): void {
  if (typeof value === "string") {
    writer.varint(STRING);
    writer.text(value);
  } else if (typeof value === "number" && Number.isFinite(value)) {
    writer.varint(NUMBER);
    writer.double(value);
  } else if (typeof value === "boolean") {
    writer.varint(BOOL);
    writer.varint(value ? 1 : 0);
  } else if (value === null) {
    writer.varint(NULL);
    writer.varint(0);
  } else if (Array.isArray(value)) {
    writer.varint(LIST);
    writer.delimited(writeList, value);
  } else if (typeof value === "object") {
    writer.varint(STRUCT);
    writer.delimited(writeStruct, value);
  } else throw new TypeError("expected a JSON value");
}

function writeList(writer: Writer, values: readonly unknown[]): void {
  for (const value of values) {
    writer.varint(VALUES);
    writer.delimited(writeValue, value);
  }
}
