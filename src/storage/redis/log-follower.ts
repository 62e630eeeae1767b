import type { Clock } from "../../lib/clock.js";
import type { Change } from "../records.js";
import type { LossReason } from "../storage.js";
import { bounceOf } from "./bounce.js";
import { decodeChange } from "./decode.js";
import { CorruptRecordError } from "./failures.js";
import type { Keys } from "./keys.js";
import { afterRevision, parseEntryId, parseHeads, type Heads } from "./positions.js";
import type { Shard } from "./shards.js";

/** How many entries of each partition to take at a time. */
const BATCH = 500;
/** For how long Redis may keep silent before it is asked where its logs stand, in milliseconds. */
const VERIFY_MS = 1_000;
/** How much longer than that an answer may take before the connection counts as dead. */
const SILENCE_MS = 1_000;
/** How long to wait after a failure that a new connection did not follow. */
const RETRY_MS = 100;

type Entries = readonly (readonly [id: string, fields: readonly string[]])[];

/** Thrown within a follower: the log cannot be followed from here. */
class LogLost extends Error {
  constructor(readonly reason: LossReason) {
    super(`the log was lost: ${reason}`);
  }
}

/** Where the followers have come to together, and who wants to know. */
export interface Following {
  placeOf(partition: number): { readonly epoch: string; readonly revision: number };
  moveTo(partitions: readonly number[], heads: Heads): void;
  deliver(changes: readonly Change[], partition: number, revision: number): void;
  onFollowing(cause?: unknown): void;
  onCorrupt(failure: CorruptRecordError): void;
  onLost(by: LogFollower, reason: LossReason): Promise<void>;
}

/**
 * Follows the logs of one shard by one blocking XREAD.
 *
 * It looks at every id: revisions have no gaps, and the epoch in it is the one that is known. At each new connection, and every
 * second, it asks where the logs stand; that is how it notices a history that was flushed, restored or cut off.
 */
export class LogFollower {
  private verifiedAt = -Infinity;
  private following = false;
  private closed = false;
  /** How often it was moved: what was asked for before is not what is wanted after. */
  private moves = 0;

  constructor(
    readonly shard: Shard,
    private readonly keys: Keys,
    private readonly clock: Clock,
    private readonly all: Following,
  ) {}

  get isFollowing(): boolean {
    return this.following;
  }

  async readHeads(): Promise<Heads> {
    const { logLink, metas } = this.shard;
    const heads = parseHeads(await logLink.call("read-heads", metas, []));
    logLink.time.set(heads.redisMs);
    return heads;
  }

  /** Begins at the heads. */
  begin(heads: Heads): void {
    this.moveTo(heads);
    this.follows();
  }

  /** Goes on from the heads. */
  moveTo(heads: Heads): void {
    this.moves += 1;
    this.all.moveTo(this.shard.partitions, heads);
    this.verifiedAt = this.clock.monotonic();
  }

  /** Whether the heads are not of the log that it follows. */
  isAnotherLog({ epochs }: Heads): boolean {
    return this.shard.partitions.some((partition, index) => epochs[index] !== this.all.placeOf(partition).epoch);
  }

  /** Follows until it is closed. */
  async run(): Promise<void> {
    const { logConnection } = this.shard;
    while (!this.closed && (await logConnection.whenOpen())) {
      try {
        await this.verify();
        this.follows();
        for (;;) await this.step();
      } catch (failure) {
        const bounce = bounceOf(failure);
        // While its slot is on the way to another node nothing is committed, so there is nothing to follow.
        if (bounce?.kind !== "moving") this.unfollows(failure);
        if (bounce?.kind === "moved") logConnection.redirect(bounce.to, failure);
        else if (!this.isClosed && logConnection.isOpen) await this.recover(failure);
      }
    }
  }

  close(): void {
    this.closed = true;
    this.shard.logConnection.close();
  }

  private follows(): void {
    if (this.following) return;
    this.following = true;
    this.all.onFollowing();
  }

  private unfollows(cause: unknown): void {
    if (!this.following) return;
    this.following = false;
    this.all.onFollowing(cause);
  }

  /** One blocking read. Fails when the connection does, or the log is lost. */
  private async step(): Promise<void> {
    const { moves } = this;
    const streams = await this.read();
    if (moves !== this.moves) return;
    for (const [key, entries] of streams ?? []) this.accept(key, entries);
    if (streams === null || this.clock.monotonic() - this.verifiedAt >= VERIFY_MS) await this.verify();
  }

  private async read(): Promise<readonly (readonly [key: string, entries: Entries])[] | null> {
    const { partitions, logConnection } = this.shard;
    const keys = partitions.map((partition) => this.keys.log(partition));
    const ids = partitions.map((partition) => afterRevision(this.all.placeOf(partition).revision));
    return logConnection.ask(VERIFY_MS + SILENCE_MS, (client) =>
      client.xread("COUNT", BATCH, "BLOCK", VERIFY_MS, "STREAMS", ...keys, ...ids),
    );
  }

  /** Takes entries of one partition. What comes before a loss is handed over. */
  private accept(key: string, entries: Entries): void {
    const partition = this.keys.partitionOfKey(key);
    const { epoch, revision: from } = this.all.placeOf(partition);
    const changes: Change[] = [];
    let revision = from;
    try {
      for (const [id, fields] of entries) {
        const entry = parseEntryId(id);
        if (entry.epoch !== epoch) throw new LogLost("epoch");
        if (entry.revision !== revision + 1) throw new LogLost("truncated");
        changes.push(decodeChange(fields[1] ?? "", partition, entry.revision, key));
        revision = entry.revision;
      }
    } finally {
      if (changes.length > 0) this.all.deliver(changes, partition, revision);
    }
  }

  /** Asks where the logs stand, and holds it against what is known. */
  private async verify(): Promise<void> {
    const { moves } = this;
    const heads = await this.readHeads();
    if (moves !== this.moves) return;
    this.verifiedAt = this.clock.monotonic();
    if (this.isAnotherLog(heads)) throw new LogLost("epoch");
    const isAhead = (partition: number, index: number): boolean =>
      (heads.revisions[index] ?? 0) < this.all.placeOf(partition).revision;
    if (this.shard.partitions.some(isAhead)) throw new LogLost("ahead");
  }

  private async recover(failure: unknown): Promise<void> {
    if (failure instanceof CorruptRecordError) this.all.onCorrupt(failure);
    const reason = failure instanceof LogLost ? failure.reason : "truncated";
    try {
      if (!(failure instanceof LogLost || failure instanceof CorruptRecordError)) throw failure;
      await this.all.onLost(this, reason);
    } catch {
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }

  /** Read anew after every wait. */
  private get isClosed(): boolean {
    return this.closed;
  }
}
