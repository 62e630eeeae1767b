/** Calls that go well. */
import type { Case } from "../case.js";
import { message, textOf } from "../service.js";
import { later, ListSource, pushed, readAll, several } from "./handlers.js";

const MIB = 1024 * 1024;
const LARGEST = "x".repeat(4 * MIB - 16);
const MANY = Array.from({ length: 2000 }, (_, i) => `answer ${i}`);

export const plain: readonly Case[] = [
  { name: "unary, answered at once", kind: "Unary", code: "OK", answers: ["hello"] },
  { name: "unary, answered later", kind: "Unary", handle: () => later("later"), code: "OK", answers: ["later"] },
  {
    name: "unary, empty both ways",
    kind: "Unary",
    call: async (call) => {
      await call.send("");
      call.end();
    },
    code: "OK",
    answers: [""],
  },
  {
    name: "unary, nearly 4 MiB both ways",
    kind: "Unary",
    call: async (call) => {
      await call.send(LARGEST);
      call.end();
    },
    code: "OK",
  },
  {
    name: "unary, every byte",
    kind: "Unary",
    call: async (call) => {
      await call.send(Uint8Array.from({ length: 256 }, (_, i) => i));
      call.end();
    },
    code: "OK",
  },
  {
    name: "a message that is kept stays as it was",
    kind: "Bidi",
    handle: async function* (call) {
      const kept = [];
      for await (const each of call.messages) kept.push(each);
      for (const each of kept) yield await Promise.resolve(message(textOf(each)));
    },
    call: async (call) => {
      for (let i = 0; i < 50; i++) await call.send(`message ${i} ${"-".repeat(i * 100)}`);
      call.end();
    },
    code: "OK",
  },
  { name: "a server stream", kind: "ServerStream", handle: () => several("a", "b", "c"), code: "OK" },
  { name: "a server stream without answers", kind: "ServerStream", handle: () => several(), code: "OK", answers: [] },
  { name: "a server stream of 2,000", kind: "ServerStream", handle: () => several(...MANY), code: "OK", answers: MANY },
  {
    name: "a server stream of large answers",
    kind: "ServerStream",
    handle: () => several(...Array.from({ length: 12 }, () => "y".repeat(MIB))),
    code: "OK",
  },
  {
    name: "a pushed stream",
    kind: "ServerStream",
    handle: (call) => pushed(call, new ListSource(["a", "b", "c"])),
    code: "OK",
    answers: ["a", "b", "c"],
  },
  {
    name: "a pushed stream of 2,000",
    kind: "ServerStream",
    handle: (call) => pushed(call, new ListSource([...MANY])),
    code: "OK",
    answers: MANY,
  },
  {
    name: "a pushed stream without answers",
    kind: "ServerStream",
    handle: (call) => pushed(call, new ListSource([])),
    code: "OK",
    answers: [],
  },
  {
    name: "a pushed stream of large answers",
    kind: "ServerStream",
    handle: (call) => pushed(call, new ListSource(Array.from({ length: 12 }, () => "y".repeat(MIB)))),
    code: "OK",
  },
  { name: "a client stream", kind: "ClientStream", code: "OK", answers: ["helloagain"] },
  {
    name: "a client stream without messages",
    kind: "ClientStream",
    call: (call) => {
      call.end();
      return Promise.resolve();
    },
    code: "OK",
    answers: [""],
  },
  {
    name: "a client stream of 2,000",
    kind: "ClientStream",
    handle: async (call) => {
      const texts = await readAll(call);
      return message(`${texts.length} ${texts.join() === MANY.join() ? "in order" : "out of order"}`);
    },
    call: async (call) => {
      for (const text of MANY) await call.send(text);
      call.end();
    },
    code: "OK",
    answers: ["2000 in order"],
  },
  {
    name: "a client stream that is answered before it ends",
    kind: "ClientStream",
    handle: async (call) => {
      for await (const first of call.messages) return message(`had enough of ${textOf(first)}`);
      return message("nothing");
    },
    call: async (call) => {
      await call.send("one");
      await call.next();
      call.end();
    },
    code: "OK",
    answers: ["had enough of one"],
  },
  { name: "bidi", kind: "Bidi", code: "OK", answers: ["hello", "again"] },
  {
    name: "bidi, one by one",
    kind: "Bidi",
    call: async (call) => {
      for (const text of ["a", "b", "c"]) {
        await call.send(text);
        call.run.note(`got ${String(await call.next())}`);
      }
      call.end();
    },
    code: "OK",
    notes: ["got a", "got b", "got c"],
  },
  {
    name: "bidi, answered after the client has finished",
    kind: "Bidi",
    handle: async function* (call) {
      const texts = await readAll(call);
      yield message(String(texts.length));
      yield* texts.map(message);
    },
    code: "OK",
    answers: ["2", "hello", "again"],
  },
  {
    name: "bidi, answered before the client has said anything",
    kind: "Bidi",
    handle: async function* (call) {
      yield message("welcome");
      yield* call.messages;
    },
    call: async (call) => {
      call.run.note(`got ${String(await call.next())}`);
      await call.send("thanks");
      call.end();
    },
    code: "OK",
    notes: ["got welcome"],
    answers: ["welcome", "thanks"],
  },
  {
    name: "bidi, whose handler ends first",
    kind: "Bidi",
    handle: async function* (call) {
      for await (const first of call.messages) {
        yield first;
        return;
      }
    },
    call: async (call) => {
      await call.send("one");
      while ((await call.next()) !== undefined);
      call.end();
    },
    code: "OK",
    answers: ["one"],
  },
  {
    name: "bidi, whose handler never reads",
    kind: "Bidi",
    handle: () => several("done"),
    call: async (call) => {
      while ((await call.next()) !== undefined);
      call.end();
    },
    code: "OK",
    answers: ["done"],
  },
  {
    name: "bidi by push",
    kind: "Bidi",
    handle: (call) => pushed(call, new ListSource(["a", "b"])),
    code: "OK",
    answers: ["a", "b"],
  },
  {
    name: "an answer that is only the shape of a message",
    kind: "Unary",
    // What a handler may return by its type, however it is made.
    handle: () => ({ value: Buffer.from("bare") }) as unknown as ReturnType<typeof message>,
    code: "OK",
    answers: ["bare"],
    except: { "grpc-js": "what it encodes is the test's own" },
  },
];
