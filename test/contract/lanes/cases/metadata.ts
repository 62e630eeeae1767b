/** Metadata, both ways. */
import { Code, ConnectError } from "@connectrpc/connect";
import type { Case, Served } from "../case.js";
import { message } from "../service.js";
import { ask } from "./callers.js";
import { several } from "./handlers.js";

const BINARY = Buffer.from([0, 1, 2, 0xfe, 0xff, 0x80]).toString("base64").replace(/=+$/, "");

const UNCAUGHT = "Node throws where nothing catches it";

/** Answers with what the handler sees of some headers. */
function tell(...names: readonly string[]) {
  return (call: Served) => {
    return message(names.map((name) => `${name}: ${call.header(name) ?? "none"}`).join("\n"));
  };
}

function decorate(call: Served): void {
  call.setHeader("x-head", "h");
  call.addHeader("x-many", "1");
  call.addHeader("x-many", "2");
  call.setHeader("x-head-bin", BINARY);
  call.setTrailer("x-trail", "t");
  call.addTrailer("x-several", "1");
  call.addTrailer("x-several", "2");
  call.setTrailer("x-trail-bin", BINARY);
}

function failing(): ConnectError {
  return new ConnectError("no", Code.Aborted, { "x-error": "e", "x-trail": "from the error", "x-error-bin": BINARY });
}

const fromClient: readonly Case[] = [
  {
    name: "headers of the client",
    kind: "Unary",
    headers: { "x-one": "1", "x-two": "a, b", "x-long": "v".repeat(6000), "x-blank": "a  b" },
    handle: tell("x-one", "x-two", "x-long", "x-blank", "x-none"),
    code: "OK",
    answers: [["x-one: 1", "x-two: a, b", `x-long: ${"v".repeat(6000)}`, "x-blank: a  b", "x-none: none"].join("\n")],
  },
  {
    name: "a header of the client with several values",
    kind: "Unary",
    headers: { "x-several": ["a", "b", "c"] },
    handle: tell("x-several"),
    code: "OK",
    answers: [["x-several: a, b, c"].join("\n")],
  },
  {
    name: "binary headers of the client",
    kind: "Unary",
    headers: { "x-data-bin": BINARY, "x-datas-bin": [BINARY, "AAAA"] },
    handle: tell("x-data-bin", "x-datas-bin"),
    code: "OK",
    answers: [[`x-data-bin: ${BINARY}`, `x-datas-bin: ${BINARY}, AAAA`].join("\n")],
  },
  {
    name: "headers of a client that streams",
    kind: "Bidi",
    headers: { "x-one": "1" },
    handle: (call) => {
      return several(call.header("x-one") ?? "none");
    },
    code: "OK",
    answers: ["1"],
  },
  {
    name: "headers that are special to JavaScript",
    kind: "Unary",
    headers: { constructor: "c", "to-string": "t" },
    handle: tell("constructor", "to-string", "hasownproperty", "tostring"),
    code: "OK",
    answers: [["constructor: c", "to-string: t", "hasownproperty: none", "tostring: none"].join("\n")],
  },
  {
    name: "what a handler is told of the protocol's own headers",
    kind: "Unary",
    raw: async (call) => {
      await ask(call);
    },
    handle: tell("content-type", "te", "user-agent", "grpc-timeout"),
    headers: { "user-agent": "somebody/1", "grpc-timeout": "1H" },
    code: "OK",
    except: { "grpc-js": "it keeps its own headers to itself" },
  },
];

const large: readonly Case[] = [
  { name: "a large header of the client", kind: "Unary", headers: { "x-large": "v".repeat(12_000) }, code: "OK" },
  ...[12_000, 30_000, 60_000].flatMap((size): Case[] => [
    {
      name: `a header of the handler of ${size} bytes`,
      kind: "Unary",
      handle: (call) => {
        call.setHeader("x-large", "v".repeat(size));
        return message("hello");
      },
      code: "OK",
    },
    {
      name: `a trailer of the handler of ${size} bytes`,
      kind: "ServerStream",
      handle: (call) => {
        call.setTrailer("x-large", "v".repeat(size));
        return several("hello");
      },
      code: "OK",
    },
  ]),
];

const fromHandler: readonly Case[] = (["Unary", "ClientStream"] as const)
  .map((kind): Case => ({
    name: `headers and trailers of a handler, ${kind}`,
    kind,
    handle: (call) => {
      decorate(call);
      return message("decorated");
    },
    code: "OK",
  }))
  .concat(
    (["ServerStream", "Bidi"] as const).map((kind): Case => ({
      name: `headers and trailers of a handler, ${kind}`,
      kind,
      handle: (call) => {
        decorate(call);
        return several("a", "b");
      },
      code: "OK",
    })),
  );

const together: readonly Case[] = [
  ...fromHandler,
  {
    name: "headers without answers",
    kind: "ServerStream",
    handle: (call) => {
      decorate(call);
      return several();
    },
    code: "OK",
    answers: [],
  },
  {
    name: "headers and trailers from inside a stream",
    kind: "ServerStream",
    handle: async function* (call) {
      call.setHeader("x-head", "in time");
      yield await Promise.resolve(message("a"));
      call.setHeader("x-head", "too late");
      call.setTrailer("x-trail", "in time");
      yield message("b");
      call.setTrailer("x-last", "in time");
    },
    code: "OK",
  },
  {
    name: "headers and trailers of a handler that fails",
    kind: "Unary",
    handle: (call) => {
      decorate(call);
      throw failing();
    },
    code: "ABORTED",
  },
  {
    name: "trailers of a handler that fails",
    kind: "Unary",
    handle: (call) => {
      call.setTrailer("x-trail", "t");
      throw failing();
    },
    code: "ABORTED",
  },
  {
    name: "metadata of an error",
    kind: "Unary",
    handle: () => {
      throw failing();
    },
    code: "ABORTED",
  },
  {
    name: "metadata of an error after answers",
    kind: "ServerStream",
    handle: async function* (call) {
      call.setTrailer("x-trail", "t");
      yield await Promise.resolve(message("a"));
      throw failing();
    },
    code: "ABORTED",
    answers: ["a"],
  },
  {
    name: "an error that says what only the protocol may",
    kind: "Unary",
    handle: () => {
      throw new ConnectError("no", Code.Aborted, {
        "grpc-status": "0",
        "grpc-message": "fine",
        "grpc-status-details-bin": "AAAA",
      });
    },
    code: "ABORTED",
  },
  {
    name: "a handler that says what only the protocol may",
    kind: "Unary",
    handle: (call) => {
      call.setTrailer("grpc-status", "5");
      call.setTrailer("grpc-message", "gone");
      return message("hello");
    },
    code: "NOT_FOUND",
    lines: 1,
  },
  {
    name: "a handler that changes the content type",
    kind: "Unary",
    handle: (call) => {
      call.setHeader("content-type", "application/grpc");
      return message("hello");
    },
    code: "OK",
  },
  {
    name: "headers that HTTP/2 does not allow",
    kind: "Unary",
    handle: (call) => {
      call.setHeader("connection", "close");
      call.setHeader("transfer-encoding", "chunked");
      call.setHeader("keep-alive", "1");
      call.setTrailer("connection", "close");
      call.setTrailer("upgrade", "h2c");
      return message("hello");
    },
    code: "OK",
    answers: ["hello"],
    except: { connect: UNCAUGHT, "grpc-js": UNCAUGHT },
  },
  {
    name: "headers that HTTP/2 allows once",
    kind: "Unary",
    handle: (call) => {
      for (const name of ["content-location", "etag", "date"]) {
        call.addHeader(name, "a");
        call.addHeader(name, "b");
        call.addTrailer(name, "a");
        call.addTrailer(name, "b");
      }
      return message("hello");
    },
    code: "OK",
    answers: ["hello"],
    except: { connect: UNCAUGHT, "grpc-js": UNCAUGHT },
  },
  {
    name: "cookies",
    kind: "Unary",
    handle: (call) => {
      call.addHeader("set-cookie", "a=1");
      call.addHeader("set-cookie", "b=2");
      return message("hello");
    },
    code: "OK",
  },
  {
    name: "headers that an error may not bring",
    kind: "ServerStream",
    handle: () => {
      throw new ConnectError("no", Code.Aborted, { connection: "close", te: "gzip", "x-fine": "1" });
    },
    code: "ABORTED",
    except: { connect: UNCAUGHT, "grpc-js": UNCAUGHT },
  },
];

export const metadata: readonly Case[] = [...fromClient, ...together, ...large];
