import type { Redis } from "ioredis";
import type { Clock } from "../../lib/clock.js";

/** What the clock of one Redis shows, told from here: a command says until when, by that clock, it is wanted. */
export class RedisTime {
  private offset: number | undefined;

  constructor(private readonly clock: Clock) {}

  /** @param redisMs what Redis's clock showed just now */
  set(redisMs: number): void {
    this.offset = redisMs - this.clock.monotonic();
  }

  /** Looks at the clock of another server. */
  async read(client: Redis): Promise<void> {
    const [seconds = 0, micros = 0] = await client.time();
    this.set(seconds * 1_000 + micros / 1_000);
  }

  /** Milliseconds since 1970; undefined before it was ever told. */
  get now(): number | undefined {
    return this.offset === undefined ? undefined : this.clock.monotonic() + this.offset;
  }
}
