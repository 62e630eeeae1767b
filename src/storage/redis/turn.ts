import type { Keys } from "./keys.js";
import type { Link } from "./link.js";
import type { Shard, Shards } from "./shards.js";

/** How many commands go to Redis in one call at most: while it runs them, it does nothing else. */
const MAX_COMMANDS = 256;
/** About how much text goes to Redis in one call at most, in characters. */
const MAX_LENGTH = 1024 * 1024;

interface Waiting {
  readonly resolve: (result: string) => void;
  readonly reject: (failure: unknown) => void;
}

/**
 * The hot commands of one turn of the event loop, which go to Redis in one call, in the order in which they were made; in a Cluster
 * in one call for each partition. That was measured to be better than a call for each, pipelined or not.
 */
export class Turn {
  private readonly batches: ReadonlyMap<Shard, Batch>;
  private scheduled = false;

  constructor(
    private readonly shards: Shards,
    private readonly keys: Keys,
  ) {
    this.batches = new Map(shards.all.map((shard) => [shard, new Batch(shard.link)]));
  }

  /**
   * Adds a command for `lua/apply-turn.lua`.
   *
   * @param metaKey of the partition that it touches
   * @param parts what the command is, after its kind and partition
   * @returns its result as text
   */
  add(kind: "R" | "L", metaKey: string, ...parts: readonly string[]): Promise<string> {
    const batch = this.batches.get(this.shards.of(this.keys.partitionOfKey(metaKey)));
    if (batch === undefined) throw new RangeError(`${metaKey} is in no shard`);
    const result = batch.add(kind, metaKey, parts);
    this.schedule();
    return result;
  }

  /** Sends what there is, before something that was called later. */
  flush(): void {
    for (const batch of this.batches.values()) batch.flush();
  }

  /** Sends what there is; answers when it was answered, or failed. */
  async drain(): Promise<void> {
    this.flush();
    await Promise.all([...this.batches.values()].map((batch) => batch.drained()));
  }

  /** After the I/O of this turn, so that what several callers reported goes out together. */
  private schedule(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    setImmediate(() => {
      this.scheduled = false;
      this.flush();
    });
  }
}

/** What goes out over one link. */
class Batch {
  private keys: string[] = [];
  private args: string[] = [];
  private waiting: Waiting[] = [];
  private length = 0;
  private lastCall: Promise<unknown> = Promise.resolve();

  constructor(private readonly link: Link) {}

  add(kind: string, metaKey: string, parts: readonly string[]): Promise<string> {
    return new Promise<string>((resolve, reject) => {
      this.args.push(kind, String(this.place(metaKey)), ...parts);
      this.waiting.push({ resolve, reject });
      for (const part of parts) this.length += part.length;
      if (this.waiting.length >= MAX_COMMANDS || this.length >= MAX_LENGTH) this.flush();
    });
  }

  flush(): void {
    const { keys, args, waiting } = this;
    if (waiting.length === 0) return;
    this.keys = [];
    this.args = [];
    this.waiting = [];
    this.length = 0;
    this.lastCall = this.link.call("apply-turn", keys, args).then(
      (reply) => {
        const results: readonly unknown[] = Array.isArray(reply) ? reply : [];
        waiting.forEach(({ resolve }, index) => resolve(String(results[index])));
      },
      (failure: unknown) => {
        for (const { reject } of waiting) reject(failure);
      },
    );
  }

  async drained(): Promise<void> {
    await this.lastCall;
  }

  /** The partition's place among the keys of this turn, from 1 as in Lua. A turn touches few partitions. */
  private place(metaKey: string): number {
    const index = this.keys.indexOf(metaKey);
    return index === -1 ? this.keys.push(metaKey) : index + 1;
  }
}
