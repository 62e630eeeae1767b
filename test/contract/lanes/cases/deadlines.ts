/** `grpc-timeout`. The header is set as it is: with their own options clients would race the server. */
import { ConnectError } from "@connectrpc/connect";
import type { Case, Handler, RawCalling } from "../case.js";
import { message } from "../service.js";
import { ask } from "./callers.js";
import { echoUntilLeft, later, ListSource, never, noteAbort, pushed, readAll, turns } from "./handlers.js";

const KINDS = ["Unary", "ServerStream", "ClientStream", "Bidi"] as const;

/** Notes how much time a handler is told that it has, within what may have passed. */
function left(expectedMs: number): Handler {
  return (call) => {
    const ms = call.timeoutMs() ?? NaN;
    call.run.note(ms <= expectedMs && ms > expectedMs - 10_000 ? "as told" : `${ms} ms`);
    return message("in time");
  };
}

const UNITS: Readonly<Record<string, number>> = {
  "1H": 3_600_000,
  "30M": 1_800_000,
  "60S": 60_000,
  "60000m": 60_000,
  "60000000u": 60_000,
  "99999999u": 99_999.999,
  "0000100S": 100_000,
};

const units: readonly Case[] = Object.entries(UNITS).map(([timeout, ms]): Case => ({
  name: `grpc-timeout ${timeout}`,
  kind: "Unary",
  headers: { "grpc-timeout": timeout },
  handle: left(ms),
  code: "OK",
  notes: ["as told"],
}));

/** More than a timer takes. */
const FAR = ["2147484S", "99999999S", "99999999H", "99999999M", "597H"];

const far: readonly Case[] = FAR.map((timeout): Case => ({
  name: `grpc-timeout ${timeout}, which is far`,
  kind: "Unary",
  headers: { "grpc-timeout": timeout },
  handle: async (call) => {
    const signal = call.signal();
    await turns(20);
    if (signal.aborted) call.run.note("aborted");
    return message("in time");
  },
  code: "OK",
  answers: ["in time"],
  notes: [],
  except: {
    connect: "its timer overflows, and ends the call soon",
    "grpc-js": "its timer overflows, and ends the call soon",
  },
}));

const MALFORMED = ["", "1", "S", "1 S", "-1S", "+1S", "1s", "1.5S", "123456789S", "1SS", "S1", "soon", "0x1S"];

const malformed: readonly Case[] = MALFORMED.flatMap((timeout): Case[] =>
  (["Unary", "Bidi"] as const).map((kind) => ({
    name: `grpc-timeout ${JSON.stringify(timeout)}, ${kind}`,
    kind,
    headers: { "grpc-timeout": timeout },
    raw: async (call) => {
      await ask(call);
    },
    code: "INVALID_ARGUMENT",
  })),
);

const RACES = "its timer may come after the handler";

const EXPIRED = ["0S", "0m", "0n", "1n"];

const expired: readonly Case[] = EXPIRED.flatMap((timeout): Case[] =>
  KINDS.map((kind): Case => ({
    name: `grpc-timeout ${timeout}, which has passed, ${kind}`,
    kind,
    headers: { "grpc-timeout": timeout },
    code: "DEADLINE_EXCEEDED",
    except: { "grpc-js": RACES, ...(timeout === "1n" && { connect: RACES }) },
  })),
);

/** Long enough for what comes before the deadline on a busy machine, and no longer: it is waited for. */
const SOON = { "grpc-timeout": "80m" };

/** Waits for an answer until the handler has heard of the deadline and everything that was on its way then has arrived. */
async function patiently(call: RawCalling): Promise<void> {
  await Promise.race([call.over(), call.run.when("aborted")]);
  for (let times = 0; times < 5; times++) await call.ping();
  if (call.isOver()) return;
  call.run.note("no answer");
  call.cancel();
}

const ignored: readonly Case[] = [
  {
    name: "the deadline passes, and a unary handler goes on",
    kind: "Unary",
    headers: SOON,
    handle: async (call) => {
      await noteAbort(call);
      return never();
    },
    raw: async (call) => {
      await ask(call);
      await patiently(call);
    },
    lines: { lane: 1, connect: 0 },
    code: "DEADLINE_EXCEEDED",
  },
  {
    name: "the deadline passes, and a server stream goes on",
    kind: "ServerStream",
    headers: SOON,
    handle: async function* (call) {
      yield await Promise.resolve(message("a"));
      await noteAbort(call);
      await never();
    },
    raw: async (call) => {
      await ask(call);
      await patiently(call);
    },
    code: "DEADLINE_EXCEEDED",
    answers: ["a"],
  },
  {
    name: "the deadline passes, and a handler waits for messages",
    kind: "Bidi",
    headers: SOON,
    handle: async function* (call) {
      void noteAbort(call);
      try {
        for await (const each of call.messages) yield each;
      } finally {
        call.run.reach("left");
      }
    },
    raw: async (call) => {
      await call.send("a");
      await patiently(call);
    },
    reaches: "left",
    code: "DEADLINE_EXCEEDED",
    answers: ["a"],
  },
  {
    name: "the deadline passes, and a client goes on",
    kind: "ClientStream",
    headers: SOON,
    handle: async (call) => {
      void noteAbort(call);
      return message(String((await readAll(call)).length));
    },
    raw: async (call) => {
      await call.send("a");
      await patiently(call);
    },
    code: "DEADLINE_EXCEEDED",
  },
];

const WAITS_FOR_HANDLER = { connect: "it does not answer before the handler does" };

/** The same without a signal, which is made only when it is asked for. */
const unseen: readonly Case[] = [
  {
    name: "the deadline passes while a unary handler does not look",
    kind: "Unary",
    headers: SOON,
    handle: () => never(),
    code: "DEADLINE_EXCEEDED",
    except: WAITS_FOR_HANDLER,
  },
  {
    name: "the deadline passes while a server stream does not look",
    kind: "ServerStream",
    headers: SOON,
    handle: async function* () {
      yield await Promise.resolve(message("a"));
      await never();
    },
    code: "DEADLINE_EXCEEDED",
    answers: ["a"],
    except: WAITS_FOR_HANDLER,
  },
  {
    name: "the deadline passes while a handler waits for messages",
    kind: "Bidi",
    headers: SOON,
    handle: echoUntilLeft,
    call: async (call) => {
      await call.send("a");
      while ((await call.next()) !== undefined);
      call.end();
    },
    code: "DEADLINE_EXCEEDED",
    answers: ["a"],
    notes: ["failed: DEADLINE_EXCEEDED"],
    except: WAITS_FOR_HANDLER,
  },
  {
    name: "the deadline passes during a client stream",
    kind: "ClientStream",
    headers: SOON,
    handle: async (call) => message(String((await readAll(call)).length)),
    call: async (call) => {
      await call.send("a");
      await call.next();
      call.end();
    },
    code: "DEADLINE_EXCEEDED",
    except: WAITS_FOR_HANDLER,
  },
  {
    name: "the deadline passes before the message is complete",
    kind: "Unary",
    headers: SOON,
    raw: async (call) => {
      await call.write(Buffer.from([0, 0, 0]));
      await call.over();
    },
    code: "DEADLINE_EXCEEDED",
    except: { connect: "it does not look at the time before it has the message" },
  },
];

const passing: readonly Case[] = [
  {
    name: "the deadline passes, and a handler says so",
    kind: "Unary",
    headers: SOON,
    handle: async (call) => {
      await noteAbort(call);
      throw ConnectError.from(call.signal().reason);
    },
    code: "DEADLINE_EXCEEDED",
  },
  {
    name: "a handler answers after the deadline",
    kind: "Unary",
    headers: SOON,
    handle: async (call) => {
      await noteAbort(call);
      return later("too late");
    },
    code: "DEADLINE_EXCEEDED",
  },
  {
    name: "the deadline passes, and a server stream ends",
    kind: "ServerStream",
    headers: SOON,
    handle: async function* (call) {
      yield await Promise.resolve(message("a"));
      await noteAbort(call);
    },
    code: "DEADLINE_EXCEEDED",
    answers: ["a"],
  },
  {
    name: "the deadline passes during a pushed stream",
    kind: "ServerStream",
    headers: SOON,
    handle: (call) => pushed(call, new ListSource(["a"], { stays: true }, () => call.run.reach("cancelled"))),
    reaches: "cancelled",
    code: "DEADLINE_EXCEEDED",
    answers: ["a"],
  },
  {
    name: "the deadline does not pass",
    kind: "Unary",
    headers: { "grpc-timeout": "60S" },
    handle: (call) => {
      call.signal();
      return later("in time");
    },
    code: "OK",
    answers: ["in time"],
  },
];

export const deadlines: readonly Case[] = [
  ...units,
  ...far,
  ...malformed,
  ...expired,
  ...ignored,
  ...unseen,
  ...passing,
  // Behind Connect's handlers an answer may be on its way before it is counted.
].map((each) => ({ ownWords: true, countsMessages: each.answers === undefined, ...each }));
