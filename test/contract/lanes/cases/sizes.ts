/** The limit of a message's size. */
import type { Case, RawCalling } from "../case.js";
import { envelope } from "../clients/raw.js";
import { readAll } from "./handlers.js";
import { message } from "../service.js";

const LIMIT = 4096;
const settings = { maxRequestBytes: LIMIT };
/** Field number and length take three bytes of a message of this size. */
const LARGEST = "x".repeat(LIMIT - 3);

function sendWhole(bytes: Buffer) {
  return async (call: RawCalling): Promise<void> => {
    await call.write(bytes);
    call.end();
  };
}

/** Bytes in pieces, each on its way before the next. */
export function sendSplit(bytes: Buffer, pieceBytes: number) {
  return async (call: RawCalling): Promise<void> => {
    for (let at = 0; at < bytes.length; at += pieceBytes) {
      await call.write(bytes.subarray(at, at + pieceBytes));
      await call.ping();
    }
    call.end();
  };
}

const cases: readonly Case[] = [
  {
    name: "a message of the largest size",
    kind: "Unary",
    settings,
    call: async (call) => {
      await call.send(LARGEST);
      call.end();
    },
    code: "OK",
  },
  {
    name: "a message one byte too large",
    kind: "Unary",
    settings,
    call: async (call) => {
      await call.send(`${LARGEST}x`);
      call.end();
    },
    code: "RESOURCE_EXHAUSTED",
    lines: 1,
  },
  ...(["Unary", "ServerStream", "ClientStream", "Bidi"] as const).flatMap((kind): Case[] => [
    {
      name: `too large, in one piece, ${kind}`,
      kind,
      settings,
      raw: sendWhole(envelope("x".repeat(3 * LIMIT))),
      code: "RESOURCE_EXHAUSTED",
    },
    {
      name: `too large, in pieces, ${kind}`,
      kind,
      settings,
      raw: sendSplit(envelope("x".repeat(3 * LIMIT)), 1000),
      code: "RESOURCE_EXHAUSTED",
    },
    {
      name: `too large by its own account, with nothing behind it, ${kind}`,
      kind,
      settings,
      raw: async (call) => {
        await call.write(envelope("", 0, 0xffff_ffff));
        await call.over();
      },
      code: "RESOURCE_EXHAUSTED",
    },
    {
      name: `larger than it says, ${kind}`,
      kind,
      settings,
      raw: sendWhole(envelope("x".repeat(100), 0, 10)),
      code: kind === "Unary" || kind === "ServerStream" ? "INTERNAL" : "INTERNAL",
    },
    {
      name: `smaller than it says, ${kind}`,
      kind,
      settings,
      raw: sendWhole(envelope("x".repeat(100), 0, 200)),
      code: "INVALID_ARGUMENT",
    },
  ]),
  {
    name: "too large after messages that were not",
    kind: "Bidi",
    settings,
    raw: sendWhole(Buffer.concat([envelope("a"), envelope("b"), envelope("x".repeat(2 * LIMIT)), envelope("c")])),
    code: "RESOURCE_EXHAUSTED",
    answers: ["a", "b"],
  },
  {
    name: "too large, to a handler that goes on",
    kind: "ClientStream",
    settings,
    handle: async (call) => {
      try {
        await readAll(call);
      } catch {
        call.run.note("failed");
      }
      return message("all the same");
    },
    raw: sendWhole(Buffer.concat([envelope("a"), envelope("x".repeat(2 * LIMIT))])),
    code: "OK",
    notes: ["failed"],
    answers: ["all the same"],
  },
];

export const sizes: readonly Case[] = cases.map((each) => ({ ownWords: true, ...each }));
