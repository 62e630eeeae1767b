import { PushStream, type PushSource } from "../../../src/lib/push-source.js";
import type { GrpcJsCall } from "./grpc-js-call.js";
import { statusOf } from "./grpc-js-status.js";

/** The part of a streaming call of `@grpc/grpc-js` that takes answers. */
interface Sink<T> {
  write(message: T): boolean;
  end(): void;
  once(event: "drain", listener: () => void): unknown;
  on(event: "cancelled", listener: () => void): unknown;
  emit(event: "error", error: unknown): boolean;
}

/** Sends what a service pushes, as fast as the stream takes it, and ends the call after it. */
export function sendPushed<T>(context: GrpcJsCall, sink: Sink<T>, start: () => AsyncIterable<T>): void {
  try {
    const answers = start();
    if (!(answers instanceof PushStream)) throw new Error("every stream of the services is pushed");
    new Pusher(context, sink, (answers as PushStream<T>).source).start();
  } catch (thrown) {
    sink.emit("error", statusOf(context.failed(thrown)));
  }
}

class Pusher<T> {
  /** The stream takes no more until it says so. */
  private isFull = false;

  constructor(
    private readonly context: GrpcJsCall,
    private readonly sink: Sink<T>,
    private readonly source: PushSource<T>,
  ) {}

  start(): void {
    this.sink.on("cancelled", () => this.source.cancel());
    // A source must not be called back into; and what became ready in one turn goes out together.
    this.source.onReady(() => setImmediate(this.flush));
    this.flush();
  }

  private readonly flush = (): void => {
    const { context, sink, source } = this;
    while (!this.isFull) {
      const answer = source.take();
      if (answer === undefined) break;
      if (sink.write(answer)) continue;
      this.isFull = true;
      sink.once("drain", this.onDrain);
    }
    if (this.isFull || !source.done) return;
    if (source.failure === undefined) {
      context.succeeded();
      sink.end();
    } else sink.emit("error", statusOf(context.failed(source.failure)));
  };

  private readonly onDrain = (): void => {
    this.isFull = false;
    this.flush();
  };
}
