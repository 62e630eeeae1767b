import { randomUUID } from "node:crypto";
import type { OpsCoreError } from "../../errors/index.js";
import type { DocumentStorage } from "../../storage/storage.js";
import { SweepLoop } from "../sweep-loop.js";
import { Delivery, type DeliveryOptions } from "./delivery.js";
import { Presence } from "./presence.js";
import type { WebhookRecord } from "./record.js";
import { WebhookStats } from "./stats.js";
import { WebhookStore } from "./store.js";

/** What has no default. */
type Needed = "clock" | "watchState" | "allowInside" | "onFailure";

/** Times are in milliseconds. */
export interface WebhookDeliveriesOptions
  extends Pick<DeliveryOptions, Needed>, Partial<Omit<DeliveryOptions, Needed | "stats">> {
  /** How often it is looked which webhooks there are. Default 1 s, or `beatMs` if that is less. */
  readonly pollMs?: number;
  /**
   * After how long without a sign of life of the replica that sends another one does. Default 15 s. Other times follow from it, unless
   * they are given: `beatMs` is a fifth, `leaseMs` two thirds.
   */
  readonly takeoverMs?: number;
  /** Told once of each document that cannot be read, until it was repaired. Its webhook stands still, others do not. */
  readonly onUnreadable: (failure: OpsCoreError) => void;
}

const SECOND = 1_000;

const DEFAULTS = {
  timeoutMs: 10 * SECOND,
  maxAttempts: 20,
  initialBackoffMs: SECOND,
  maxBackoffMs: 300 * SECOND,
  random: Math.random,
};
const POLL_MS = SECOND;
const TAKEOVER_MS = 15 * SECOND;

/** One webhook that this replica sends for. */
export interface WebhookProgress {
  readonly namespace: string;
  readonly webhookId: string;
  /** Whether its last attempt failed. */
  readonly isFailing: boolean;
  /** How long its oldest event waits that is not delivered, in milliseconds; 0: all that is known is delivered. */
  readonly lagMs: number;
}

/** A sign of life, as this replica saw it. */
interface Sighting {
  readonly owner: string;
  readonly beat: number;
  /** When it was first seen, by the monotonic clock: clocks of different machines need not agree. */
  readonly since: number;
}

/**
 * Sends for the webhooks of a deployment, each from one replica at a time. Every replica runs one of these. They share the webhooks: none
 * takes more than its share, and one that has more lets go of the rest. Another one takes a webhook over when the one that sends has
 * stopped showing that it lives.
 */
export class WebhookDeliveries {
  readonly stats = new WebhookStats();
  private readonly replica = randomUUID();
  private readonly store: WebhookStore;
  private readonly presence: Presence;
  private readonly delivery: DeliveryOptions;
  private readonly takeoverMs: number;
  private readonly running = new Map<string, Delivery>();
  private sightings = new Map<string, Sighting>();
  /** The keys of documents that cannot be read. */
  private broken: ReadonlySet<string> = new Set<string>();
  private readonly loop: SweepLoop;
  private polling: Promise<void> = Promise.resolve();
  private stopped = false;

  constructor(
    storage: DocumentStorage,
    private readonly options: WebhookDeliveriesOptions,
  ) {
    const { takeoverMs = TAKEOVER_MS, clock, onFailure } = options;
    const { beatMs = takeoverMs / 5, leaseMs = (takeoverMs * 2) / 3 } = options;
    const { pollMs = Math.min(POLL_MS, beatMs) } = options;
    this.takeoverMs = takeoverMs;
    this.delivery = { ...DEFAULTS, ...options, beatMs, leaseMs, stats: this.stats };
    this.store = new WebhookStore(storage);
    this.presence = new Presence(storage, this.replica, { clock, beatMs, leaseMs, takeoverMs });
    this.loop = new SweepLoop(() => (this.polling = this.poll()), { intervalMs: pollMs, onFailure });
  }

  /** For how many webhooks this replica sends. */
  get size(): number {
    return this.running.size;
  }

  /** How many documents of the deployment's webhooks cannot be read. */
  get unreadable(): number {
    return this.broken.size;
  }

  /** The webhooks that this replica sends for. */
  *progress(): Iterable<WebhookProgress> {
    const now = this.delivery.clock.now();
    for (const { record, oldestUndelivered = now } of this.running.values()) {
      const { namespace, webhookId, failedAttempts } = record;
      yield { namespace, webhookId, isFailing: failedAttempts > 0, lagMs: Math.max(0, now - oldestUndelivered) };
    }
  }

  start(): void {
    this.loop.start();
  }

  /** Sends nothing more, and leaves the webhooks to other replicas. */
  async stop(): Promise<void> {
    this.stopped = true;
    this.loop.stop();
    for (const delivery of this.running.values()) delivery.stop();
    // One that it is just about to take is let go again.
    await this.polling.catch(() => undefined);
    await Promise.all([...this.running.values()].map(({ done }) => done));
    // Failing that, the others find out.
    await Promise.resolve(this.presence.leave()).catch(() => undefined);
  }

  private async poll(): Promise<void> {
    const broken = new Set<string>();
    await this.look((failure) => {
      const { key = "" } = failure.metadata;
      if (!this.broken.has(key)) this.options.onUnreadable(failure);
      broken.add(key);
    });
    this.broken = broken;
  }

  private async look(onCorrupt: (failure: OpsCoreError) => void): Promise<void> {
    const records = await this.store.all(onCorrupt);
    const byKey = new Map(records.map((record) => [`${record.namespace}/${record.webhookId}`, record]));
    for (const [key, delivery] of this.running) delivery.look(byKey.get(key));
    if (records.length === 0) {
      this.sightings.clear();
      return;
    }
    const share = Math.ceil(records.length / (await this.presence.look(onCorrupt)));
    for (const delivery of this.sending.slice(share)) delivery.letGo();
    const sightings = new Map<string, Sighting>();
    for (const [key, record] of byKey) {
      if (this.running.has(key)) continue;
      const sighting = this.sight(key, record);
      if (this.mayTake(sighting, share) && !this.stopped) await this.take(key, record);
      else sightings.set(key, sighting);
    }
    this.sightings = sightings;
  }

  /** Those that stay, the oldest first. */
  private get sending(): readonly Delivery[] {
    return [...this.running.values()].filter(({ isEnding }) => !isEnding);
  }

  private sight(key: string, { owner, beat }: WebhookRecord): Sighting {
    const before = this.sightings.get(key);
    if (before?.owner === owner && before.beat === beat) return before;
    return { owner, beat, since: this.delivery.clock.monotonic() };
  }

  /** Whether nobody sends, and it is this replica's turn: whoever has his share leaves it to others first, but not for long. */
  private mayTake({ owner, since }: Sighting, share: number): boolean {
    const free = this.delivery.clock.monotonic() - since - (owner === "" ? 0 : this.takeoverMs);
    return free >= (this.sending.length < share ? 0 : this.delivery.beatMs);
  }

  private async take(key: string, record: WebhookRecord): Promise<void> {
    const began = this.delivery.clock.monotonic();
    const taken = await this.store.write({ ...record, owner: this.replica, beat: record.beat + 1 });
    // Another replica was first.
    if (taken === undefined) return;
    const delivery = new Delivery(taken, began, this.store, this.delivery);
    this.running.set(key, delivery);
    void delivery.done.then(() => this.running.delete(key));
    if (this.stopped) delivery.stop();
  }
}
