import { toJsonString } from "@bufbuild/protobuf";
import { WatchKind } from "../../../gen/opscore/v1/common_pb.js";
import { WatchStateResponseSchema, type WatchStateResponse } from "../../../gen/opscore/v1/state_service_pb.js";
import type { Clock } from "../../lib/clock.js";
import { post, type OutboundOutcome } from "../outbound/post.js";
import { signedHeaders } from "../outbound/sign.js";
import type { WebhookBody, WebhookRecord } from "./record.js";
import type { WebhookStore } from "./store.js";
import { openWatch, type WatchState } from "./watch.js";

export const WEBHOOK_HEADER = "x-opscore-webhook";
export const DELIVERY_HEADER = "x-opscore-delivery";

/** Times are in milliseconds. */
export interface DeliveryOptions {
  readonly clock: Clock;
  readonly watchState: WatchState;
  /** Whether addresses inside may be reached. */
  readonly allowInside: boolean;
  /** For how long a receiver may take to answer. */
  readonly timeoutMs: number;
  /** After how many attempts a message is given up. */
  readonly maxAttempts: number;
  /** How long to wait after the first failure; doubled after each further one, up to the most. */
  readonly initialBackoffMs: number;
  readonly maxBackoffMs: number;
  /** How often a replica shows that it still sends. */
  readonly beatMs: number;
  /** How long a replica goes on sending that could not show it. Shorter than the time after which others take over. */
  readonly holdMs: number;
  /** From 0 up to 1. */
  readonly random: () => number;
  /** Told of what goes wrong here, not at the receiver. */
  readonly onFailure: (thrown: unknown) => void;
}

/** For how long a request that is on its way may still be answered when this replica stops, in milliseconds. */
const GRACE_MS = 2_000;
const MAX_ERROR = 1_000;
/** Of a backoff, so much more or less. */
const JITTER = 0.2;

/**
 * Sends what one webhook watches, one message after another, as long as this replica is the one that does. Every step is written down
 * before the next, by compare-and-set on the webhook's one document: who was replaced, deleted or set back learns it there.
 */
export class Delivery {
  /** Answers when nothing is sent any more. */
  readonly done: Promise<void>;
  private readonly ending = new AbortController();
  /** Of the watch that is open: it ends with that, and when the webhook is set back. */
  private round = new AbortController();
  /** Of the request that is on its way. */
  private cut = new AbortController();
  /** What is not written yet. */
  private pending: Partial<WebhookBody> = {};
  private writing: Promise<void> = Promise.resolve();
  private writtenAt: number;

  /** @param record as it was written when this replica took it */
  constructor(
    private record: WebhookRecord,
    private readonly store: WebhookStore,
    private readonly options: DeliveryOptions,
  ) {
    this.writtenAt = options.clock.monotonic();
    this.done = this.run();
  }

  /** Ends, and leaves the webhook to others. A request that is on its way may still be answered for a while. */
  stop(): void {
    const { cut } = this;
    this.ending.abort();
    this.round.abort();
    const grace = setTimeout(() => cut.abort(), GRACE_MS).unref();
    cut.signal.addEventListener("abort", () => clearTimeout(grace));
  }

  /** Ends at once: somebody else sends, or nobody shall. */
  private leave(): void {
    this.ending.abort();
    this.round.abort();
    this.cut.abort();
  }

  /** Takes note of what the webhook is by now, as somebody has read it; undefined: it is gone. */
  look(current: WebhookRecord | undefined): void {
    if (current === undefined) this.leave();
    else if (current.replay !== this.record.replay) void this.save({});
  }

  private async run(): Promise<void> {
    const { beatMs, onFailure } = this.options;
    const beat = setInterval(() => void this.save({}), beatMs).unref();
    try {
      while (!this.ending.signal.aborted) {
        this.round = new AbortController();
        this.cut = new AbortController();
        await this.follow(this.round.signal).catch((thrown: unknown) => {
          if (!this.round.signal.aborted) onFailure(thrown);
        });
        // A watch that ends by itself (of agents that are gone, or because the server stops) is not opened again at once.
        if (!this.round.signal.aborted) await pause(beatMs, this.round.signal);
      }
    } finally {
      clearInterval(beat);
      await this.writing;
      await this.release();
    }
  }

  private async follow(signal: AbortSignal): Promise<void> {
    let resyncing = false;
    const { namespace } = this.record;
    for await (const message of openWatch(this.options.watchState, namespace, this.record, signal)) {
      if (signal.aborted) return;
      if (message.kind === WatchKind.RESYNC) resyncing = true;
      if (resyncing || message.kind === WatchKind.EVENTS) await this.deliver(message, signal);
      else await this.save({ resumeToken: message.resumeToken });
      if (message.kind === WatchKind.SYNCED) resyncing = false;
    }
  }

  /** Sends a message until it was answered, or is given up. */
  private async deliver(message: WatchStateResponse, signal: AbortSignal): Promise<void> {
    const { clock, maxAttempts } = this.options;
    const delivery = this.record.delivery + 1;
    const body = toJsonString(WatchStateResponseSchema, message);
    // In the middle of a RESYNC there is nowhere to go on from.
    const resumeToken = message.resumeToken === "" ? this.record.resumeToken : message.resumeToken;
    const done = { resumeToken, delivery, failedAttempts: 0 };
    const { replay } = this.record;
    // Those of the replica before count.
    for (let attempts = this.record.failedAttempts + 1; ; attempts += 1) {
      await this.hold(signal);
      if (signal.aborted) return;
      const failure = await this.attempt(delivery, body);
      // Where it was set back to is not where this message leads.
      if (this.record.replay !== replay) return;
      if (failure === undefined) {
        const deliveredCount = this.record.deliveredCount + 1;
        await this.save({ ...done, deliveredCount, lastError: "", deliveryTime: clock.now() });
        return;
      }
      // It was not the receiver that failed.
      if (isAborted(signal)) return;
      if (attempts >= maxAttempts) {
        await this.giveUp(message, delivery, attempts, failure);
        await this.save({ ...done, deadCount: this.record.deadCount + 1, lastError: failure });
        return;
      }
      await this.save({ failedAttempts: attempts, lastError: failure });
      await pause(this.backoff(attempts), signal);
    }
  }

  /** @returns why it failed; undefined when it was answered with 2xx */
  private async attempt(delivery: number, body: string): Promise<string | undefined> {
    const { clock, timeoutMs, allowInside } = this.options;
    const { url, secret, webhookId } = this.record;
    const outcome = await post({
      url,
      body,
      headers: {
        ...signedHeaders(secret, body, clock.now()),
        [WEBHOOK_HEADER]: webhookId,
        [DELIVERY_HEADER]: String(delivery),
      },
      timeoutMs,
      allowInside,
      signal: this.cut.signal,
    });
    return failureOf(outcome);
  }

  private async giveUp(
    { events }: WatchStateResponse,
    delivery: number,
    attempts: number,
    error: string,
  ): Promise<void> {
    const { resumeToken } = this.record;
    const dead = {
      delivery,
      eventCount: events.length,
      attempts,
      error,
      deadTime: this.options.clock.now(),
      resumeToken,
    };
    await this.store.addDead(this.record, dead);
  }

  /** Waits until this replica has lately shown that it sends, or need not any more: others may have taken over. */
  private async hold(signal: AbortSignal): Promise<void> {
    const { clock, holdMs, beatMs } = this.options;
    while (!signal.aborted && clock.monotonic() - this.writtenAt > holdMs) {
      await this.save({});
      if (clock.monotonic() - this.writtenAt > holdMs) await pause(beatMs, signal);
    }
  }

  private backoff(attempts: number): number {
    const { initialBackoffMs, maxBackoffMs, random } = this.options;
    const ms = Math.min(maxBackoffMs, initialBackoffMs * 2 ** (attempts - 1));
    return ms * (1 - JITTER + 2 * JITTER * random());
  }

  /** Writes a change down. When that cannot be done now, it is done with the next one. Never rejects. */
  private save(change: Partial<WebhookBody>): Promise<void> {
    this.record = { ...this.record, ...change };
    this.pending = { ...this.pending, ...change };
    this.writing = this.writing
      .then(() => this.write())
      .catch((thrown: unknown) => {
        if (!this.ending.signal.aborted) this.options.onFailure(thrown);
      });
    return this.writing;
  }

  private async write(): Promise<void> {
    const { pending, record } = this;
    const next = { ...record, beat: record.beat + 1 };
    const written = await this.store.write(next);
    if (written === undefined) {
      await this.catchUp();
      return;
    }
    // What came in meanwhile is still to be written.
    if (this.pending === pending) this.pending = {};
    this.record = { ...this.record, beat: written.beat, revision: written.revision };
    this.writtenAt = this.options.clock.monotonic();
  }

  /** Somebody else has changed the webhook: took it, deleted it, or set it back. */
  private async catchUp(): Promise<void> {
    const current = await this.store.read(this.record);
    if (current?.owner !== this.record.owner) {
      this.leave();
      return;
    }
    const isSetBack = current.replay !== this.record.replay;
    // What was on its way belongs to the time before.
    const kept = isSetBack ? {} : this.pending;
    this.pending = kept;
    this.record = { ...current, ...kept };
    if (isSetBack) {
      this.round.abort();
      this.cut.abort();
    }
    await this.write();
  }

  /** Lets others take the webhook at once. */
  private async release(): Promise<void> {
    try {
      await this.store.write({ ...this.record, owner: "" });
    } catch {
      // They take it when its time is over.
    }
  }
}

function failureOf(outcome: OutboundOutcome): string | undefined {
  if (outcome.kind !== "answered") return outcome.error.slice(0, MAX_ERROR);
  if (outcome.status >= 200 && outcome.status < 300) return undefined;
  return `answered ${outcome.status}`;
}

/** A signal changes while something is awaited, which the compiler does not see. */
function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}

/** Waits; less when the signal comes. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve();
      return;
    }
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done, { once: true });
  });
}
