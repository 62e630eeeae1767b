import { OpsCoreError } from "../errors/index.js";

/** How long a caller should wait for a slot before it asks again, in milliseconds. */
const RETRY_AFTER_MS = 1000;

/** Counts the calls that stay open: each holds memory for as long as its client likes. */
export class OpenCallLimit {
  private open = 0;

  constructor(private readonly max: number) {}

  /** How many are open. */
  get count(): number {
    return this.open;
  }

  /** @throws TOO_MANY */
  acquire(): void {
    if (this.open >= this.max) {
      throw new OpsCoreError(
        "TOO_MANY",
        `${this.max} streams and waits are open on this server, which is its limit`,
        { limit: String(this.max) },
        { retryAfterMs: RETRY_AFTER_MS },
      );
    }
    this.open += 1;
  }

  release(): void {
    this.open -= 1;
  }
}
