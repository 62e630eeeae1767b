import { toJsonString } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { WatchKind } from "../../../gen/opscore/v1/common_pb.js";
import {
  StateEvent_Type,
  WatchStateResponseSchema,
  type StateEvent,
  type WatchStateResponse,
} from "../../../gen/opscore/v1/state_service_pb.js";
import { post, type OutboundOutcome } from "../outbound/post.js";
import { signedHeaders } from "../outbound/sign.js";
import { Claim, type ClaimOptions } from "./claim.js";
import { pause } from "../pause.js";
import type { WebhookRecord } from "./record.js";
import type { WebhookStats } from "./stats.js";
import type { WebhookStore } from "./store.js";
import { openWatch, type WatchState } from "./watch.js";

export const WEBHOOK_HEADER = "x-opscore-webhook";
export const DELIVERY_HEADER = "x-opscore-delivery";

/** Times are in milliseconds. */
export interface DeliveryOptions extends ClaimOptions {
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
  /** From 0 up to 1. */
  readonly random: () => number;
  /** Where attempts are counted. */
  readonly stats: WebhookStats;
}

/** For how long a request that is on its way may still be answered when this replica stops, in milliseconds. */
const GRACE_MS = 2_000;
const MAX_ERROR = 1_000;
/** Of a backoff, so much more or less. */
const JITTER = 0.2;

/**
 * Sends what one webhook watches, one message after another, as long as this replica is the one that does. What became of a message is
 * written down before the next one is sent.
 */
export class Delivery {
  /** Answers when nothing is sent any more. */
  readonly done: Promise<void>;
  private readonly claim: Claim;
  private readonly ending = new AbortController();
  /** Of the watch that is open: it ends with that, and when the webhook is set back. */
  private round = new AbortController();
  /** Of the request that is on its way. */
  private cut = new AbortController();
  private oldest: number | undefined;

  /**
   * @param record as it was written when this replica took it
   * @param shownAt when that write began, by the monotonic clock
   */
  constructor(
    record: WebhookRecord,
    shownAt: number,
    private readonly store: WebhookStore,
    private readonly options: DeliveryOptions,
  ) {
    const listener = {
      onLost: () => this.leave(),
      onSetBack: () => {
        this.round.abort();
        this.cut.abort();
      },
      onLapse: () => this.cut.abort(),
    };
    this.claim = new Claim(record, shownAt, store, listener, options);
    this.done = this.run();
  }

  /** What the webhook is, as far as it is known here. */
  get record(): WebhookRecord {
    return this.claim.record;
  }

  /** Whether it is on its way to another replica. */
  get isEnding(): boolean {
    return this.ending.signal.aborted;
  }

  /** When the oldest event was committed that is not delivered, in milliseconds since 1970; undefined: all that is known here is. */
  get oldestUndelivered(): number | undefined {
    return this.oldest;
  }

  /** Ends, and leaves the webhook to others, as soon as the request that is on its way was answered or has failed. */
  letGo(): void {
    this.ending.abort();
    this.round.abort();
  }

  /** Ends likewise, but waits no longer than a while. */
  stop(): void {
    this.letGo();
    const grace = setTimeout(() => this.cut.abort(), GRACE_MS).unref();
    void this.done.then(() => clearTimeout(grace));
  }

  /** Ends at once: somebody else sends, or nobody shall. */
  private leave(): void {
    this.letGo();
    this.cut.abort();
  }

  /** Takes note of what the webhook is by now, as somebody has read it; undefined: it is gone. */
  look(current: WebhookRecord | undefined): void {
    this.claim.look(current);
  }

  private async run(): Promise<void> {
    const { beatMs, onFailure } = this.options;
    try {
      while (!this.ending.signal.aborted) {
        this.round = new AbortController();
        await this.follow(this.round.signal).catch((thrown: unknown) => {
          if (!this.round.signal.aborted) onFailure(thrown);
        });
        // A watch that ends by itself (of agents that are gone, or because the server stops) is not opened again at once.
        if (!this.round.signal.aborted) await pause(beatMs, this.round.signal);
      }
    } finally {
      await this.claim.release();
    }
  }

  private async follow(signal: AbortSignal): Promise<void> {
    let resyncing = false;
    const { namespace } = this.record;
    for await (const message of openWatch(this.options.watchState, namespace, this.record, signal)) {
      if (signal.aborted) return;
      if (message.kind === WatchKind.RESYNC) resyncing = true;
      if (resyncing || message.kind === WatchKind.EVENTS) await this.deliver(message, signal);
      else await this.claim.save({ resumeToken: message.resumeToken });
      if (message.kind === WatchKind.SYNCED) resyncing = false;
    }
  }

  /** Sends a message until it was answered, or is given up. */
  private async deliver(message: WatchStateResponse, signal: AbortSignal): Promise<void> {
    this.oldest = oldestEvent(message, this.options.clock.now());
    await this.send(message, signal);
    this.oldest = undefined;
  }

  private async send(message: WatchStateResponse, signal: AbortSignal): Promise<void> {
    const { claim, options } = this;
    const { clock, maxAttempts, stats } = options;
    const delivery = this.record.delivery + 1;
    const body = toJsonString(WatchStateResponseSchema, message);
    // In the middle of a RESYNC there is nowhere to go on from.
    const resumeToken = message.resumeToken === "" ? this.record.resumeToken : message.resumeToken;
    const done = { resumeToken, delivery, failedAttempts: 0 };
    const { replay } = this.record;
    for (;;) {
      await claim.held(signal);
      if (signal.aborted) return;
      const failure = await this.attempt(delivery, body);
      // Where it was set back to is not where this message leads.
      if (this.record.replay !== replay) return;
      if (failure === undefined) {
        const deliveredCount = this.record.deliveredCount + 1;
        await claim.save({ ...done, deliveredCount, lastError: "", deliveryTime: clock.now() });
        return;
      }
      // It was not the receiver that failed.
      if (this.cut.signal.aborted) continue;
      // Those of the replica before count.
      const attempts = this.record.failedAttempts + 1;
      if (attempts >= maxAttempts) {
        await this.giveUp(message, delivery, attempts, failure);
        stats.dead += 1;
        const given = { delivery, deadCount: this.record.deadCount + 1 };
        // It may have been set back meanwhile: then it begins there, not after this message.
        await claim.save(this.record.replay === replay ? { ...done, ...given, lastError: failure } : given);
        return;
      }
      await claim.save({ failedAttempts: attempts, lastError: failure });
      await pause(this.backoff(attempts), signal);
    }
  }

  /** @returns why it failed; undefined when it was answered with 2xx */
  private async attempt(delivery: number, body: string): Promise<string | undefined> {
    const { clock, timeoutMs, allowInside, stats } = this.options;
    const { url, secret, webhookId } = this.record;
    const cut = new AbortController();
    this.cut = cut;
    const began = clock.monotonic();
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
      signal: cut.signal,
    });
    const failure = failureOf(outcome);
    if (failure === undefined || !cut.signal.aborted) stats.count(failure === undefined, clock.monotonic() - began);
    return failure;
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

  private backoff(attempts: number): number {
    const { initialBackoffMs, maxBackoffMs, random } = this.options;
    const ms = Math.min(maxBackoffMs, initialBackoffMs * 2 ** (attempts - 1));
    return ms * (1 - JITTER + 2 * JITTER * random());
  }
}

function failureOf(outcome: OutboundOutcome): string | undefined {
  if (outcome.kind !== "answered") return outcome.error.slice(0, MAX_ERROR);
  if (outcome.status >= 200 && outcome.status < 300) return undefined;
  return `answered ${outcome.status}`;
}

/** When the oldest event of a message was committed; where that is not known: `now`. In milliseconds since 1970. */
function oldestEvent({ kind, events }: WatchStateResponse, now: number): number {
  // A snapshot tells what is so now, however long it has been.
  if (kind !== WatchKind.EVENTS) return now;
  return Math.min(now, ...events.map((event) => commitTime(event) ?? now));
}

function commitTime({ type, state, agent }: StateEvent): number | undefined {
  switch (type) {
    case StateEvent_Type.REGISTERED:
    case StateEvent_Type.TRANSITION:
    case StateEvent_Type.LIVENESS:
      return state?.commitTime === undefined ? undefined : timestampMs(state.commitTime);
    case StateEvent_Type.UPDATED:
      return agent?.updateTime === undefined ? undefined : timestampMs(agent.updateTime);
    // The state is the last one, from whenever it was.
    case StateEvent_Type.EXITED:
    case StateEvent_Type.DEREGISTERED:
    case StateEvent_Type.UNSPECIFIED:
      return undefined;
  }
}
