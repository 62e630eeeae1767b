/** Calls of what is not there, or not in the way that gRPC is called; and calls that the gate refuses. */
import type { Case } from "../case.js";
import { envelope } from "../clients/raw.js";
import { ABSENT, message, pathOf } from "../service.js";
import { ask } from "./callers.js";
import { noteAbort } from "./handlers.js";

const PATHS: Readonly<Record<string, string>> = {
  "a service that is not there": "/lanes.v1.Nothing/Unary",
  "a method that is not there": pathOf("Nothing"),
  "a path that is not one": "/",
  "a path with one part": "/lanes.v1.Probe",
  "a path with a slash too many": `${pathOf("Unary")}/`,
  "a path of JavaScript's": "/__proto__",
};

const paths: readonly Case[] = Object.entries(PATHS).map(([name, path]): Case => ({
  name,
  kind: "Unary",
  path,
  code: "UNIMPLEMENTED",
  lines: 0,
}));

const NOT_GRPC = { "grpc-js": "it serves nothing but gRPC" };

const TYPES = [
  "application/grpc",
  "application/grpc+proto",
  "APPLICATION/GRPC",
  "application/grpc+json",
  "application/grpc+thrift",
  "application/grpc;charset=utf-8",
  "application/grpc-web+proto",
  "application/json",
  "application/proto",
  "text/plain",
  "",
];

const types: readonly Case[] = TYPES.map((type): Case => {
  const served = /^application\/grpc(\+proto)?$/i.test(type);
  return {
    name: `content type ${JSON.stringify(type)}`,
    kind: "Unary",
    headers: { "content-type": type },
    raw: async (call) => {
      await call.write(type.endsWith("json") ? jsonEnvelope() : envelope("hello"));
      call.end();
      await call.over();
      if (!served) call.reset(8);
    },
    code: served || type === "application/grpc+json" ? "OK" : undefined,
    lines: /grpc(\+proto|\+json|-web\+proto)?$/i.test(type) ? 1 : 0,
    except: NOT_GRPC,
  };
});

function jsonEnvelope(): Buffer {
  const text = Buffer.from('"aGVsbG8="');
  const head = Buffer.alloc(5);
  head.writeUInt32BE(text.length, 1);
  return Buffer.concat([head, text]);
}

const methods: readonly Case[] = ["GET", "PUT", "HEAD", "OPTIONS", "DELETE", "post"].map((method): Case => ({
  name: `HTTP method ${method}`,
  kind: "Unary",
  headers: { ":method": method },
  raw: async (call) => {
    if (method !== "HEAD") await call.write(envelope("hello"));
    call.end();
  },
  code: undefined,
  lines: 0,
  except: NOT_GRPC,
}));

const requests: readonly Case[] = [
  { name: "a query", kind: "Unary", path: `${pathOf("Unary")}?a=b`, raw: sendHello, code: "OK" },
  { name: "no te header", kind: "Unary", headers: { te: [] as readonly string[] }, raw: sendHello, code: "OK" },
  {
    name: "an authority that is none",
    kind: "Unary",
    headers: { ":authority": "", host: "there" },
    raw: sendHello,
    code: undefined,
    lines: 0,
  },
  {
    name: "what a handler is told of the call",
    kind: "Unary",
    headers: { ":authority": "there:1" },
    handle: (call) => {
      call.run.note(call.about());
      return message("told");
    },
    raw: sendHello,
    code: "OK",
    notes: ["POST http://there:1/lanes.v1.Probe/Unary lanes.v1.Probe Unary grpc"],
    except: { "grpc-js": "what a handler is told is its own" },
  },
  {
    name: "a stream without an implementation",
    kind: "Bidi",
    path: pathOf(ABSENT),
    raw: sendHello,
    code: "UNIMPLEMENTED",
  },
];

async function sendHello(call: { send(text: string): Promise<void>; end(): void }): Promise<void> {
  await call.send("hello");
  call.end();
}

const NO_GATE = { "grpc-js": "it has no gate" };

const gate: readonly Case[] = (["Unary", "ServerStream", "ClientStream", "Bidi"] as const).flatMap((kind): Case[] => [
  { name: `no key, ${kind}`, kind, settings: { apiKey: "secret" }, code: "UNAUTHENTICATED", except: NO_GATE },
  {
    name: `another key, ${kind}`,
    kind,
    settings: { apiKey: "secret" },
    headers: { authorization: "Bearer guess" },
    code: "UNAUTHENTICATED",
    except: NO_GATE,
  },
  {
    name: `the key, ${kind}`,
    kind,
    settings: { apiKey: "secret" },
    headers: { authorization: "Bearer secret" },
    code: "OK",
    except: NO_GATE,
  },
  {
    name: `a namespace that is none, ${kind}`,
    kind,
    headers: { "opscore-namespace": "a b" },
    code: "INVALID_ARGUMENT",
    except: NO_GATE,
  },
  {
    name: `a server that stops, ${kind}`,
    kind,
    control: (server) => {
      server.stop();
      return Promise.resolve();
    },
    code: "UNAVAILABLE",
    except: NO_GATE,
  },
  {
    name: `no place for another stream, ${kind}`,
    kind,
    settings: { maxStreams: 0 },
    code: kind === "Unary" ? "OK" : "RESOURCE_EXHAUSTED",
    except: NO_GATE,
  },
]);

/** GOAWAY in the middle of a call: the call ends as it would have, and then the connection. */
const shutdown: readonly Case[] = [
  {
    name: "a server that goes away during a call",
    kind: "Unary",
    handle: async (call) => {
      call.run.reach("begun");
      await call.run.when("drained");
      return message("last words");
    },
    control: async (server, run) => {
      await run.when("begun");
      server.drain();
      run.reach("drained");
    },
    code: "OK",
    answers: ["last words"],
  },
  {
    name: "a server that goes away during a stream",
    kind: "Bidi",
    handle: async function* (call) {
      for await (const each of call.messages) {
        call.run.reach("begun");
        await call.run.when("drained");
        yield each;
      }
    },
    control: async (server, run) => {
      await run.when("begun");
      server.drain();
      run.reach("drained");
    },
    call: async (call) => {
      await call.send("a");
      await call.next();
      await call.send("b");
      await call.next();
      call.end();
    },
    code: "OK",
    answers: ["a", "b"],
  },
  {
    name: "a server that goes away during a stream that nobody ends",
    kind: "ServerStream",
    handle: async function* (call) {
      yield await Promise.resolve(message("a"));
      call.run.reach("begun");
      await noteAbort(call);
    },
    control: async (server, run) => {
      await run.when("begun");
      server.drain();
    },
    raw: async (call) => {
      await ask(call);
      await call.next();
      await call.ping();
      await call.ping();
      call.reset(8);
    },
    reaches: "aborted",
    code: undefined,
  },
];

export const routes: readonly Case[] = [...paths, ...types, ...methods, ...requests, ...gate, ...shutdown].map(
  (each) => ({ ownWords: true, ...each }),
);
