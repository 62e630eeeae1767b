/** Length-prefixed messages, right and wrong. */
import { gzipSync } from "node:zlib";
import type { Case, RawCalling } from "../case.js";
import { envelope } from "../clients/raw.js";
import { encode, message } from "../service.js";
import { ask } from "./callers.js";
import { sendSplit } from "./sizes.js";

const KINDS = ["Unary", "ServerStream", "ClientStream", "Bidi"] as const;

function send(...pieces: readonly Uint8Array[]) {
  return async (call: RawCalling): Promise<void> => {
    for (const piece of pieces) {
      await call.write(piece);
      await call.ping();
    }
    call.end();
  };
}

/** Sends pieces, and does not say that this was all until there is an answer. */
function sendOpen(...pieces: readonly Uint8Array[]) {
  return async (call: RawCalling): Promise<void> => {
    for (const piece of pieces) {
      await call.write(piece);
      await call.ping();
    }
    await call.over();
  };
}

const hello = envelope("hello");
const several = Buffer.concat([hello, envelope(""), envelope("x".repeat(300)), envelope("again")]);
const garbage = Buffer.concat([Buffer.from([0, 0, 0, 0, 4]), Buffer.from("0a7f6161", "hex")]);

function compressed(): Buffer {
  const body = gzipSync(encode(message("squeezed")));
  const head = Buffer.alloc(5);
  head.writeUInt8(1, 0);
  head.writeUInt32BE(body.length, 1);
  return Buffer.concat([head, body]);
}

const right: readonly Case[] = [
  ...KINDS.map((kind): Case => ({
    name: `byte by byte, ${kind}`,
    kind,
    raw: sendSplit(hello, 1),
    code: "OK",
    answers: ["hello"],
  })),
  ...[1, 2, 3, 4, 5, 6, 7, 11, 12, 13, 100, 1000].map((size): Case => ({
    name: `several messages in pieces of ${size}`,
    kind: "Bidi",
    raw: sendSplit(several, size),
    code: "OK",
    answers: ["hello", "", "x".repeat(300), "again"],
  })),
  {
    name: "a thousand messages in one piece",
    kind: "ClientStream",
    raw: send(Buffer.concat(Array.from({ length: 1000 }, (_, i) => envelope(`${i},`)))),
    code: "OK",
  },
  {
    name: "many empty messages in one piece",
    kind: "Bidi",
    raw: send(Buffer.alloc(5 * 1000)),
    code: "OK",
    answers: Array.from({ length: 1000 }, () => ""),
  },
  { name: "an empty frame before the message", kind: "Unary", raw: send(Buffer.alloc(0), hello), code: "OK" },
  { name: "an empty frame after the message", kind: "Unary", raw: send(hello, Buffer.alloc(0)), code: "OK" },
  {
    name: "fields that nobody knows",
    kind: "Unary",
    raw: send(Buffer.concat([Buffer.from([0, 0, 0, 0, 5]), Buffer.from("0a01617a00", "hex")])),
    code: "OK",
    answers: ["a"],
  },
  {
    name: "trailers of the client",
    kind: "Unary",
    raw: async (call) => {
      await ask(call);
    },
    headers: { trailer: "x-last" },
    code: "OK",
  },
];

const single: readonly Case[] = (["Unary", "ServerStream"] as const).flatMap((kind): Case[] => [
  { name: `no message, ${kind}`, kind, raw: send(), code: "UNIMPLEMENTED" },
  { name: `two messages in one piece, ${kind}`, kind, raw: send(Buffer.concat([hello, hello])), code: "UNIMPLEMENTED" },
  { name: `two messages in two pieces, ${kind}`, kind, raw: send(hello, hello), code: "UNIMPLEMENTED" },
  { name: `a second message, empty, ${kind}`, kind, raw: send(hello, envelope("")), code: "UNIMPLEMENTED" },
  {
    name: `a second message of which half comes, ${kind}`,
    kind,
    raw: send(hello, hello.subarray(0, 7)),
    code: "INVALID_ARGUMENT",
  },
  {
    name: `a second message of which the client says no end, ${kind}`,
    kind,
    raw: sendOpen(hello, hello),
    code: "UNIMPLEMENTED",
  },
]);

const wrong: readonly Case[] = KINDS.flatMap((kind): Case[] => [
  { name: `half a header, ${kind}`, kind, raw: send(hello.subarray(0, 3)), code: "INVALID_ARGUMENT" },
  { name: `a header without its message, ${kind}`, kind, raw: send(hello.subarray(0, 5)), code: "INVALID_ARGUMENT" },
  { name: `half a message, ${kind}`, kind, raw: send(hello.subarray(0, 8)), code: "INVALID_ARGUMENT" },
  { name: `unreadable bytes, ${kind}`, kind, raw: send(garbage), code: "INTERNAL" },
  {
    name: `unreadable bytes, and no end, ${kind}`,
    kind,
    raw: sendOpen(garbage),
    code: kind === "Unary" || kind === "ServerStream" ? undefined : "INTERNAL",
  },
  { name: `compressed without a compression, ${kind}`, kind, raw: send(envelope("hello", 1)), code: "INTERNAL" },
  {
    name: `compressed with the identity, ${kind}`,
    kind,
    headers: { "grpc-encoding": "identity" },
    raw: send(envelope("hello", 1)),
    code: "INTERNAL",
  },
  { name: `unknown flags, ${kind}`, kind, raw: send(envelope("hello", 2)), code: "INTERNAL" },
  { name: `the flag of gRPC-Web's trailers, ${kind}`, kind, raw: send(envelope("hello", 0x80)), code: "INTERNAL" },
]).filter(({ code }) => code !== undefined);

const later: readonly Case[] = [
  {
    name: "unreadable bytes after messages",
    kind: "Bidi",
    raw: send(Buffer.concat([hello, garbage, hello])),
    code: "INTERNAL",
    answers: ["hello"],
  },
  {
    name: "unknown flags after messages",
    kind: "Bidi",
    raw: send(Buffer.concat([hello, envelope("x", 0x42)])),
    code: "INTERNAL",
    answers: ["hello"],
  },
  {
    name: "half a message after messages",
    kind: "Bidi",
    raw: send(Buffer.concat([hello, hello.subarray(0, 6)])),
    code: "INVALID_ARGUMENT",
    answers: ["hello"],
  },
];

const compression: readonly Case[] = [
  ...KINDS.map((kind): Case => ({
    name: `gzip, ${kind}`,
    kind,
    headers: { "grpc-encoding": "gzip" },
    raw: send(compressed()),
    code: "OK",
  })),
  {
    name: "gzip, announced and not used",
    kind: "Unary",
    headers: { "grpc-encoding": "gzip" },
    raw: send(hello),
    code: "OK",
  },
  {
    name: "the identity",
    kind: "Unary",
    headers: { "grpc-encoding": "identity" },
    raw: send(hello),
    code: "OK",
  },
  {
    name: "a compression that nobody knows",
    kind: "Unary",
    headers: { "grpc-encoding": "snappy" },
    raw: send(hello),
    code: "UNIMPLEMENTED",
  },
  {
    name: "a client that would take compressed answers",
    kind: "Unary",
    headers: { "grpc-accept-encoding": "gzip" },
    raw: send(hello),
    code: "OK",
    answers: ["hello"],
  },
];

export const envelopes: readonly Case[] = [...right, ...single, ...wrong, ...later, ...compression].map((each) => ({
  ownWords: true,
  ...each,
}));
