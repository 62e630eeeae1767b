/**
 * Encoders that are put together once for a message type instead of being looked up for every field of every message. They write
 * what the services send; a type with anything else in it is left to the library.
 */
import { ScalarType, type DescField, type DescMessage, type Message } from "@bufbuild/protobuf";
import { FeatureSet_FieldPresence } from "@bufbuild/protobuf/wkt";
import { writeStruct } from "./struct.js";
import type { Writer } from "./writer.js";

const VARINT = 0;
const DELIMITED = 2;

/** Writes the fields of one message. @throws TypeError when a value is not of its field's type */
export type MessageEncoder = (writer: Writer, message: Fields) => void;

/** A message by the names of its fields. */
type Fields = Readonly<Record<string, unknown>>;

/** Writes a value, without its tag. */
type ValueEncoder = (writer: Writer, value: unknown) => void;

interface Value {
  readonly wireType: typeof VARINT | typeof DELIMITED;
  readonly write: ValueEncoder;
  /** Whether the value is the one that is not sent. */
  readonly isZero: (value: unknown) => boolean;
}

const encoders = new Map<DescMessage, MessageEncoder | undefined>();

/**
 * The encoder of a message type.
 *
 * @returns undefined when the type has fields of a kind that is not written here, itself or further down
 */
export function encoderOf(desc: DescMessage): MessageEncoder | undefined {
  if (encoders.has(desc)) return encoders.get(desc);
  // A type that holds itself is given to the library.
  encoders.set(desc, undefined);
  const encoder = compile(desc);
  encoders.set(desc, encoder);
  return encoder;
}

/** A message by the names of its fields. */
export function fieldsOf(message: Message): Fields {
  return message;
}

function compile(desc: DescMessage): MessageEncoder | undefined {
  const members: MessageEncoder[] = [];
  for (const member of desc.members) {
    const encoder = member.kind === "oneof" ? oneof(member.localName, member.fields) : field(member);
    if (encoder === undefined) return undefined;
    members.push(encoder);
  }
  return (writer, message) => {
    for (const write of members) write(writer, message);
  };
}

function oneof(name: string, fields: readonly DescField[]): MessageEncoder | undefined {
  const cases = new Map<unknown, MessageEncoder>();
  for (const each of fields) {
    const value = singular(each);
    if (value === undefined) return undefined;
    cases.set(each.localName, tagged(each, value));
  }
  return (writer, message) => {
    const chosen = fieldsIn(message[name]);
    if (chosen["case"] !== undefined) cases.get(chosen["case"])?.(writer, chosen);
  };
  function tagged(each: DescField, { wireType, write }: Value): MessageEncoder {
    const tag = tagOf(each, wireType);
    return (writer, chosen) => {
      writer.varint(tag);
      write(writer, chosen["value"]);
    };
  }
}

function field(desc: DescField): MessageEncoder | undefined {
  if (desc.fieldKind === "list") return list(desc);
  if (desc.fieldKind === "map") return textMap(desc);
  const value = singular(desc);
  if (value === undefined) return undefined;
  const { localName } = desc;
  const { write, isZero } = value;
  const tag = tagOf(desc, value.wireType);
  const isAbsent = desc.presence === FeatureSet_FieldPresence.IMPLICIT ? isZero : isUndefined;
  return (writer, message) => {
    const present = message[localName];
    if (isAbsent(present)) return;
    writer.varint(tag);
    write(writer, present);
  };
}

function list(desc: DescField & { fieldKind: "list" }): MessageEncoder | undefined {
  const value = valueOf(desc);
  if (value === undefined) return undefined;
  const { localName } = desc;
  const { write, wireType } = value;
  const tag = tagOf(desc, desc.packed ? DELIMITED : wireType);
  const writeAll = (writer: Writer, items: readonly unknown[]): void => {
    for (const item of items) write(writer, item);
  };
  return (writer, message) => {
    const items = message[localName];
    if (!Array.isArray(items)) throw mistyped(desc);
    if (items.length === 0) return;
    if (desc.packed) {
      writer.varint(tag);
      writer.delimited(writeAll, items);
      return;
    }
    for (const item of items) {
      writer.varint(tag);
      write(writer, item);
    }
  };
}

function textMap(desc: DescField & { fieldKind: "map" }): MessageEncoder | undefined {
  if (desc.mapKey !== ScalarType.STRING || desc.scalar !== ScalarType.STRING) return undefined;
  const { localName } = desc;
  const tag = tagOf(desc, DELIMITED);
  const writeEntry = (writer: Writer, [key, value]: readonly [string, unknown]): void => {
    writer.varint((1 << 3) | DELIMITED);
    writer.text(key);
    writer.varint((2 << 3) | DELIMITED);
    TEXT.write(writer, value);
  };
  return (writer, message) => {
    for (const entry of Object.entries(fieldsIn(message[localName]))) {
      writer.varint(tag);
      writer.delimited(writeEntry, entry);
    }
  };
}

function singular(desc: DescField): Value | undefined {
  return desc.fieldKind === "list" || desc.fieldKind === "map" ? undefined : valueOf(desc);
}

function valueOf(desc: Exclude<DescField, { fieldKind: "map" }>): Value | undefined {
  if (desc.enum !== undefined) return ENUM;
  if (desc.message !== undefined) return nested(desc.message);
  // A 64-bit number may also be held as a string; ours are not.
  return desc.longAsString ? undefined : SCALARS.get(desc.scalar);
}

function nested(desc: DescMessage): Value | undefined {
  const write = desc.typeName === "google.protobuf.Struct" ? writeStruct : encoderOf(desc);
  if (write === undefined) return undefined;
  return {
    wireType: DELIMITED,
    write: (writer, value) => writer.delimited(write, fieldsIn(value)),
    isZero: isUndefined,
  };
}

const TEXT: Value = {
  wireType: DELIMITED,
  write: (writer, value) => {
    if (typeof value !== "string") throw new TypeError("expected a string");
    writer.text(value);
  },
  isZero: (value) => value === "",
};

const BOOL: Value = {
  wireType: VARINT,
  write: (writer, value) => writer.varint(value === true ? 1 : 0),
  isZero: (value) => value === false,
};

/** Enumerations, and whole numbers of 32 bits, which are written alike. */
const ENUM: Value = {
  wireType: VARINT,
  write: (writer, value) => {
    if (typeof value !== "number") throw new TypeError("expected a number");
    if (value >= 0) writer.varint(value);
    else writer.int64(BigInt(value));
  },
  isZero: (value) => value === 0,
};

const INT64: Value = {
  wireType: VARINT,
  write: (writer, value) => {
    if (typeof value !== "bigint") throw new TypeError("expected a bigint");
    writer.int64(value);
  },
  isZero: (value) => value === 0n,
};

const SCALARS: ReadonlyMap<ScalarType, Value> = new Map([
  [ScalarType.STRING, TEXT],
  [ScalarType.BOOL, BOOL],
  [ScalarType.INT32, ENUM],
  [ScalarType.INT64, INT64],
]);

function tagOf({ number }: DescField, wireType: number): number {
  return ((number << 3) | wireType) >>> 0;
}

function isUndefined(value: unknown): boolean {
  return value === undefined;
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null;
}

function fieldsIn(value: unknown): Fields {
  if (!isFields(value)) throw new TypeError("expected an object");
  return value;
}

function mistyped(desc: DescField): TypeError {
  return new TypeError(`${desc.toString()} has a value of another type`);
}
