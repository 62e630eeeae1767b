import type { Clock } from "../../lib/clock.js";
import { pause } from "../pause.js";
import type { WebhookBody, WebhookRecord } from "./record.js";
import type { WebhookStore } from "./store.js";

/** Times are in milliseconds. */
export interface ClaimOptions {
  readonly clock: Clock;
  /** How often a replica shows that it still sends. */
  readonly beatMs: number;
  /** How long a replica sends on that cannot show it. Shorter than the time after which others take over. */
  readonly leaseMs: number;
  /** Told of what goes wrong here, not at the receiver. */
  readonly onFailure: (thrown: unknown) => void;
}

const LET_GO: Partial<WebhookBody> = { owner: "" };

/** What a claim tells the one that sends. */
export interface ClaimListener {
  /** Somebody else sends, or nobody shall. Nothing may be sent any more. */
  onLost(): void;
  /** The webhook was set back: what is on its way belongs to the time before. */
  onSetBack(): void;
  /** Others may be about to take over. Nothing may be on its way until the claim is {@link Claim.held} again. */
  onLapse(): void;
}

/**
 * That this replica is the one that sends for a webhook. Every step is written down by compare-and-set on the webhook's one document:
 * who was replaced, deleted or set back learns it there.
 *
 * The invariant: a replica has nothing on its way later than `leaseMs` after it began the last write that went well, by its own
 * monotonic clock, and another one takes over no earlier than `takeoverMs` after it saw that write, by its. So of two replicas only one
 * sends, as long as both clocks run about equally fast.
 */
export class Claim {
  /** What is not written yet. */
  private pending: Partial<WebhookBody> = {};
  private writing: Promise<void> = Promise.resolve();
  private isWriting = false;
  /** When the last write began that went well. */
  private shownAt: number;
  private readonly beat: NodeJS.Timeout;
  private lapse: NodeJS.Timeout | undefined;
  private isOver = false;
  private readonly sender: string;

  /**
   * @param current as it was written when this replica took it
   * @param shownAt when that write began, by the monotonic clock
   */
  constructor(
    private current: WebhookRecord,
    shownAt: number,
    private readonly store: WebhookStore,
    private readonly listener: ClaimListener,
    private readonly options: ClaimOptions,
  ) {
    this.sender = current.owner;
    this.shownAt = shownAt;
    // A storage that does not answer is not asked again and again.
    this.beat = setInterval(() => {
      if (!this.isWriting) void this.save({});
    }, options.beatMs).unref();
    this.awaitLapse();
  }

  /** What the webhook is, as far as it is known here. */
  get record(): WebhookRecord {
    return this.current;
  }

  /** Takes note of what the webhook is by now, as somebody has read it; undefined: it is gone. */
  look(read: WebhookRecord | undefined): void {
    if (read === undefined) this.listener.onLost();
    else if (read.replay !== this.current.replay) void this.save({});
  }

  /** Writes a change down. When that cannot be done now, it is done with the next one. Never rejects. */
  save(change: Partial<WebhookBody>): Promise<void> {
    this.current = { ...this.current, ...change };
    if (Object.keys(change).length > 0) this.pending = { ...this.pending, ...change };
    this.writing = this.writing
      .then(() => this.write())
      .catch((thrown: unknown) => {
        if (!this.isOver) this.options.onFailure(thrown);
      });
    return this.writing;
  }

  /** Waits until all is written and this replica has lately shown that it sends, or need not any more. */
  async held(signal: AbortSignal): Promise<void> {
    while (!signal.aborted && !this.isHeld()) {
      await this.save({});
      if (!this.isHeld()) await pause(this.options.beatMs, signal);
    }
  }

  /** Writes what is left, and lets others take the webhook at once. Failing that, they take it when its time is over. */
  async release(): Promise<void> {
    this.isOver = true;
    clearInterval(this.beat);
    clearTimeout(this.lapse);
    await this.save(LET_GO);
  }

  private isHeld(): boolean {
    return this.isFresh && Object.keys(this.pending).length === 0;
  }

  /** Whether something may be on its way. */
  private get isFresh(): boolean {
    return this.age < this.options.leaseMs;
  }

  private get age(): number {
    return this.options.clock.monotonic() - this.shownAt;
  }

  private awaitLapse(): void {
    clearTimeout(this.lapse);
    if (this.isOver) return;
    // Timers may come a little early by the clock.
    const left = Math.max(1, Math.ceil(this.options.leaseMs - this.age));
    this.lapse = setTimeout(() => {
      if (this.isFresh) this.awaitLapse();
      else this.listener.onLapse();
    }, left).unref();
  }

  private async write(): Promise<void> {
    this.isWriting = true;
    try {
      await this.writeNow();
    } finally {
      this.isWriting = false;
    }
  }

  private async writeNow(): Promise<void> {
    for (;;) {
      const { pending, current } = this;
      const began = this.options.clock.monotonic();
      const written = await this.store.write({ ...current, beat: current.beat + 1 });
      if (written === undefined) {
        if (await this.catchUp()) continue;
        return;
      }
      // What came in meanwhile is still to be written.
      if (this.pending === pending) this.pending = {};
      this.current = { ...this.current, beat: written.beat, revision: written.revision };
      this.shownAt = began;
      this.awaitLapse();
      return;
    }
  }

  /**
   * Somebody else has changed the webhook: took it, deleted it, or set it back. Or a write went well of which nobody was told.
   *
   * @returns whether this replica still sends for it
   */
  private async catchUp(): Promise<boolean> {
    const read = await this.store.read(this.current);
    if (read?.owner !== this.sender) {
      if (!this.isOver) this.listener.onLost();
      return false;
    }
    const isSetBack = read.replay !== this.current.replay;
    // What was on its way belongs to the time before.
    if (isSetBack) this.pending = this.isOver ? LET_GO : {};
    this.current = { ...read, ...this.pending };
    if (isSetBack) this.listener.onSetBack();
    return true;
  }
}
