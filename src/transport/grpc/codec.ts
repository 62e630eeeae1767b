import { create, fromBinary, ScalarType, toBinary, type DescMessage, type Message } from "@bufbuild/protobuf";
import { Code, ConnectError, type MethodImplSpec } from "@connectrpc/connect";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { messageOf } from "../../lib/failure-text.js";
import { ENVELOPE_HEADER_BYTES, fillHeader, wrap } from "./envelope.js";
import { decodeUsual } from "./wire/decoder.js";
import { encoderOf, fieldsOf, type MessageEncoder } from "./wire/encoder.js";
import { Writer } from "./wire/writer.js";

const READ_OPTIONS = { readUnknownFields: false };
/** One for all: a message is written in one go. */
const writer = new Writer();

/** Reads the requests and writes the answers of one method. */
export class Codec {
  private readonly input: DescMessage;
  private readonly output: DescMessage;
  private readonly copies: boolean;
  private readonly encoder: MessageEncoder | undefined;

  constructor({ method }: MethodImplSpec) {
    this.input = method.input;
    this.output = method.output;
    this.copies = holdsBytes(method.input, new Set());
    this.encoder = encoderOf(method.output);
  }

  /** @throws ConnectError INTERNAL, as gRPC answers what it cannot parse */
  decode(bytes: Buffer): Message {
    const usual = decodeUsual(this.input, bytes);
    if (usual !== undefined) return usual;
    try {
      // A decoded `bytes` field is a view of what it was decoded from, which belongs to the connection.
      return fromBinary(this.input, this.copies ? Uint8Array.from(bytes) : bytes, READ_OPTIONS);
    } catch (thrown) {
      throw new ConnectError(`parse binary: ${messageOf(thrown)}`, Code.Internal, undefined, undefined, thrown);
    }
  }

  /** An answer in its envelope. */
  encode(answer: MessageInitShape<DescMessage>): Buffer {
    const message = isMessage(answer, this.output) ? answer : create(this.output, answer);
    if (this.encoder === undefined) return wrap(toBinary(this.output, message));
    writer.reset(ENVELOPE_HEADER_BYTES);
    this.encoder(writer, fieldsOf(message));
    return fillHeader(writer.copy());
  }

  /**
   * The same for an answer that many streams get: it is encoded for the first, and every other is given the same bytes as long as
   * the message lives. Messages are not changed once they are handed out.
   */
  encodeShared(answer: Message): Buffer {
    // Many watchers in a row get the same one.
    if (answer === lastMessage) return lastEnvelope;
    let envelope = envelopes.get(answer);
    if (envelope === undefined) {
      envelope = this.encode(answer);
      envelopes.set(answer, envelope);
    }
    lastMessage = answer;
    lastEnvelope = envelope;
    return envelope;
  }
}

const envelopes = new WeakMap<Message, Buffer>();
let lastMessage: Message | undefined;
let lastEnvelope: Buffer = Buffer.alloc(0);

function isMessage(answer: MessageInitShape<DescMessage>, desc: DescMessage): answer is Message {
  return "$typeName" in answer && answer["$typeName"] === desc.typeName;
}

function holdsBytes(desc: DescMessage, seen: Set<DescMessage>): boolean {
  if (seen.has(desc)) return false;
  seen.add(desc);
  return desc.fields.some((field) => {
    if (field.message !== undefined) return holdsBytes(field.message, seen);
    return field.fieldKind !== "enum" && "scalar" in field && field.scalar === ScalarType.BYTES;
  });
}
