/** Clients that cancel or are slow, and handlers that come too late. */
import { Code, ConnectError } from "@connectrpc/connect";
import type { Case, CommonCase, RawCase } from "../case.js";
import { message } from "../service.js";
import { ask, askWithoutReading } from "./callers.js";
import { begunAndAborted, ListSource, noteAbort, pushed, several } from "./handlers.js";
import { leaving } from "./leaving.js";

const CANCEL = 8;

const byClients: readonly CommonCase[] = [
  {
    name: "a client cancels a unary call",
    kind: "Unary",
    handle: async (call) => {
      await begunAndAborted(call);
      return message("nobody hears");
    },
    call: async (call) => {
      await ask(call);
      await call.run.when("begun");
      call.cancel();
    },
    reaches: "aborted",
    code: "CANCELLED",
  },
  {
    name: "a client cancels a server stream",
    kind: "ServerStream",
    handle: async function* (call) {
      yield await Promise.resolve(message("a"));
      await noteAbort(call);
    },
    call: async (call) => {
      await ask(call);
      await call.next();
      call.cancel();
    },
    reaches: "aborted",
    code: "CANCELLED",
    answers: ["a"],
  },
  {
    name: "a client cancels bidi",
    kind: "Bidi",
    handle: async function* (call) {
      yield* call.messages;
    },
    call: async (call) => {
      await call.send("a");
      await call.next();
      call.cancel();
    },
    code: "CANCELLED",
    answers: ["a"],
  },
];

const tooLate: readonly RawCase[] = [
  {
    name: "a client cancels what is answered already",
    kind: "Unary",
    raw: async (call) => {
      await ask(call);
      await call.over();
      call.reset(CANCEL);
    },
    code: "OK",
    answers: ["hello"],
  },
  {
    name: "a client vanishes when it has its answer",
    kind: "Unary",
    raw: async (call) => {
      await ask(call);
      await call.over();
      call.vanish();
    },
    code: "OK",
    answers: ["hello"],
  },
  {
    name: "a client cancels what failed while it was sending",
    kind: "ClientStream",
    handle: () => {
      throw new ConnectError("no", Code.NotFound);
    },
    raw: async (call) => {
      await call.send("hello");
      await call.over();
      call.reset(CANCEL);
    },
    code: "NOT_FOUND",
  },
];

const slow: readonly Case[] = [
  {
    name: "a client that reads slowly",
    kind: "ServerStream",
    windowBytes: 20_000,
    handle: () => several(...Array.from({ length: 60 }, (_, i) => `${i} `.repeat(4000))),
    raw: async (call) => {
      await askWithoutReading(call);
      call.resume();
    },
    code: "OK",
  },
  {
    name: "a client that reads a pushed stream slowly",
    kind: "ServerStream",
    windowBytes: 20_000,
    handle: (call) => pushed(call, new ListSource(Array.from({ length: 60 }, (_, i) => `${i} `.repeat(4000)))),
    raw: async (call) => {
      await askWithoutReading(call);
      call.resume();
    },
    code: "OK",
  },
  {
    name: "a client that reads slowly what fails in the end",
    kind: "ServerStream",
    windowBytes: 20_000,
    handle: (call) =>
      pushed(
        call,
        new ListSource(
          Array.from({ length: 20 }, (_, i) => `${i} `.repeat(4000)),
          { failure: new TypeError("in the end") },
        ),
      ),
    raw: async (call) => {
      await askWithoutReading(call);
      call.resume();
    },
    code: "INTERNAL",
    lines: 2,
    except: { "grpc-js": "our defects are ours" },
  },
  {
    name: "a slow client, with an answer while it is still sending",
    kind: "ClientStream",
    windowBytes: 1000,
    handle: () => message("early ".repeat(2000)),
    raw: async (call) => {
      call.pause();
      await call.send("one");
      for (let times = 0; times < 5; times++) await call.ping();
      call.resume();
    },
    code: "OK",
    answers: ["early ".repeat(2000)],
  },
  {
    name: "a handler that reads slowly",
    kind: "Bidi",
    handle: async function* (call) {
      yield message("begun");
      await call.run.when("sent");
      yield* call.messages;
    },
    raw: async (call) => {
      await call.next();
      for (let i = 0; i < 3000; i++) void call.send(`${i}`);
      call.end();
      await call.ping();
      call.run.reach("sent");
    },
    code: "OK",
    answers: ["begun", ...Array.from({ length: 3000 }, (_, i) => `${i}`)],
  },
  {
    name: "a handler that reads large messages slowly",
    kind: "ClientStream",
    handle: async (call) => {
      await call.run.when("sent");
      let bytes = 0;
      for await (const { value } of call.messages) bytes += value.length;
      return message(`${bytes} bytes`);
    },
    raw: async (call) => {
      for (let i = 0; i < 8; i++) void call.send("l".repeat(1_000_000));
      call.end();
      for (let times = 0; times < 5; times++) await call.ping();
      call.run.reach("sent");
    },
    code: "OK",
    answers: ["8000000 bytes"],
  },
];

/** What a handler is told there is not its server's doing but the test's. */
const NOBODY_LOOKS = { "grpc-js": "a client that has left sees nothing of its server" };

export const endings: readonly Case[] = [
  ...leaving.map((each) => ({ ...each, except: NOBODY_LOOKS })),
  ...tooLate,
  ...byClients.map((each) => ({ ...each, except: NOBODY_LOOKS })),
  ...slow,
];
