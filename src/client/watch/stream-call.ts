import { Code, ConnectError } from "@connectrpc/connect";
import { callFailure } from "../calls/failures.js";
import type { Scheduler } from "../scheduler.js";

export interface StreamCallOptions<Message> {
  /** Makes the call; `signal` cancels it. */
  readonly open: (signal: AbortSignal) => Promise<AsyncIterable<Message>>;
  /** A server that is silent for so long while a message is waited for is taken for dead; milliseconds. */
  readonly silenceMs: number;
  readonly scheduler: Scheduler;
}

/**
 * One server stream, read message by message. Unlike a generator it can be cut while a message is waited for: whoever waits gets the
 * failure at once, whatever the transport below is doing.
 */
export class StreamCall<Message> {
  private readonly controller = new AbortController();
  private iterator: AsyncIterator<Message> | undefined;
  /** Why the call was cut from this side. */
  private cause: ConnectError | undefined;
  /** Fails the `next` that is being waited for. */
  private rejectWaiting: ((failure: ConnectError) => void) | undefined;
  private lastSignOfLife = 0;
  private stopWatchdog: (() => void) | undefined;

  /** Makes no call before the first `next`. */
  constructor(private readonly options: StreamCallOptions<Message>) {}

  /**
   * The next message; undefined when the server ended the stream with OK. Not to be called again before it has answered.
   *
   * @throws ConnectError; UNAVAILABLE for a lost connection and for a silent server
   */
  next(): Promise<Message | undefined> {
    return new Promise((resolve, reject) => {
      if (this.cause !== undefined) {
        reject(this.cause);
        return;
      }
      this.rejectWaiting = reject;
      this.lastSignOfLife = this.options.scheduler.monotonic();
      if (this.stopWatchdog === undefined) this.armWatchdog(this.options.silenceMs);
      this.read().then(
        (result) => {
          this.rejectWaiting = undefined;
          if (result.done === true) this.finish();
          resolve(result.done === true ? undefined : result.value);
        },
        (thrown: unknown) => {
          this.rejectWaiting = undefined;
          this.finish();
          reject(this.cause ?? callFailure(thrown, false));
        },
      );
    });
  }

  /** Ends the call; the server sees it canceled. A `next` that waits fails with `cause`. */
  cut(cause: ConnectError): void {
    if (this.cause !== undefined) return;
    this.cause = cause;
    this.rejectWaiting?.(cause);
    this.finish();
  }

  private async read(): Promise<IteratorResult<Message, unknown>> {
    this.iterator ??= (await this.options.open(this.controller.signal))[Symbol.asyncIterator]();
    return this.iterator.next();
  }

  private finish(): void {
    this.stopWatchdog?.();
    this.stopWatchdog = undefined;
    // With this code, and no other, transports reset the stream as canceled. For a stream that has ended it is a no-op.
    this.controller.abort(new ConnectError("the watch was ended", Code.Canceled));
  }

  /**
   * One timer for many messages: it is not moved by each of them, but looks, when it goes off, how long ago the last one was. While
   * nobody waits for a message the server is not to blame for silence.
   */
  private armWatchdog(ms: number): void {
    this.stopWatchdog = this.options.scheduler.after(ms, () => {
      this.stopWatchdog = undefined;
      if (this.rejectWaiting === undefined) return;
      const silentMs = this.options.scheduler.monotonic() - this.lastSignOfLife;
      const leftMs = this.options.silenceMs - silentMs;
      if (leftMs > 0) this.armWatchdog(leftMs);
      else
        this.cut(new ConnectError(`no sign of life from the server for ${Math.round(silentMs)} ms`, Code.Unavailable));
    });
  }
}
