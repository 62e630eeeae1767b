import type { Change } from "../records.js";
import type { LogListener, LogTail, LossReason, Position } from "../storage.js";
import { Tail } from "../tail.js";
import { type CorruptRecordError, unavailable } from "./failures.js";
import type { Keys } from "./keys.js";
import { LogFollower } from "./log-follower.js";
import type { RedisStorageSettings } from "./options.js";
import { combineEpochs, parseHeads, type Heads } from "./positions.js";
import type { Shards } from "./shards.js";

/**
 * Follows the logs of all partitions, once for the whole replica, and hands the changes to all tails. What this replica commits comes
 * this way as well, so that everybody sees one order.
 *
 * Each shard has a follower of its own; here is where they have come to together. Whatever one of them cannot follow without a gap is
 * told as lost.
 */
export class LogReader {
  private readonly followers: readonly LogFollower[];
  private epochs: string[] = [];
  private current: Position = { epoch: "", revisions: [] };
  private tails: readonly Tail[] = [];
  private arrivals: (() => void)[] = [];
  private following = false;
  private closed = false;
  private finished: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly shards: Shards,
    keys: Keys,
    private readonly settings: RedisStorageSettings,
    /** Called before a lost log is told: the deployment may have been made anew. */
    private readonly checkDeployment: () => Promise<void>,
  ) {
    this.followers = shards.all.map((shard) => new LogFollower(shard, keys, settings.clock, this));
  }

  /** Begins at the end of the log. */
  async start(): Promise<void> {
    const heads = await Promise.all(this.followers.map((follower) => follower.readHeads()));
    heads.forEach((each, index) => this.followers[index]?.begin(each));
    this.finished = Promise.all(this.followers.map((follower) => follower.run()));
  }

  /** Up to where changes have been handed over. */
  get position(): Position {
    return this.current;
  }

  /** Whether all logs are followed now. */
  get isFollowing(): boolean {
    return this.following;
  }

  /** @returns a tail that begins where the log ends now */
  async tail(listener: LogListener, end: Position): Promise<LogTail> {
    await this.arrivedAt(end);
    const tail = new Tail(this.current, listener, (closed) => {
      this.tails = this.tails.filter((other) => other !== closed);
    });
    this.tails = [...this.tails, tail];
    return tail;
  }

  async close(): Promise<void> {
    this.closed = true;
    for (const tail of this.tails) tail.close();
    for (const follower of this.followers) follower.close();
    this.release();
    await this.finished;
  }

  /** A partition's epoch, and its newest revision that was handed over. */
  placeOf(partition: number): { readonly epoch: string; readonly revision: number } {
    return { epoch: this.epochs[partition] ?? "", revision: this.current.revisions[partition] ?? 0 };
  }

  /** The next changes of one partition. */
  deliver(changes: readonly Change[], partition: number, revision: number): void {
    const revisions = this.current.revisions.slice();
    revisions[partition] = revision;
    this.current = { epoch: this.current.epoch, revisions };
    for (const tail of this.tails) if (!tail.closed) tail.listener.onChanges(changes);
    this.release();
  }

  /** Goes on elsewhere with some partitions. Tells nobody. */
  moveTo(partitions: readonly number[], { epochs, revisions }: Heads): void {
    const moved = this.current.revisions.slice();
    partitions.forEach((partition, index) => {
      this.epochs[partition] = epochs[index] ?? "";
      moved[partition] = revisions[index] ?? 0;
    });
    this.current = { epoch: combineEpochs(this.epochs), revisions: moved };
  }

  /** A follower has begun or ceased to follow. */
  onFollowing(cause?: unknown): void {
    const following = this.followers.every(({ isFollowing }) => isFollowing);
    if (following === this.following || this.closed) return;
    this.following = following;
    this.settings.onEvent(following ? { kind: "following" } : { kind: "not-following", cause });
  }

  onCorrupt({ key }: CorruptRecordError): void {
    this.settings.onEvent({ kind: "corrupt", key });
  }

  /**
   * The log of a follower was lost. Others may have lost theirs by the same event and not know yet; their losses are told with this
   * one.
   */
  async onLost(by: LogFollower, reason: LossReason): Promise<void> {
    await this.checkDeployment();
    const heads = await by.readHeads();
    const others = await Promise.all(this.followers.filter((other) => other !== by).map((other) => this.lossOf(other)));
    by.moveTo(heads);
    for (const other of others) other?.follower.moveTo(other.heads);
    this.settings.onEvent({ kind: "log-lost", reason });
    for (const tail of this.tails) if (!tail.closed) tail.listener.onLost(reason, this.current);
    this.release();
  }

  /** Where a follower must go on, should its log be another one by now. One that cannot be asked finds out for itself. */
  private async lossOf(follower: LogFollower): Promise<{ follower: LogFollower; heads: Heads } | undefined> {
    try {
      const { shard } = follower;
      const heads = parseHeads(await shard.link.call("read-heads", shard.metas, []));
      return follower.isAnotherLog(heads) ? { follower, heads } : undefined;
    } catch {
      return undefined;
    }
  }

  /** Answers when everything up to `end` was handed over, or `end` is of another history. */
  private async arrivedAt(end: Position): Promise<void> {
    const { commandTimeoutMs, clock } = this.settings;
    const deadline = clock.monotonic() + commandTimeoutMs;
    const timer = setTimeout(() => this.release(), commandTimeoutMs);
    try {
      while (end.epoch === this.current.epoch && end.revisions.some((r, p) => r > (this.current.revisions[p] ?? 0))) {
        if (this.isClosed || clock.monotonic() >= deadline) throw unavailable(new Error("the log is not followed now"));
        await new Promise<void>((resolve) => this.arrivals.push(resolve));
      }
    } finally {
      clearTimeout(timer);
    }
  }

  private release(): void {
    const { arrivals } = this;
    this.arrivals = [];
    for (const resolve of arrivals) resolve();
  }

  /** Read anew after every wait. */
  private get isClosed(): boolean {
    return this.closed;
  }
}
