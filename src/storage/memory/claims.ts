import type { Clock } from "../../lib/clock.js";
import { tooManyClaims } from "../refusals.js";
import { CLAIM_MEMORY_MS } from "../storage.js";

/** Which keys were claimed. All are remembered for the same time, so they expire in the order in which they came. */
export class Claims {
  /** When each is forgotten, by the monotonic clock; oldest first. */
  private readonly expiries = new Map<string, number>();

  constructor(
    private readonly clock: Clock,
    private readonly limit: number,
  ) {}

  /** @throws TOO_MANY: to forget one that may still come back would be worse than to refuse one */
  claim(key: string): boolean {
    this.forget();
    if (this.expiries.has(key)) return false;
    if (this.expiries.size >= this.limit) throw tooManyClaims(this.limit);
    this.expiries.set(key, this.clock.monotonic() + CLAIM_MEMORY_MS);
    return true;
  }

  /** Drops what has expired. */
  forget(): void {
    const now = this.clock.monotonic();
    for (const [key, expiresAt] of this.expiries) {
      if (expiresAt > now) return;
      this.expiries.delete(key);
    }
  }
}
