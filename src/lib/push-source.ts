/**
 * Streams that are pushed, not pulled: what is ready is taken without a promise, and only an empty source makes its reader
 * wait. A fast transport takes straight from the source; everything else sees an async iterable.
 */

/** A stream of values for one reader. */
export interface PushSource<T> {
  /**
   * The next value, or undefined when there is none now. After undefined, either `done` is true or the ready callback will be
   * called.
   */
  take(): T | undefined;
  /** True once nothing more will come: everything was taken, and the stream ended, failed or was cancelled. */
  readonly done: boolean;
  /** Why it ended, when that was a failure; meaningful once `done`. */
  readonly failure: unknown;
  /** Other sources give the very same values, so what one reader made of a value serves all of them. */
  readonly shared?: boolean;
  /** Sets what is called when an empty source may have something again. Must not be called back into synchronously. */
  onReady(ready: () => void): void;
  /** The reader goes away: frees everything, at once, from any state. */
  cancel(): void;
}

/** How a stream ended, for those who only look on. */
export interface StreamEnd {
  /** How many values were taken. */
  readonly count: number;
  /** Why it failed; undefined when it ended well or was cancelled. */
  readonly failure: unknown;
}

/**
 * A push source as an async iterable. Readers that know about push sources take from `source` and call {@link finish}; others
 * iterate.
 */
export class PushStream<T> implements AsyncIterable<T> {
  private endListeners: ((end: StreamEnd) => void)[] | undefined;
  private finished = false;

  /**
   * @param signal asked only when the stream is iterated, because making an abort signal costs more than a message: cancels the
   * source
   */
  constructor(
    readonly source: PushSource<T>,
    private readonly signal: () => AbortSignal,
  ) {}

  /** Calls `listener` once, when the reader has finished, without standing between source and reader. */
  onEnd(listener: (end: StreamEnd) => void): void {
    (this.endListeners ??= []).push(listener);
  }

  /** Says that the reader has finished. Only the first call counts. */
  finish(end: StreamEnd): void {
    if (this.finished) return;
    this.finished = true;
    for (const listener of this.endListeners ?? []) listener(end);
  }

  [Symbol.asyncIterator](): AsyncIterator<T> {
    return new PushIterator(this, this.source, this.signal());
  }
}

/** Written out rather than as a generator: a generator's return() cannot interrupt the await that it stands in. */
class PushIterator<T> implements AsyncIterator<T> {
  private count = 0;
  private wake: (() => void) | undefined;

  constructor(
    private readonly stream: PushStream<T>,
    private readonly source: PushSource<T>,
    private readonly signal: AbortSignal,
  ) {
    source.onReady(() => this.wake?.());
    if (signal.aborted) source.cancel();
    else signal.addEventListener("abort", this.onAbort, { once: true });
  }

  async next(): Promise<IteratorResult<T, undefined>> {
    for (;;) {
      const value = this.source.take();
      if (value !== undefined) {
        this.count += 1;
        return { value, done: false };
      }
      if (this.source.done) return this.end();
      await new Promise<void>((resolve) => (this.wake = resolve));
      this.wake = undefined;
    }
  }

  return(): Promise<IteratorResult<T, undefined>> {
    this.source.cancel();
    this.wake?.();
    this.close(undefined);
    return Promise.resolve({ value: undefined, done: true });
  }

  private readonly onAbort = (): void => {
    this.source.cancel();
    this.wake?.();
  };

  private end(): IteratorResult<T, undefined> {
    const { failure } = this.source;
    this.close(failure);
    if (failure !== undefined)
      throw failure instanceof Error ? failure : new Error("stream failed", { cause: failure });
    return { value: undefined, done: true };
  }

  private close(failure: unknown): void {
    this.signal.removeEventListener("abort", this.onAbort);
    this.stream.finish({ count: this.count, failure });
  }
}
