/** What is written and read here is held against the library, for every message of the API and whatever may be in it. */
import {
  create,
  fromBinary,
  ScalarType,
  toBinary,
  type DescField,
  type DescMessage,
  type Message,
} from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { file_opscore_v1_agent_service } from "../../../gen/opscore/v1/agent_service_pb.js";
import { file_opscore_v1_common } from "../../../gen/opscore/v1/common_pb.js";
import { file_opscore_v1_session_service } from "../../../gen/opscore/v1/session_service_pb.js";
import {
  file_opscore_v1_state_service,
  SetStateRequestSchema,
  SetStateResponseSchema,
  WatchStateResponseSchema,
} from "../../../gen/opscore/v1/state_service_pb.js";
import { decodeUsual } from "../../../src/transport/grpc/wire/decoder.js";
import { encoderOf, fieldsOf } from "../../../src/transport/grpc/wire/encoder.js";
import { Writer } from "../../../src/transport/grpc/wire/writer.js";

const MESSAGES = [
  file_opscore_v1_common,
  file_opscore_v1_agent_service,
  file_opscore_v1_state_service,
  file_opscore_v1_session_service,
].flatMap(({ messages }) => messages);

const json = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: "small" },
    fc.constant(null),
    fc.boolean(),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.string({ unit: "binary" }),
    fc.array(tie("value"), { maxLength: 3 }),
    tie("object"),
  ),
  object: fc.dictionary(
    fc.string().filter((key) => key !== "__proto__"),
    tie("value"),
    { maxKeys: 3, noNullPrototype: true },
  ),
})).object;

const texts = fc.oneof(fc.string({ maxLength: 60 }), fc.string({ unit: "binary", maxLength: 300 }));
const longs = fc.oneof(fc.bigInt({ min: 0n, max: 1000n }), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }));
const ints = fc.oneof(fc.integer({ min: 0, max: 10 }), fc.integer());

const SCALARS: ReadonlyMap<ScalarType, fc.Arbitrary<unknown>> = new Map<ScalarType, fc.Arbitrary<unknown>>([
  [ScalarType.INT64, longs],
  [ScalarType.INT32, ints],
  [ScalarType.BOOL, fc.boolean()],
  [ScalarType.STRING, texts],
]);

function asTheLibrary(desc: DescMessage, bytes: Buffer): Message {
  return fromBinary(desc, bytes, { readUnknownFields: false });
}

/** A message without the fields that are undefined, in the messages in it too: the library leaves out what is not set. */
function withoutUnset(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutUnset);
  if (typeof value !== "object" || value === null) return value;
  const set = Object.entries(value).filter(([key, member]) => key === "case" || member !== undefined);
  return Object.fromEntries(set.map(([key, member]) => [key, withoutUnset(member)]));
}

/** Any message of a type. */
function anyMessage(desc: DescMessage): fc.Arbitrary<Message> {
  const shape: Record<string, fc.Arbitrary<unknown>> = {};
  for (const member of desc.members) {
    shape[member.localName] =
      member.kind === "oneof"
        ? fc.oneof(
            fc.constant({ case: undefined }),
            ...member.fields.map((field) => anyValue(field).map((value) => ({ case: field.localName, value }))),
          )
        : anyField(member);
  }
  return fc.record(shape, { requiredKeys: [] }).map((init) => create(desc, init));
}

function anyField(field: DescField): fc.Arbitrary<unknown> {
  if (field.fieldKind === "map")
    return fc.dictionary(
      texts.filter((key) => key !== "__proto__"),
      texts,
      { maxKeys: 4, noNullPrototype: true },
    );
  return field.fieldKind === "list" ? fc.array(anyValue(field), { maxLength: 4 }) : anyValue(field);
}

function anyValue(field: DescField): fc.Arbitrary<unknown> {
  if (field.fieldKind === "map") throw new Error("a map is no value");
  if (field.enum !== undefined) return ints;
  if (field.message?.typeName === "google.protobuf.Struct") return json;
  if (field.message !== undefined) return anyMessage(field.message);
  const scalar = SCALARS.get(field.scalar);
  if (scalar === undefined) throw new Error(`${field.toString()} is of a type that no test makes`);
  return scalar;
}

const writer = new Writer();

function encode(desc: DescMessage, message: Message): Buffer {
  writer.reset(0);
  encoderOf(desc)?.(writer, fieldsOf(message));
  return writer.copy();
}

describe.each(MESSAGES.map((desc) => ({ name: desc.name, desc })))("$name", ({ desc }) => {
  it("is written so that the library reads the same", () => {
    expect(encoderOf(desc)).toBeDefined();
    fc.assert(
      fc.property(anyMessage(desc), (message) => {
        const bytes = encode(desc, message);
        expect(fromBinary(desc, bytes)).toEqual(fromBinary(desc, toBinary(desc, message)));
      }),
    );
  });

  it("is read as the library reads it, or left to it", () => {
    fc.assert(
      fc.property(anyMessage(desc), (message) => {
        const bytes = Buffer.from(toBinary(desc, message));
        const usual = decodeUsual(desc, bytes);
        if (usual !== undefined) expect(withoutUnset(usual)).toStrictEqual(asTheLibrary(desc, bytes));
      }),
    );
  });

  it("is read as the library reads it, or left to it, when bytes are changed, cut or doubled", () => {
    fc.assert(
      fc.property(anyMessage(desc), fc.nat(), fc.nat({ max: 255 }), fc.nat({ max: 2 }), (message, at, byte, how) => {
        let bytes = Buffer.from(toBinary(desc, message));
        const place = bytes.length === 0 ? 0 : at % bytes.length;
        if (how === 0) bytes = bytes.subarray(0, place);
        else if (how === 1) bytes = Buffer.concat([bytes, bytes]);
        else if (bytes.length > 0) bytes[place] = byte;
        const usual = decodeUsual(desc, bytes);
        if (usual !== undefined) expect(withoutUnset(usual)).toStrictEqual(asTheLibrary(desc, bytes));
      }),
    );
  });
});

describe("the usual messages", () => {
  it("are not left to the library", () => {
    const report = create(SetStateRequestSchema, {
      agentId: "agent-1",
      state: 3,
      reason: "Ready",
      message: "at your service",
      incarnation: 7n,
      sequence: 123_456_789_012n,
      requestId: "r",
      expectedStates: [3, 4],
      reportTime: { seconds: 1_900_000_000n, nanos: 5 },
      waitForRegistration: { seconds: 1n },
    });
    const bytes = Buffer.from(toBinary(SetStateRequestSchema, report));
    expect(withoutUnset(decodeUsual(SetStateRequestSchema, bytes))).toStrictEqual(report);
    expect(encoderOf(SetStateResponseSchema)).toBeDefined();
    expect(encoderOf(WatchStateResponseSchema)).toBeDefined();
  });

  it("may be longer than what the writer began with", () => {
    const message = "ä".repeat(300_000);
    const response = create(SetStateResponseSchema, { state: { message, details: { text: message } } });
    expect(fromBinary(SetStateResponseSchema, encode(SetStateResponseSchema, response))).toEqual(response);
  });
});
