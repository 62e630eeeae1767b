import type { Message } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import type { Call } from "./call.js";
import { EnvelopeReader, unwrapWhole } from "./envelope.js";

/** With so many messages unread the stream is paused: HTTP/2 then slows the client down. */
const MAX_UNREAD = 256;

/**
 * Reads the one message of a unary or server-streaming call.
 *
 * @param onMessage called when the client has sent it and nothing else
 */
export function readOne(call: Call, onMessage: (message: Message) => void): void {
  const { stream, route } = call;
  const { codec, maxRequestBytes } = route;
  let body: Buffer | undefined;
  let reader: EnvelopeReader | undefined;
  const take = (message: Buffer): void => {
    if (body !== undefined) throw new ConnectError("received more than one message", Code.Unimplemented);
    body = message;
  };
  stream.on("data", (chunk: Buffer) => {
    if (call.hasEnded || chunk.length === 0) return;
    try {
      if (reader === undefined && body === undefined) {
        body = unwrapWhole(chunk, maxRequestBytes);
        if (body !== undefined) return;
      }
      reader ??= new EnvelopeReader(maxRequestBytes, take);
      reader.push(chunk);
    } catch (thrown) {
      call.fail(thrown);
    }
  });
  stream.on("end", () => {
    route.finished(stream);
    if (call.hasEnded || stream.aborted) return;
    try {
      if (reader?.isComplete === false) throw incomplete();
      if (body === undefined) throw new ConnectError("received no message", Code.Unimplemented);
      onMessage(codec.decode(body));
    } catch (thrown) {
      call.fail(thrown);
    }
  });
}

function incomplete(): ConnectError {
  return new ConnectError("the last message is incomplete", Code.InvalidArgument);
}

/** The messages of a client-streaming or bidi call, for one reader. */
export class Inbox implements AsyncIterableIterator<Message> {
  private messages: Message[] = [];
  private head = 0;
  private ended = false;
  private failure: Error | undefined;
  private wake: (() => void) | undefined;

  constructor(private readonly call: Call) {
    const { stream, route } = call;
    const reader = new EnvelopeReader(route.maxRequestBytes, (bytes) => this.receive(route.codec.decode(bytes)));
    stream.on("data", (chunk: Buffer) => {
      if (this.ended) return;
      try {
        reader.push(chunk);
      } catch (thrown) {
        this.end(thrown instanceof Error ? thrown : new Error("unreadable request", { cause: thrown }));
      }
    });
    stream.on("end", () => {
      route.finished(stream);
      if (!stream.aborted) this.end(reader.isComplete ? undefined : incomplete());
    });
  }

  /** Nothing more comes. @param failure why, when the client is not simply done */
  end(failure: Error | undefined): void {
    if (this.ended) return;
    this.ended = true;
    this.failure = failure;
    this.wake?.();
  }

  async next(): Promise<IteratorResult<Message, undefined>> {
    while (this.head === this.messages.length) {
      if (this.failure !== undefined) throw this.failure;
      if (this.ended) return { value: undefined, done: true };
      await new Promise<void>((resolve) => (this.wake = resolve));
      this.wake = undefined;
    }
    const value = this.messages[this.head++];
    if (value === undefined) throw new Error("an inbox holds no holes");
    if (this.head === this.messages.length) this.clear();
    return { value, done: false };
  }

  return(): Promise<IteratorResult<Message, undefined>> {
    this.end(undefined);
    this.clear();
    return Promise.resolve({ value: undefined, done: true });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  private receive(message: Message): void {
    this.call.gotMessage(message);
    this.messages.push(message);
    if (this.messages.length - this.head === MAX_UNREAD) this.call.stream.pause();
    this.wake?.();
  }

  private clear(): void {
    this.messages = [];
    this.head = 0;
    if (this.call.stream.isPaused()) this.call.stream.resume();
  }
}
