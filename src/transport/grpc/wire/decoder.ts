/**
 * Decoders that are put together once for a message type. They read what well-made clients send; as soon as anything is unusual
 * (an unknown field, a field twice, text beyond ASCII, a number out of range, bytes that end early) they give up, and the
 * library reads the message from the start and is the judge of it.
 */
import { create, ScalarType, type DescField, type DescMessage, type Message } from "@bufbuild/protobuf";
import { isUnusual, Reader } from "./reader.js";

const VARINT = 0;
const DELIMITED = 2;
const MAX_INT32 = 0x7fff_ffff;

/** Copied for each list: where `[]` stood, V8 put the lists of all requests into the old generation once many watches had theirs. */
const NO_ITEMS: readonly unknown[] = [];

type Fields = Record<string, unknown>;

interface FieldDecoder {
  readonly tag: number;
  /** Puts what is at the reader's place into the message. */
  readonly read: (reader: Reader, message: Fields) => void;
}

interface Value {
  readonly wireType: typeof VARINT | typeof DELIMITED;
  readonly read: (reader: Reader) => unknown;
}

/** Reads the fields of one message up to the reader's end. */
type Decode = (reader: Reader) => Message;

const decoders = new Map<DescMessage, Decode | undefined>();

/**
 * Reads a message, if it is a usual one.
 *
 * @returns undefined when the library should read it
 */
export function decodeUsual(desc: DescMessage, bytes: Buffer): Message | undefined {
  const decode = decoderOf(desc);
  if (decode === undefined) return undefined;
  try {
    return decode(new Reader(bytes, bytes.length));
  } catch (thrown) {
    if (isUnusual(thrown)) return undefined;
    throw thrown;
  }
}

/** @returns undefined when the type has no field that is read here */
function decoderOf(desc: DescMessage): Decode | undefined {
  if (decoders.has(desc)) return decoders.get(desc);
  decoders.set(desc, undefined);
  const decode = compile(desc);
  decoders.set(desc, decode);
  return decode;
}

function compile(desc: DescMessage): Decode | undefined {
  const empty = create(desc);
  // A type with defaults of its own has them in a prototype, and a oneof has no field of its own; the library knows how.
  if (Object.getPrototypeOf(empty) !== Object.prototype || desc.oneofs.length > 0) {
    return undefined;
  }
  const byNumber: (FieldDecoder | undefined)[] = [];
  for (const field of desc.fields) byNumber[field.number] = fieldDecoder(field);
  // A field that a message got only while it is read would give each message a layout of its own.
  const blank: Message & Fields = { ...empty };
  for (const { localName } of desc.fields) if (!(localName in blank)) blank[localName] = undefined;
  const collections = desc.fields.filter(({ fieldKind }) => fieldKind === "list" || fieldKind === "map");
  return (reader) => {
    const message: Message & Fields = { ...blank };
    for (const { localName, fieldKind } of collections)
      message[localName] = fieldKind === "list" ? NO_ITEMS.slice() : {};
    while (!reader.atEnd) {
      const tag = reader.varint();
      const field = byNumber[tag >>> 3];
      if (field?.tag !== tag) return reader.giveUp();
      field.read(reader, message);
    }
    return message;
  };
}

/** @returns undefined for a field that is not read here; a message that has it is unusual */
function fieldDecoder(desc: DescField): FieldDecoder | undefined {
  if (desc.fieldKind === "map") return textMap(desc);
  const value = valueOf(desc);
  if (value === undefined) return undefined;
  const { localName } = desc;
  const { read } = value;
  if (desc.fieldKind === "list") return list(desc, value);
  const isMessage = desc.fieldKind === "message";
  return {
    tag: tagOf(desc, value.wireType),
    read: (reader, message) => {
      // A message that comes twice is merged; the last of other values counts, also here.
      if (isMessage && message[localName] !== undefined) reader.giveUp();
      message[localName] = read(reader);
    },
  };
}

function list(desc: DescField & { fieldKind: "list" }, { wireType, read }: Value): FieldDecoder {
  const { localName, packed } = desc;
  return {
    tag: tagOf(desc, packed ? DELIMITED : wireType),
    read: (reader, message) => {
      const items = message[localName];
      if (!Array.isArray(items)) return reader.giveUp();
      if (!packed) {
        items.push(read(reader));
        return;
      }
      within(reader, () => {
        while (!reader.atEnd) items.push(read(reader));
      });
    },
  };
}

function textMap(desc: DescField & { fieldKind: "map" }): FieldDecoder | undefined {
  if (desc.mapKey !== ScalarType.STRING || desc.scalar !== ScalarType.STRING) return undefined;
  const { localName } = desc;
  return {
    tag: tagOf(desc, DELIMITED),
    read: (reader, message) => {
      const entries = message[localName];
      if (!isFields(entries)) return reader.giveUp();
      within(reader, () => {
        if (reader.varint() !== ((1 << 3) | DELIMITED)) reader.giveUp();
        const key = reader.text();
        if (key === "__proto__" || reader.varint() !== ((2 << 3) | DELIMITED)) reader.giveUp();
        entries[key] = reader.text();
        if (!reader.atEnd) reader.giveUp();
      });
    },
  };
}

function valueOf(desc: Exclude<DescField, { fieldKind: "map" }>): Value | undefined {
  if (desc.enum !== undefined) return INT32;
  if (desc.message !== undefined) return nested(desc.message);
  return desc.longAsString ? undefined : SCALARS.get(desc.scalar);
}

function nested(desc: DescMessage): Value | undefined {
  // Fields of this type hold JSON, not a message.
  if (desc.typeName === "google.protobuf.Struct") return undefined;
  const decode = decoderOf(desc);
  if (decode === undefined) return undefined;
  return { wireType: DELIMITED, read: (reader) => within(reader, () => decode(reader)) };
}

/** Reads something with its length before it, which must end where it says. */
function within<T>(reader: Reader, read: () => T): T {
  const outer = reader.end;
  reader.end = reader.limit();
  const value = read();
  reader.end = outer;
  return value;
}

const INT32: Value = {
  wireType: VARINT,
  read: (reader) => {
    const value = reader.varint();
    return value <= MAX_INT32 ? value : reader.giveUp();
  },
};

const SCALARS: ReadonlyMap<ScalarType, Value> = new Map<ScalarType, Value>([
  [ScalarType.STRING, { wireType: DELIMITED, read: (reader) => reader.text() }],
  [ScalarType.BOOL, { wireType: VARINT, read: (reader) => reader.varint() !== 0 }],
  [ScalarType.INT32, INT32],
  [ScalarType.INT64, { wireType: VARINT, read: (reader) => BigInt(reader.varint()) }],
]);

function tagOf({ number }: DescField, wireType: number): number {
  return ((number << 3) | wireType) >>> 0;
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null;
}
