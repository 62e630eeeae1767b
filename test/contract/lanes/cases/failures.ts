/** Calls that fail. */
import { Code, ConnectError } from "@connectrpc/connect";
import { ErrorInfoSchema, RetryInfoSchema } from "../../../../gen/google/rpc/error_details_pb.js";
import { codeName } from "../../../../src/interceptors/index.js";
import { invalidFields, OpsCoreError } from "../../../../src/errors/index.js";
import type { Case, Handler } from "../case.js";
import { ABSENT, message, pathOf, textOf } from "../service.js";
import { ListSource, pushed, several } from "./handlers.js";

const CODES = Object.values(Code).filter((code) => typeof code === "number");

function failWith(thrown: unknown): Handler {
  return () => {
    throw thrown;
  };
}

const codes: readonly Case[] = CODES.flatMap((code): Case[] => [
  {
    name: `code ${codeName(code)}`,
    kind: "Unary",
    handle: failWith(new ConnectError("no", code)),
    code: codeName(code),
  },
  {
    name: `code ${codeName(code)} with details`,
    kind: "Unary",
    handle: () => {
      throw new ConnectError("no", code, undefined, [
        { desc: ErrorInfoSchema, value: { reason: "WHY", domain: "lanes", metadata: { key: "wert: ä" } } },
        { desc: RetryInfoSchema, value: { retryDelay: { seconds: 1n, nanos: 500_000_000 } } },
      ]);
    },
    code: codeName(code),
  },
]);

const MESSAGES: Readonly<Record<string, string>> = {
  "without a message": "",
  "with a percent sign": "100% sure, 50%25",
  "with Unicode": "für alle: 漢字 🎉",
  "with control characters": "line\nline\ttab\r\0end\x7f",
  "with quotes and the like": `"quoted" 'single' \\ / : ; < > ? # [ ] { } | ^ ~ \``,
  "with blanks at its ends": "  in between  ",
  "with half a surrogate pair": "half \ud800 pair",
  "with a plus": "a+b c",
  "with 4,000 characters": "long, ".repeat(800),
};

const messages: readonly Case[] = Object.entries(MESSAGES).map(([name, text]): Case => ({
  name: `a message ${name}`,
  kind: "Unary",
  handle: failWith(new OpsCoreError("STATE_MISMATCH", text, { revision: "7" })),
  code: "FAILED_PRECONDITION",
  except: { "grpc-js": "our errors are ours" },
}));

const THROWN: Readonly<Record<string, () => unknown>> = {
  "an Error": () => new TypeError("the password is 1234"),
  "a string": () => "oops",
  undefined: () => undefined,
  null: () => null,
  "an object": () => ({ code: 5 }),
  "a function": () => () => 1,
};

/** What a defect looks like from outside: an id for the caller, and two lines in the log. */
const DEFECT = { code: "INTERNAL", lines: 2, except: { "grpc-js": "our defects are ours" } };

const defects: readonly Case[] = Object.entries(THROWN).flatMap(([name, make]): Case[] => [
  { name: `throws ${name}`, kind: "Unary", handle: () => raise(make()), ...DEFECT },
  {
    name: `rejects with ${name}`,
    kind: "Unary",
    // Whatever it is.
    // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors
    handle: () => new Promise((_, reject) => setImmediate(() => reject(make()))),
    ...DEFECT,
  },
  { name: `a stream throws ${name}`, kind: "ServerStream", handle: () => raise(make()), ...DEFECT },
  {
    name: `a stream throws ${name} after an answer`,
    kind: "ServerStream",
    handle: async function* () {
      yield await Promise.resolve(message("a"));
      raise(make());
    },
    ...DEFECT,
  },
]);

function raise(thrown: unknown): never {
  throw thrown;
}

const TOO_LARGE = "its trailers become a header block that is too large, which ends the connection";
const BREAKS = { connect: TOO_LARGE, "grpc-js": TOO_LARGE };

const no = (): ConnectError => new ConnectError("no", Code.NotFound);

const places: readonly Case[] = [
  { name: "a server stream fails before it begins", kind: "ServerStream", handle: failWith(no()), code: "NOT_FOUND" },
  {
    name: "a server stream fails before its first answer",
    kind: "ServerStream",
    handle: async function* () {
      await Promise.resolve();
      throw no();
    },
    code: "NOT_FOUND",
  },
  {
    name: "a server stream fails after answers",
    kind: "ServerStream",
    handle: async function* () {
      yield* several("a", "b");
      throw no();
    },
    code: "NOT_FOUND",
    answers: ["a", "b"],
  },
  {
    name: "a pushed stream fails at once",
    kind: "ServerStream",
    handle: (call) => pushed(call, new ListSource([], { failure: no() })),
    code: "NOT_FOUND",
  },
  {
    name: "a pushed stream fails after answers",
    kind: "ServerStream",
    handle: (call) => pushed(call, new ListSource(["a", "b"], { failure: no() })),
    code: "NOT_FOUND",
    answers: ["a", "b"],
  },
  {
    name: "a pushed stream whose source throws",
    kind: "ServerStream",
    handle: (call) => {
      const source = new ListSource(["a"], { stays: true });
      const take = source.take.bind(source);
      source.take = () => take() ?? raise(no());
      return pushed(call, source);
    },
    code: "NOT_FOUND",
    answers: ["a"],
  },
  {
    name: "a client stream fails before it is read",
    kind: "ClientStream",
    handle: failWith(no()),
    call: async (call) => {
      await call.send("one");
      await call.next();
      call.end();
    },
    code: "NOT_FOUND",
  },
  {
    name: "a client stream fails in the middle",
    kind: "ClientStream",
    handle: async (call) => {
      for await (const each of call.messages) throw new ConnectError(textOf(each), Code.NotFound);
      return message("none");
    },
    call: async (call) => {
      await call.send("one");
      await call.next();
      call.end();
    },
    code: "NOT_FOUND",
  },
  {
    name: "bidi fails in the middle",
    kind: "Bidi",
    handle: async function* (call) {
      for await (const each of call.messages) {
        yield each;
        throw no();
      }
    },
    call: async (call) => {
      await call.send("one");
      while ((await call.next()) !== undefined);
      call.end();
    },
    code: "NOT_FOUND",
    answers: ["one"],
  },
  {
    name: "an error that names fields",
    kind: "Unary",
    handle: failWith(
      invalidFields([
        { field: 'labels["ä"]', description: "must be shorter" },
        { field: "agent_id", description: "must not be empty" },
      ]),
    ),
    code: "INVALID_ARGUMENT",
    except: { "grpc-js": "our errors are ours" },
  },
  {
    name: "a detail that is encoded already",
    kind: "Unary",
    handle: () => {
      const error = new ConnectError("no", Code.Aborted);
      error.details.push({ type: "google.protobuf.StringValue", value: Buffer.from("0a0161", "hex") });
      throw error;
    },
    code: "ABORTED",
  },
  ...[4_000, 30_000, 60_000, 200_000].map((size): Case => ({
    name: `details of ${size} bytes`,
    kind: "Unary",
    handle: () => {
      throw new ConnectError("no", Code.Aborted, undefined, [
        { desc: ErrorInfoSchema, value: { reason: "x".repeat(size) } },
      ]);
    },
    code: "ABORTED",
    except: size > 40_000 ? BREAKS : {},
  })),
  ...[7_000, 200_000].map((size): Case => ({
    name: `a message of ${size} characters`,
    kind: "Unary",
    handle: () => {
      throw new ConnectError("x".repeat(size), Code.Aborted);
    },
    code: "ABORTED",
    except: size > 40_000 ? BREAKS : {},
  })),
  {
    name: "an aborted operation of the handler's own",
    kind: "Unary",
    handle: () => {
      AbortSignal.abort().throwIfAborted();
      return message("not reached");
    },
    code: "CANCELLED",
    except: { "grpc-js": "our errors are ours" },
  },
  {
    name: "an answer that cannot be encoded",
    kind: "Unary",
    handle: () => ({ $typeName: "google.protobuf.BytesValue", value: 7 }) as unknown as ReturnType<typeof message>,
    code: "INTERNAL",
    lines: { lane: 2, connect: 1 },
    except: { "grpc-js": "what it encodes is the test's own" },
  },
  {
    name: "an answer that cannot be encoded, in a stream",
    kind: "ServerStream",
    handle: async function* () {
      yield await Promise.resolve(message("a"));
      yield { $typeName: "google.protobuf.BytesValue", value: 7 } as unknown as ReturnType<typeof message>;
    },
    code: "INTERNAL",
    answers: ["a"],
    lines: { lane: 2, connect: 1 },
    except: { "grpc-js": "what it encodes is the test's own" },
  },
  {
    name: "no answer at all",
    kind: "Unary",
    handle: () => undefined as unknown as ReturnType<typeof message>,
    code: "INTERNAL",
    lines: { lane: 2, connect: 1 },
    except: { "grpc-js": "what it encodes is the test's own" },
  },
  {
    name: "no answers at all",
    kind: "ServerStream",
    handle: () => undefined as unknown as ReturnType<typeof message>,
    code: "INTERNAL",
    lines: { lane: 2, connect: 1 },
    except: { "grpc-js": "what it iterates over is the test's own" },
  },
  {
    name: "a method without an implementation",
    kind: "Unary",
    path: pathOf(ABSENT),
    code: "UNIMPLEMENTED",
    ownWords: true,
  },
];

export const failures: readonly Case[] = [...codes, ...messages, ...defects, ...places];
