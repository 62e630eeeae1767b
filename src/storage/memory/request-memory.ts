import type { Clock } from "../../lib/clock.js";
import { REQUEST_MEMORY_MS } from "../storage.js";
import { Ring } from "./ring.js";

interface Remembered<T> {
  readonly key: string;
  readonly answer: T;
  readonly bytes: number;
  readonly expiresAt: number;
}

/**
 * Answers to requests that came with a `requestId`, so that a repeat gets the first answer again. All are kept for the same time,
 * so they expire in the order in which they came.
 */
export class RequestMemory<T> {
  private readonly answers = new Map<string, Remembered<T>>();
  private readonly byAge = new Ring<Remembered<T>>();
  private bytes = 0;

  constructor(
    private readonly clock: Clock,
    private readonly capacity: number,
    private readonly maxBytes: number,
  ) {}

  recall(key: string): T | undefined {
    this.forget();
    return this.answers.get(key)?.answer;
  }

  /**
   * @param key one that `recall` did not know
   * @param bytes about how much the answer keeps alive
   */
  remember(key: string, answer: T, bytes: number): void {
    const remembered = { key, answer, bytes, expiresAt: this.clock.monotonic() + REQUEST_MEMORY_MS };
    this.answers.set(key, remembered);
    this.byAge.push(remembered);
    this.bytes += bytes;
    this.forget();
  }

  /** Drops what has expired and what there is no room for. */
  forget(): void {
    const now = this.clock.monotonic();
    for (let oldest = this.byAge.at(0); oldest !== undefined; oldest = this.byAge.at(0)) {
      const fits = this.byAge.length <= this.capacity && this.bytes <= this.maxBytes;
      if (fits && oldest.expiresAt > now) return;
      this.byAge.shift();
      this.bytes -= oldest.bytes;
      this.answers.delete(oldest.key);
    }
  }
}

/** Where the answer to a request is kept: a `requestId` is one for each command and entity. */
export function requestKey(namespace: string, entityId: string, requestId: string): string {
  return `${namespace}\0${entityId}\0${requestId}`;
}
