import type { Message } from "@bufbuild/protobuf";
import { PushIterable, type PushSink } from "../../lib/push-sink.js";
import type { Call } from "./call.js";
import { owned } from "../http2/unread.js";
import { EnvelopeReader, incomplete } from "./envelope.js";

/** With so much unread the stream is paused: HTTP/2 then slows the client down. */
const MAX_UNREAD_MESSAGES = 256;
const MAX_UNREAD_BYTES = 64 * 1024;

type Result = IteratorResult<Message, undefined>;

/** Who waits for the next message. */
interface Waiter {
  resolve(result: Result): void;
  reject(failure: Error): void;
}

/**
 * The messages of a client-streaming or bidi call, for one reader that asks for one at a time, or that they are pushed into. They are
 * kept as they came and decoded when they are read. What came before the end, or before a failure, is read before that is told.
 */
export class Inbox extends PushIterable<Message> implements AsyncIterableIterator<Message> {
  private bodies: Buffer[] = [];
  /** Bodies before it were read; the array is let go when all were. */
  private head = 0;
  private unreadBytes = 0;
  /** Nothing more comes. */
  private ended = false;
  /** Why, when the client was not simply done. */
  private failure: Error | undefined;
  private waiter: Waiter | undefined;
  private sink: PushSink<Message> | undefined;
  /** The sink takes more. */
  private flowing = false;

  constructor(private readonly call: Call) {
    super();
    const { stream, route } = call;
    const reader = new EnvelopeReader(route.maxRequestBytes, (body) => this.receive(body));
    stream.on("data", (chunk: Buffer) => {
      if (this.ended) return;
      try {
        reader.push(chunk);
      } catch (thrown) {
        this.end(thrown);
      }
    });
    stream.on("end", () => this.end(reader.isComplete ? undefined : incomplete()));
    // A handler that waits for its client must not outlive the call.
    call.onEnd((reason) => this.end(reason));
  }

  pushTo(sink: PushSink<Message>): void {
    this.sink = sink;
    const pour = (): void => this.pour(sink);
    sink.onRoom(pour);
    pour();
  }

  next(): Promise<Result> {
    if (this.waiter !== undefined) return Promise.reject(new Error("one message can be waited for at a time"));
    const message = this.read();
    if (message !== undefined) return Promise.resolve({ value: message, done: false });
    if (this.failure !== undefined) return Promise.reject(this.failure);
    if (this.ended) return Promise.resolve({ value: undefined, done: true });
    return new Promise((resolve, reject) => (this.waiter = { resolve, reject }));
  }

  /** The reader wants no more. */
  return(): Promise<Result> {
    this.close();
    return Promise.resolve({ value: undefined, done: true });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  private receive(body: Buffer): void {
    if (this.ended) return;
    const { sink, waiter } = this;
    // Whoever waits has read everything before.
    if (sink !== undefined && this.flowing) {
      const message = this.decode(body);
      if (message !== undefined) this.push(sink, message);
    } else if (waiter !== undefined) {
      const message = this.decode(body);
      if (message === undefined) return;
      this.waiter = undefined;
      waiter.resolve({ value: message, done: false });
    } else {
      this.keep(body);
    }
  }

  private keep(body: Buffer): void {
    this.bodies.push(owned(body));
    this.unreadBytes += body.length;
    if (this.bodies.length - this.head >= MAX_UNREAD_MESSAGES || this.unreadBytes >= MAX_UNREAD_BYTES) {
      this.call.stream.pause();
    }
  }

  /** Pushes what was kept, until there is no more of it or the sink has enough. */
  private pour(sink: PushSink<Message>): void {
    this.flowing = true;
    let message: Message | undefined;
    do message = this.read();
    while (message !== undefined && this.push(sink, message));
    if (sink.isEnded) this.close();
    else if (this.ended && message === undefined) sink.end(this.failure);
  }

  /** @returns whether the sink takes more */
  private push(sink: PushSink<Message>, message: Message): boolean {
    return (this.flowing = sink.receive(message));
  }

  /** Decodes the next body that was kept. @returns undefined when there is none, or when it is no message */
  private read(): Message | undefined {
    const body = this.bodies[this.head];
    if (body === undefined) return undefined;
    this.head += 1;
    this.unreadBytes -= body.length;
    if (this.head === this.bodies.length) this.clear();
    return this.decode(body);
  }

  /** @returns undefined when it is no message: then the inbox has failed, and told so who waits */
  private decode(body: Buffer): Message | undefined {
    try {
      const message = this.call.route.codec.decode(body);
      this.call.gotMessage(message);
      return message;
    } catch (thrown) {
      this.clear();
      // It comes before whatever ended the stream.
      this.ended = false;
      this.end(thrown);
      return undefined;
    }
  }

  /** Nobody reads any more. */
  private close(): void {
    this.clear();
    this.end(undefined);
    this.failure = undefined;
  }

  private clear(): void {
    this.bodies = [];
    this.head = 0;
    this.unreadBytes = 0;
    this.resume();
  }

  private end(reason: unknown): void {
    if (this.ended) return;
    this.ended = true;
    this.failure = reason === undefined ? undefined : toError(reason);
    // Whatever still comes is thrown away, which lets the stream end.
    this.resume();
    const { waiter } = this;
    this.waiter = undefined;
    if (this.failure === undefined) waiter?.resolve({ value: undefined, done: true });
    else waiter?.reject(this.failure);
    if (this.flowing) this.sink?.end(this.failure);
  }

  private resume(): void {
    const { stream } = this.call;
    if (stream.isPaused()) stream.resume();
  }
}

function toError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error("unreadable request", { cause: thrown });
}
