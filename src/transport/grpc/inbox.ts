import type { Message } from "@bufbuild/protobuf";
import type { Call } from "./call.js";
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
 * The messages of a client-streaming or bidi call, for one reader that asks for one at a time. They are kept as they came and
 * decoded when they are read. What came before the end, or before a failure, is read before that is told.
 */
export class Inbox implements AsyncIterableIterator<Message> {
  private bodies: Buffer[] = [];
  /** Bodies before it were read; the array is let go when all were. */
  private head = 0;
  private unreadBytes = 0;
  /** Nothing more comes. */
  private ended = false;
  /** Why, when the client was not simply done. */
  private failure: Error | undefined;
  private waiter: Waiter | undefined;

  constructor(private readonly call: Call) {
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
    stream.on("end", () => {
      call.requestComplete();
      this.end(reader.isComplete ? undefined : incomplete());
    });
    // A handler that waits for its client must not outlive the call.
    call.onEnd((reason) => this.end(reason));
  }

  next(): Promise<Result> {
    if (this.waiter !== undefined) return Promise.reject(new Error("one message can be waited for at a time"));
    const message = this.head < this.bodies.length ? this.read() : undefined;
    if (message !== undefined) return Promise.resolve({ value: message, done: false });
    if (this.failure !== undefined) return Promise.reject(this.failure);
    if (this.ended) return Promise.resolve({ value: undefined, done: true });
    return new Promise((resolve, reject) => (this.waiter = { resolve, reject }));
  }

  /** The reader wants no more. */
  return(): Promise<Result> {
    this.clear();
    this.end(undefined);
    this.failure = undefined;
    return Promise.resolve({ value: undefined, done: true });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  private receive(body: Buffer): void {
    if (this.ended) return;
    this.bodies.push(body);
    this.unreadBytes += body.length;
    const { waiter } = this;
    if (waiter !== undefined) {
      const message = this.read();
      if (message === undefined) return;
      this.waiter = undefined;
      waiter.resolve({ value: message, done: false });
    } else if (this.bodies.length - this.head >= MAX_UNREAD_MESSAGES || this.unreadBytes >= MAX_UNREAD_BYTES) {
      this.call.stream.pause();
    }
  }

  /** Decodes the next body. @returns undefined when it is no message: then the inbox has failed, and told so who waits */
  private read(): Message | undefined {
    const body = this.bodies[this.head++];
    if (body === undefined) return undefined;
    this.unreadBytes -= body.length;
    if (this.head === this.bodies.length) this.clear();
    try {
      const message = this.call.route.codec.decode(body);
      this.call.gotMessage(message);
      return message;
    } catch (thrown) {
      this.clear();
      this.end(thrown);
      this.failure = toError(thrown);
      return undefined;
    }
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
  }

  private resume(): void {
    const { stream } = this.call;
    if (stream.isPaused()) stream.resume();
  }
}

function toError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error("unreadable request", { cause: thrown });
}
