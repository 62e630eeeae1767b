import { Ending } from "../ending.js";
import type { Batch, Resync, Synced } from "./resuming-stream.js";

/** Where a watch gets its batches from. */
export interface BatchSource<Item> {
  next(): Promise<Batch<Item> | undefined>;
  close(): void;
}

type Result<T> = IteratorResult<T, undefined>;

const DONE: Result<never> = { done: true, value: undefined };

/**
 * A running watch: an async iterable that reconnects and resumes by itself, to be iterated once, item by item or with
 * {@link Watch.batches}.
 *
 * It ends, and with it the call on the server, when the loop is left (`break`, `return`, `throw`), when {@link Watch.close} is called,
 * when its signal aborts, when the client is closed, and when the server has nothing more to say (every watched agent is gone). All of
 * these end the loop without an error, at once, also while it waits. It throws a `ConnectError` for what trying again does not mend,
 * such as INVALID_ARGUMENT or UNAUTHENTICATED.
 */
export class Watch<Entry> implements AsyncIterableIterator<Entry | Synced | Resync, undefined>, AsyncDisposable {
  /** What is being handed over, from `at` on, and the position after it. */
  private batch: Batch<Entry | Synced | Resync>;
  private at = 0;
  /** The position after everything that was handed over. */
  private token: string;
  private readonly ending = new Ending();
  /** The last pull, while it is under way: iterators may be asked again before they have answered. */
  private pulling: Promise<void> | undefined;

  /**
   * @param source where batches come from
   * @param resumeToken where the watch starts; empty: anew
   * @param onEnd called once, when the watch has ended for whatever reason
   */
  constructor(
    private readonly source: BatchSource<Entry | Synced | Resync>,
    resumeToken: string,
    onEnd: () => void,
  ) {
    this.ending.onEnd(onEnd);
    this.token = resumeToken;
    this.batch = { items: [], resumeToken };
  }

  /**
   * Where another watch, with the same filter, goes on: after everything this one has handed over. Positions exist between the
   * server's batches only, so while a batch is handed over item by item the token still stands before it, and moves when its last item
   * is handed over. Store it after having handled an item, and a new watch that starts from it misses nothing; it repeats nothing
   * either if the item was the last of its batch, which is always so with {@link Watch.batches}.
   *
   * Empty while there is nothing to go on from: before `synced`, and between `resync` and the next `synced`. Start such a watch anew.
   */
  get resumeToken(): string {
    return this.token;
  }

  next(): Promise<Result<Entry | Synced | Resync>> {
    if (this.pulling === undefined && this.at < this.batch.items.length) return Promise.resolve(this.take());
    return this.inTurn(async () => ((await this.pull()) ? this.take() : DONE));
  }

  /** Ends the watch; the server sees its call canceled. */
  return(): Promise<Result<never>> {
    this.close();
    return Promise.resolve(DONE);
  }

  /** Ends the watch; a loop that waits for its next item ends now. Harmless when it has ended. */
  close(): void {
    if (this.ending.hasEnded()) return;
    this.source.close();
    this.ending.end();
  }

  /**
   * The same watch by batches: what the server sent in one message, so one turn of the loop for many items. For consumers that take
   * thousands of events a second, or that store {@link Watch.resumeToken} with what they did.
   */
  batches(): AsyncIterableIterator<readonly (Entry | Synced | Resync)[], undefined> {
    const batches: AsyncIterableIterator<readonly (Entry | Synced | Resync)[], undefined> = {
      next: () => this.inTurn(async () => ((await this.pull()) ? this.takeAll() : DONE)),
      return: () => this.return(),
      [Symbol.asyncIterator]: () => batches,
    };
    return batches;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  private take(): Result<Entry | Synced | Resync> {
    const value = this.batch.items[this.at];
    if (this.ending.hasEnded() || value === undefined) return DONE;
    this.at += 1;
    if (this.at === this.batch.items.length) this.token = this.batch.resumeToken;
    return { done: false, value };
  }

  private takeAll(): Result<readonly (Entry | Synced | Resync)[]> {
    const value = this.at === 0 ? this.batch.items : this.batch.items.slice(this.at);
    this.at = this.batch.items.length;
    this.token = this.batch.resumeToken;
    return { done: false, value };
  }

  /** Makes sure that there is something to take; false when there is nothing more. */
  private async pull(): Promise<boolean> {
    while (!this.ending.hasEnded() && this.at >= this.batch.items.length) {
      try {
        const batch = await this.source.next();
        if (batch === undefined) {
          this.close();
        } else if (!this.ending.hasEnded()) {
          this.batch = batch;
          this.at = 0;
          if (batch.items.length === 0) this.token = batch.resumeToken;
        }
      } catch (error) {
        this.close();
        throw error;
      }
    }
    return !this.ending.hasEnded();
  }

  /** Runs `step` after the step before it, so that answers come in the order of the questions. */
  private inTurn<T>(step: () => Promise<T>): Promise<T> {
    const result = this.pulling === undefined ? step() : this.pulling.then(step);
    const turn = result.then(ignore, ignore);
    this.pulling = turn;
    void turn.then(() => {
      if (this.pulling === turn) this.pulling = undefined;
    });
    return result;
  }
}

function ignore(): void {
  // Whoever asked for the result sees the failure.
}
