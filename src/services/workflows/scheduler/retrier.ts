import { isCorrupt } from "../../../errors/index.js";
import { isAway, isRefusal } from "../refusal.js";
import type { Delays } from "./delays.js";

/** How long to wait after the storage could not be reached, in milliseconds. */
const RETRY_MS = 250;
/** The longest wait after what may never pass. */
const MAX_RETRY_MS = 60_000;

/**
 * Does things again until they succeed or are refused. While the storage is away everything waits for it. Any other failure is a defect,
 * or a record that somebody has damaged, and may never pass: it is that one thing's alone, and is tried ever less often.
 */
export class Retrier {
  private waiting = false;
  /** The storage is away, and that was told. */
  private told = false;
  private stopped = false;

  /** @param onFailure told of the first of several failures in a row: of those of the storage, and of each other thing's */
  constructor(
    private readonly delays: Delays,
    private readonly onFailure: (thrown: unknown) => void,
  ) {}

  /** The storage could not be reached a moment ago, and nothing has succeeded since. */
  get isWaiting(): boolean {
    return this.waiting;
  }

  stop(): void {
    this.stopped = true;
  }

  /** Does it now. A refusal ends it: another replica has done it, or it was overtaken. */
  run(action: () => Promise<void>): void {
    this.attempt(action, 0);
  }

  /** Does it soon: who listens to the log must not call the storage at once. */
  soon(action: () => Promise<void>): void {
    setImmediate(() => {
      if (!this.stopped) this.run(action);
    });
  }

  succeeded(): void {
    this.waiting = false;
    this.told = false;
  }

  /** The storage is away. @param again what to do after a while */
  away(thrown: unknown, again: () => void): void {
    if (this.stopped) return;
    if (!this.told) this.onFailure(thrown);
    this.told = true;
    this.waiting = true;
    this.delays.add(RETRY_MS, () => {
      this.waiting = false;
      again();
    });
  }

  /** What was done has failed by itself. @param before how often it has already. @param again what to do after a while */
  broken(thrown: unknown, before: number, again: () => void): void {
    if (this.stopped) return;
    if (before === 0) this.onFailure(thrown);
    this.delays.add(Math.min(MAX_RETRY_MS, RETRY_MS * 2 ** before), again);
  }

  private attempt(action: () => Promise<void>, failures: number): void {
    action().then(
      () => this.succeeded(),
      (thrown: unknown) => {
        if (isAway(thrown)) this.away(thrown, () => this.attempt(action, failures));
        else if (isRefusal(thrown) && !isCorrupt(thrown)) this.succeeded();
        else this.broken(thrown, failures, () => this.attempt(action, failures + 1));
      },
    );
  }
}
