import { randomUUID } from "node:crypto";
import type { DocumentStorage } from "../../storage/storage.js";
import { SweepLoop } from "../sweep-loop.js";
import { Delivery, type DeliveryOptions } from "./delivery.js";
import type { WebhookRecord } from "./record.js";
import { WebhookStore } from "./store.js";

/** Times are in milliseconds. */
export interface WebhookDeliveriesOptions
  extends
    Pick<DeliveryOptions, "clock" | "watchState" | "allowInside" | "onFailure">,
    Partial<Omit<DeliveryOptions, "clock" | "watchState" | "allowInside" | "onFailure">> {
  /** How often it is looked which webhooks there are. Default 1 s. */
  readonly pollMs?: number;
  /** After how long without a sign of life of the replica that sends another one does. Default 15 s. */
  readonly takeoverMs?: number;
}

const SECOND = 1_000;

const DEFAULTS = {
  timeoutMs: 10 * SECOND,
  maxAttempts: 20,
  initialBackoffMs: SECOND,
  maxBackoffMs: 300 * SECOND,
  beatMs: 3 * SECOND,
  holdMs: 8 * SECOND,
  random: Math.random,
};
const POLL_MS = SECOND;
const TAKEOVER_MS = 15 * SECOND;

/** A sign of life, as this replica saw it. */
interface Sighting {
  readonly owner: string;
  readonly beat: number;
  /** When it was first seen, by the monotonic clock: clocks of different machines need not agree. */
  readonly since: number;
}

/**
 * Sends for the webhooks of a deployment, each from one replica at a time. Every replica runs one of these; who comes first takes a
 * webhook, and another one takes it over when it has stopped showing that it lives.
 */
export class WebhookDeliveries {
  private readonly replica = randomUUID();
  private readonly store: WebhookStore;
  private readonly running = new Map<string, Delivery>();
  private sightings = new Map<string, Sighting>();
  private readonly loop: SweepLoop;
  private stopped = false;

  constructor(
    storage: DocumentStorage,
    private readonly options: WebhookDeliveriesOptions,
  ) {
    this.store = new WebhookStore(storage);
    this.loop = new SweepLoop(() => this.poll(), {
      intervalMs: options.pollMs ?? POLL_MS,
      onFailure: options.onFailure,
    });
  }

  /** For how many webhooks this replica sends. */
  get size(): number {
    return this.running.size;
  }

  start(): void {
    this.loop.start();
  }

  /** Sends nothing more, and leaves the webhooks to other replicas. */
  async stop(): Promise<void> {
    this.stopped = true;
    this.loop.stop();
    const deliveries = [...this.running.values()];
    for (const delivery of deliveries) delivery.stop();
    await Promise.all(deliveries.map(({ done }) => done));
  }

  private async poll(): Promise<void> {
    const records = await this.store.all(this.options.onFailure);
    const byKey = new Map(records.map((record) => [`${record.namespace}/${record.webhookId}`, record]));
    for (const [key, delivery] of this.running) delivery.look(byKey.get(key));
    const sightings = new Map<string, Sighting>();
    for (const [key, record] of byKey) {
      if (this.running.has(key)) continue;
      const sighting = this.sight(key, record);
      if (this.isFree(sighting)) await this.take(key, record);
      else sightings.set(key, sighting);
    }
    this.sightings = sightings;
  }

  private sight(key: string, { owner, beat }: WebhookRecord): Sighting {
    const before = this.sightings.get(key);
    if (before?.owner === owner && before.beat === beat) return before;
    return { owner, beat, since: this.options.clock.monotonic() };
  }

  private isFree({ owner, since }: Sighting): boolean {
    return owner === "" || this.options.clock.monotonic() - since >= (this.options.takeoverMs ?? TAKEOVER_MS);
  }

  private async take(key: string, record: WebhookRecord): Promise<void> {
    const taken = await this.store.write({ ...record, owner: this.replica, beat: record.beat + 1 });
    // Another replica was first.
    if (taken === undefined) return;
    const delivery = new Delivery(taken, this.store, { ...DEFAULTS, ...this.options });
    this.running.set(key, delivery);
    void delivery.done.then(() => this.running.delete(key));
    if (this.stopped) delivery.stop();
  }
}
