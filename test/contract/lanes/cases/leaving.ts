/** Clients that leave, by whichever way HTTP/2 has. */
import type { Case, RawCalling } from "../case.js";
import { envelope } from "../clients/raw.js";
import { message } from "../service.js";
import { ask, askWithoutReading } from "./callers.js";
import { begunAndAborted, echoUntilLeft, ListSource, never, noteAbort, pushed } from "./handlers.js";

const NO_ERROR = 0;
const INTERNAL_ERROR = 2;
const REFUSED_STREAM = 7;
const CANCEL = 8;
const ENHANCE_YOUR_CALM = 11;

type Leave = (call: RawCalling) => void;

/** How a client can leave. */
const WAYS: Readonly<Record<string, Leave>> = {
  cancels: (call) => call.reset(CANCEL),
  "resets without an error": (call) => call.reset(NO_ERROR),
  "resets with an internal error": (call) => call.reset(INTERNAL_ERROR),
  "resets with a refusal": (call) => call.reset(REFUSED_STREAM),
  "resets to be left alone": (call) => call.reset(ENHANCE_YOUR_CALM),
  vanishes: (call) => call.vanish(),
};

async function leaveWhenBegun(call: RawCalling, leave: Leave): Promise<void> {
  await ask(call);
  await call.run.when("begun");
  leave(call);
}

async function leaveWhenAnswered(call: RawCalling, leave: Leave): Promise<void> {
  await ask(call);
  await call.next();
  leave(call);
}

async function leaveWithoutReading(call: RawCalling, leave: Leave): Promise<void> {
  await askWithoutReading(call);
  leave(call);
  call.resume();
}

export const leaving: readonly Case[] = Object.entries(WAYS).flatMap(([way, leave]): Case[] => [
  {
    name: `${way}, while a unary handler waits for it`,
    kind: "Unary",
    handle: async (call) => {
      await begunAndAborted(call);
      return message("nobody hears");
    },
    raw: (call) => leaveWhenBegun(call, leave),
    reaches: "aborted",
    code: undefined,
  },
  {
    name: `${way}, while a unary handler does not look`,
    kind: "Unary",
    handle: async (call) => {
      call.run.reach("begun");
      await call.run.when("left");
      return message("nobody hears");
    },
    raw: async (call) => {
      await leaveWhenBegun(call, leave);
      await call.over();
      call.run.reach("left");
    },
    code: undefined,
  },
  {
    name: `${way}, while a unary handler is about to fail`,
    kind: "Unary",
    handle: async (call) => {
      await begunAndAborted(call);
      throw new TypeError("nobody hears");
    },
    raw: (call) => leaveWhenBegun(call, leave),
    reaches: "aborted",
    code: undefined,
  },
  {
    name: `${way}, during a server stream`,
    kind: "ServerStream",
    handle: async function* (call) {
      yield await Promise.resolve(message("a"));
      await noteAbort(call);
    },
    raw: (call) => leaveWhenAnswered(call, leave),
    reaches: "aborted",
    code: undefined,
  },
  {
    name: `${way}, during a server stream that does not look`,
    kind: "ServerStream",
    handle: async function* () {
      yield await Promise.resolve(message("a"));
      await never();
    },
    raw: (call) => leaveWhenAnswered(call, leave),
    code: undefined,
  },
  {
    name: `${way}, during a pushed stream`,
    kind: "ServerStream",
    handle: (call) => pushed(call, new ListSource(["a"], { stays: true }, () => call.run.reach("cancelled"))),
    raw: (call) => leaveWhenAnswered(call, leave),
    reaches: "cancelled",
    code: undefined,
  },
  {
    name: `${way}, while a handler waits for messages`,
    kind: "Bidi",
    handle: echoUntilLeft,
    raw: async (call) => {
      await call.send("a");
      await call.next();
      leave(call);
    },
    reaches: "left",
    code: undefined,
  },
  {
    name: `${way}, with messages that nobody has read`,
    kind: "Bidi",
    handle: async function* (call) {
      const aborted = noteAbort(call);
      yield message("begun");
      await aborted;
    },
    raw: async (call) => {
      for (let i = 0; i < 1000; i++) void call.send(`unread ${i}`);
      await call.next();
      await call.ping();
      leave(call);
    },
    reaches: "aborted",
    code: undefined,
  },
  {
    name: `${way}, in the middle of a message`,
    kind: "Bidi",
    handle: async function* (call) {
      try {
        yield* echoUntilLeft(call);
      } catch {
        // To end well then is of no use either.
      }
    },
    raw: async (call) => {
      await call.write(Buffer.concat([envelope("a"), envelope("b").subarray(0, 6)]));
      await call.next();
      leave(call);
    },
    reaches: "left",
    code: undefined,
  },
  {
    name: `${way}, before its message`,
    kind: "Unary",
    raw: async (call) => {
      await call.ping();
      leave(call);
    },
    code: undefined,
  },
  {
    name: `${way}, with half of its message`,
    kind: "Unary",
    raw: async (call) => {
      await call.write(envelope("hello").subarray(0, 8));
      await call.ping();
      leave(call);
    },
    code: undefined,
  },
  {
    name: `${way}, with answers that it has not read`,
    kind: "ServerStream",
    handle: async function* (call) {
      try {
        for (;;) yield await Promise.resolve(message("z".repeat(10_000)));
      } finally {
        call.run.reach("left");
      }
    },
    raw: (call) => leaveWithoutReading(call, leave),
    reaches: "left",
    countsMessages: false,
    code: undefined,
  },
  {
    name: `${way}, with pushed answers that it has not read`,
    kind: "ServerStream",
    handle: (call) => pushed(call, new EndlessSource(() => call.run.reach("cancelled"))),
    raw: (call) => leaveWithoutReading(call, leave),
    reaches: "cancelled",
    countsMessages: false,
    code: undefined,
  },
]);

class EndlessSource extends ListSource {
  private over = false;

  constructor(onCancel: () => void) {
    super([], { stays: true }, onCancel);
  }

  override take() {
    return this.over ? undefined : message("z".repeat(10_000));
  }

  override cancel(): void {
    this.over = true;
    super.cancel();
  }
}
