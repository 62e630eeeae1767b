import { serverStopping } from "../../errors/index.js";
import { CorruptRecordError, toFailure } from "./failures.js";
import type { Keys } from "./keys.js";
import type { RedisClient } from "./link.js";
import type { ScriptName } from "./scripts.js";
import type { Shards } from "./shards.js";
import { Turn } from "./turn.js";

/** What a script answers on some partitions. */
export interface ShardReply {
  readonly partitions: readonly number[];
  readonly cells: readonly string[];
}

/** What the parts of the storage call Redis with. */
export class Commands {
  readonly turn: Turn;
  private stopped = false;

  constructor(
    private readonly shards: Shards,
    readonly keys: Keys,
  ) {
    this.turn = new Turn(shards, keys);
  }

  /** Calls a script on one partition, after the hot commands that were called before. */
  async call(name: ScriptName, partition: number, args: readonly string[]): Promise<unknown> {
    this.turn.flush();
    return this.shards.of(partition).link.call(name, [this.keys.meta(partition)], args);
  }

  /** The same for a script that answers one text. */
  async text(name: ScriptName, partition: number, args: readonly string[]): Promise<string> {
    return String(await this.call(name, partition, args));
  }

  /** Calls a script on all partitions: once for those that are reached together, each of which answers a list. */
  async callAll(name: ScriptName, args: readonly string[]): Promise<readonly ShardReply[]> {
    this.turn.flush();
    return Promise.all(
      this.shards.all.map(async ({ link, metas, partitions }) => {
        const reply = await link.call(name, metas, args);
        return { partitions, cells: Array.isArray(reply) ? reply.map(String) : [] };
      }),
    );
  }

  /** Reads what is under one key, by one command. What is there and of another type is not one of our records. */
  async read<T>(key: string, send: (client: RedisClient) => Promise<T>): Promise<T> {
    try {
      return await this.shards.of(this.keys.partitionOfKey(key)).link.command(send);
    } catch (thrown) {
      if (thrown instanceof Error && thrown.message.startsWith("WRONGTYPE")) {
        throw new CorruptRecordError(key, "of another type", thrown);
      }
      throw thrown;
    }
  }

  checkOpen(): void {
    if (this.stopped) throw serverStopping();
  }

  /** Takes no more commands from callers; what the storage itself still has to do, it may. */
  stop(): void {
    this.stopped = true;
  }
}

/** The failure that a script tells of one command among others. */
export function failureOfResult(result: string): unknown {
  const error = new Error(result.slice(1));
  error.name = "ReplyError";
  return toFailure(error);
}

/** What a script refused, as an error. */
export function asError(failure: unknown): Error {
  return failure instanceof Error ? failure : new Error("a script failed", { cause: failure });
}
