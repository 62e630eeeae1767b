import type { Change } from "../records.js";
import type { LogListener, LogTail, LossReason, Position } from "../storage.js";
import type { Connection } from "./connection.js";
import { decodeChange } from "./decode.js";
import { CorruptRecordError, unavailable } from "./failures.js";
import type { Keys } from "./keys.js";
import type { Link } from "./link.js";
import type { RedisStorageSettings } from "./options.js";
import { afterRevision, parseEntryId, parseHeads, toPosition, type Heads } from "./positions.js";

/** How many entries of each partition to take at a time. */
const BATCH = 500;
/** For how long Redis may keep silent before it is asked where its logs stand, in milliseconds. */
const VERIFY_MS = 1_000;
/** How much longer than that an answer may take before the connection counts as dead. */
const SILENCE_MS = 1_000;
/** How long to wait after a failure that a new connection did not follow. */
const RETRY_MS = 100;

type Entries = readonly (readonly [id: string, fields: readonly string[]])[];

/** Thrown within the reader: the log cannot be followed from here. */
class LogLost extends Error {
  constructor(readonly reason: LossReason) {
    super(`the log was lost: ${reason}`);
  }
}

/**
 * Follows the logs of all partitions by one blocking XREAD, once for the whole replica, and hands the changes to all tails. What
 * this replica commits comes this way as well, so that everybody sees one order.
 *
 * The reader looks at every id: revisions have no gaps, and the epoch in it is the one it knows. At each new connection, and every
 * second, it asks where the logs stand; that is how it notices a history that was flushed, restored or cut off. Whatever cannot be
 * followed without a gap is told as lost.
 */
export class LogReader {
  private heads: Heads = { epochs: [], revisions: [], redisMs: 0 };
  private current: Position = { epoch: "", revisions: [] };
  private tails: readonly Tail[] = [];
  private arrivals: (() => void)[] = [];
  private verifiedAt = -Infinity;
  private following = false;
  private closed = false;
  private finished: Promise<void> = Promise.resolve();

  constructor(
    private readonly connection: Connection,
    private readonly link: Link,
    private readonly keys: Keys,
    private readonly settings: RedisStorageSettings,
    /** Called before a lost log is told: the deployment may have been made anew. */
    private readonly onLost: () => Promise<void>,
  ) {}

  /** Begins at the end of the log. */
  async start(): Promise<void> {
    this.moveTo(await this.readHeads());
    this.follows();
    this.finished = this.run();
  }

  /** Up to where changes have been handed over. */
  get position(): Position {
    return this.current;
  }

  /** Whether it follows the log now. */
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
    this.connection.close();
    this.release();
    await this.finished;
  }

  private async run(): Promise<void> {
    while (!this.closed && (await this.connection.whenOpen())) {
      try {
        await this.verify();
        this.follows();
        for (;;) await this.step();
      } catch (failure) {
        this.unfollows(failure);
        if (!this.isClosed && this.connection.isOpen) await this.recover(failure);
      }
    }
  }

  private follows(): void {
    if (this.following) return;
    this.following = true;
    this.settings.onEvent({ kind: "following" });
  }

  private unfollows(cause: unknown): void {
    if (!this.following) return;
    this.following = false;
    if (!this.isClosed) this.settings.onEvent({ kind: "not-following", cause });
  }

  /** One blocking read. Fails when the connection does, or the log is lost. */
  private async step(): Promise<void> {
    const streams = await this.read();
    for (const [key, entries] of streams ?? []) this.accept(key, entries);
    const { clock } = this.settings;
    if (streams === null || clock.monotonic() - this.verifiedAt >= VERIFY_MS) await this.verify();
  }

  private async read(): Promise<readonly (readonly [key: string, entries: Entries])[] | null> {
    const keys = this.current.revisions.map((_, partition) => this.keys.log(partition));
    const ids = this.current.revisions.map(afterRevision);
    // The connection may have died without a sign.
    const silence = setTimeout(() => this.connection.renew(new Error("no answer in time")), VERIFY_MS + SILENCE_MS);
    try {
      return await this.connection.client.xread("COUNT", BATCH, "BLOCK", VERIFY_MS, "STREAMS", ...keys, ...ids);
    } finally {
      clearTimeout(silence);
    }
  }

  /** Takes entries of one partition. What comes before a loss is handed over. */
  private accept(key: string, entries: Entries): void {
    const partition = this.keys.partitionOfLog(key);
    const epoch = this.heads.epochs[partition];
    const changes: Change[] = [];
    let revision = this.current.revisions[partition] ?? 0;
    try {
      for (const [id, fields] of entries) {
        const entry = parseEntryId(id);
        if (entry.epoch !== epoch) throw new LogLost("epoch");
        if (entry.revision !== revision + 1) throw new LogLost("truncated");
        changes.push(decodeChange(fields[1] ?? "", partition, entry.revision, key));
        revision = entry.revision;
      }
    } finally {
      if (changes.length > 0) this.deliver(changes, partition, revision);
    }
  }

  private deliver(changes: readonly Change[], partition: number, revision: number): void {
    const revisions = this.current.revisions.slice();
    revisions[partition] = revision;
    this.current = { epoch: this.current.epoch, revisions };
    for (const tail of this.tails) if (!tail.closed) tail.listener.onChanges(changes, this.current);
    this.release();
  }

  /** Asks where the logs stand, and holds it against what is known. */
  private async verify(): Promise<void> {
    const heads = await this.readHeads();
    this.verifiedAt = this.settings.clock.monotonic();
    const { epochs } = this.heads;
    if (heads.epochs.some((epoch, partition) => epoch !== epochs[partition])) throw new LogLost("epoch");
    const { revisions } = this.current;
    if (heads.revisions.some((revision, partition) => revision < (revisions[partition] ?? 0)))
      throw new LogLost("ahead");
  }

  private async recover(failure: unknown): Promise<void> {
    const { onEvent } = this.settings;
    if (failure instanceof CorruptRecordError) onEvent({ kind: "corrupt", key: failure.key });
    const reason = failure instanceof LogLost ? failure.reason : "truncated";
    const isLoss = failure instanceof LogLost || failure instanceof CorruptRecordError;
    try {
      if (!isLoss) throw failure;
      await this.onLost();
      this.moveTo(await this.readHeads());
      onEvent({ kind: "log-lost", reason });
      for (const tail of this.tails) if (!tail.closed) tail.listener.onLost(reason, this.current);
      this.release();
    } catch {
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }

  private async readHeads(): Promise<Heads> {
    const heads = parseHeads(await this.link.call("read-heads", this.keys.metas, []));
    this.link.time.set(heads.redisMs);
    return heads;
  }

  private moveTo(heads: Heads): void {
    this.heads = heads;
    this.current = toPosition(heads);
    this.verifiedAt = this.settings.clock.monotonic();
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

class Tail implements LogTail {
  closed = false;

  constructor(
    readonly start: Position,
    readonly listener: LogListener,
    private readonly onClose: (tail: Tail) => void,
  ) {}

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.onClose(this);
  }
}
