/** Handlers whose requests are pushed into them, as reports are. */
import { Code, ConnectError } from "@connectrpc/connect";
import type { BytesValue } from "@bufbuild/protobuf/wkt";
import type { PushSink } from "../../../../src/lib/push-sink.js";
import type { PushSource } from "../../../../src/lib/push-source.js";
import type { Case, Handler, Served } from "../case.js";
import { envelope } from "../clients/raw.js";
import { message, textOf } from "../service.js";
import { pushed } from "./handlers.js";

/** Gives back what it is pushed, and has room for a few. */
class Echo implements PushSink<BytesValue>, PushSource<BytesValue> {
  isEnded = false;
  failure: unknown = undefined;
  private waiting: BytesValue[] = [];
  private room: () => void = () => undefined;
  private ready: () => void = () => undefined;

  constructor(
    private readonly places: number,
    private readonly onMessage: (text: string, echo: Echo) => void = () => undefined,
    private readonly onEnd: () => void = () => undefined,
  ) {}

  get done(): boolean {
    return this.isEnded && this.waiting.length === 0;
  }

  receive(value: BytesValue): boolean {
    if (this.isEnded) return false;
    this.waiting.push(value);
    this.onMessage(textOf(value), this);
    this.ready();
    // What is told of a message may end it.
    return !this.done && this.waiting.length < this.places;
  }

  end(failure?: unknown): void {
    if (this.isEnded) return;
    this.isEnded = true;
    this.failure = failure;
    this.onEnd();
    this.room();
    this.ready();
  }

  onRoom(callback: () => void): void {
    this.room = callback;
  }

  take(): BytesValue | undefined {
    const value = this.waiting.shift();
    if (value !== undefined && this.waiting.length === this.places - 1) this.room();
    return value;
  }

  onReady(ready: () => void): void {
    this.ready = ready;
  }

  cancel(): void {
    this.waiting = [];
    this.end();
  }
}

function through(makeEcho: (call: Served) => Echo): Handler {
  return (call) => {
    const echo = makeEcho(call);
    call.pushMessages(echo);
    return pushed(call, echo);
  };
}

const handle = through(() => new Echo(4));

const MANY = Array.from({ length: 3000 }, (_, i) => `${i}`);
const garbage = Buffer.concat([Buffer.from([0, 0, 0, 0, 4]), Buffer.from("0a7f6161", "hex")]);
const three = [envelope("a"), envelope("b"), envelope("c")];

export const pushes: readonly Case[] = [
  { name: "pushed requests", kind: "Bidi", handle, code: "OK", answers: ["hello", "again"] },
  {
    name: "pushed requests, none",
    kind: "Bidi",
    handle,
    call: (call) => {
      call.end();
      return Promise.resolve();
    },
    code: "OK",
    answers: [],
  },
  {
    name: "pushed requests, one by one",
    kind: "Bidi",
    handle,
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
    name: "pushed requests, more than there is room for",
    kind: "Bidi",
    handle,
    raw: async (call) => {
      await call.write(Buffer.concat(MANY.map((text) => envelope(text))));
      call.end();
    },
    code: "OK",
    answers: MANY,
  },
  {
    name: "pushed requests, large, and room for one",
    kind: "Bidi",
    handle: through(() => new Echo(1)),
    raw: async (call) => {
      for (let i = 0; i < 40; i++) void call.send(`${i}`.repeat(15_000));
      call.end();
      await call.over();
    },
    code: "OK",
  },
  {
    name: "pushed requests of a client that reads slowly",
    kind: "Bidi",
    windowBytes: 20_000,
    handle,
    raw: async (call) => {
      call.pause();
      for (let i = 0; i < 30; i++) void call.send(`${i} `.repeat(3000));
      call.end();
      for (let times = 0; times < 10; times++) await call.ping();
      call.resume();
    },
    code: "OK",
  },
  {
    name: "pushed requests, then unreadable bytes",
    kind: "Bidi",
    handle,
    raw: async (call) => {
      await call.write(Buffer.concat([...three, garbage, envelope("d")]));
      call.end();
    },
    code: "INTERNAL",
    ownWords: true,
    answers: ["a", "b", "c"],
  },
  {
    name: "pushed requests, then unreadable bytes, and no room",
    kind: "Bidi",
    handle: through(() => new Echo(1)),
    raw: async (call) => {
      await call.write(Buffer.concat([...three, garbage, envelope("d")]));
      call.end();
    },
    code: "INTERNAL",
    ownWords: true,
    answers: ["a", "b", "c"],
  },
  {
    name: "pushed requests, then half of one",
    kind: "Bidi",
    handle: through(() => new Echo(2)),
    raw: async (call) => {
      await call.write(Buffer.concat([...three, envelope("d").subarray(0, 6)]));
      call.end();
    },
    code: "INVALID_ARGUMENT",
    ownWords: true,
    answers: ["a", "b", "c"],
  },
  {
    name: "pushed requests, whose handler has enough",
    kind: "Bidi",
    handle: through(() => new Echo(4, (text, echo) => (text === "b" ? echo.end() : undefined))),
    raw: async (call) => {
      await call.write(Buffer.concat(three));
      await call.over();
    },
    code: "OK",
    answers: ["a", "b"],
    countsMessages: false,
  },
  {
    name: "pushed requests, whose handler fails",
    kind: "Bidi",
    handle: through(
      () => new Echo(4, (text, echo) => (text === "b" ? echo.end(new ConnectError("no", Code.Aborted)) : undefined)),
    ),
    raw: async (call) => {
      await call.write(Buffer.concat(three));
      await call.over();
    },
    code: "ABORTED",
    answers: ["a", "b"],
    countsMessages: false,
  },
  {
    name: "pushed requests of a client that cancels",
    kind: "Bidi",
    handle: through((call) => new Echo(4, undefined, () => call.run.reach("ended"))),
    call: async (call) => {
      await call.send("a");
      await call.next();
      call.cancel();
    },
    reaches: "ended",
    code: "CANCELLED",
    answers: ["a"],
    except: { "grpc-js": "a client that has left sees nothing of its server" },
  },
  {
    name: "pushed requests whose deadline passes",
    kind: "Bidi",
    headers: { "grpc-timeout": "80m" },
    handle,
    call: async (call) => {
      await call.send("a");
      while ((await call.next()) !== undefined);
      call.end();
    },
    code: "DEADLINE_EXCEEDED",
    ownWords: true,
    answers: ["a"],
    except: { connect: "it does not answer before the handler does", "grpc-js": "it leaves deadlines to handlers" },
  },
  {
    name: "pushed answers to nobody's requests",
    kind: "Bidi",
    handle: (call) => {
      const echo = new Echo(4);
      echo.receive(message("unasked"));
      echo.end();
      return pushed(call, echo);
    },
    call: async (call) => {
      while ((await call.next()) !== undefined);
      call.end();
    },
    code: "OK",
    answers: ["unasked"],
  },
];
