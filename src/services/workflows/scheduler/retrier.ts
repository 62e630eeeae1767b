import { isRefusal } from "../refusal.js";
import type { Delays } from "./delays.js";

/** How long to wait after the storage could not be reached, in milliseconds. */
const RETRY_MS = 250;

/** Does things again until they succeed or are refused. */
export class Retrier {
  private waiting = false;
  private stopped = false;

  /** @param onFailure told of the first of several failures in a row */
  constructor(
    private readonly delays: Delays,
    private readonly onFailure: (thrown: unknown) => void,
  ) {}

  /** Something failed a moment ago, and nothing has succeeded since. */
  get isWaiting(): boolean {
    return this.waiting;
  }

  stop(): void {
    this.stopped = true;
  }

  /** Does it now. A refusal ends it: another replica has done it, or it was overtaken. */
  run(action: () => Promise<void>): void {
    action().then(
      () => this.succeeded(),
      (thrown: unknown) => {
        if (isRefusal(thrown)) this.succeeded();
        else this.failed(thrown, () => this.run(action));
      },
    );
  }

  /** Does it soon: who listens to the log must not call the storage at once. */
  soon(action: () => Promise<void>): void {
    setImmediate(() => {
      if (!this.stopped) this.run(action);
    });
  }

  succeeded(): void {
    this.waiting = false;
  }

  /** @param again what to do after a while */
  failed(thrown: unknown, again: () => void): void {
    if (this.stopped) return;
    if (!this.waiting) this.onFailure(thrown);
    this.waiting = true;
    this.delays.add(RETRY_MS, () => {
      this.waiting = false;
      again();
    });
  }
}
