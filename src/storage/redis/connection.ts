import type { Redis } from "ioredis";
import { addressOf } from "./clients.js";
import type { RedisConnectionStatus, RedisStorageEvent } from "./options.js";
import type { RedisAddress } from "./target.js";

/** How long a server that has taken a connection may need until it can be used, in milliseconds. */
const GREETING_MS = 1_000;
/** How long to wait when the client has given up, in milliseconds. */
const RESTART_MS = 100;

export interface ConnectionOptions {
  /** What `CLIENT LIST` and the events call it. */
  readonly name: string;
  readonly role: RedisConnectionStatus["role"];
  /** Called on each new connection before it counts as open. */
  readonly onOpen?: (client: Redis) => Promise<void>;
  /** Where the next connection shall go, rather than where it is thought that it should. */
  readonly redirect?: (to: RedisAddress) => void;
  readonly onEvent: (event: RedisStorageEvent) => void;
}

/** One connection that is made again whenever it is lost, until it is closed. */
export class Connection {
  private open = false;
  /** How often it was lost, or could not be made. */
  private losses = 0;
  private closed = false;
  private failure: unknown;
  private address: string | undefined;
  private waiting: ((isOpen: boolean) => void)[] = [];
  private watchdog: NodeJS.Timeout | undefined;

  constructor(
    readonly client: Redis,
    private readonly options: ConnectionOptions,
  ) {
    client.on("connect", () => this.watch());
    client.on("ready", () => void this.opened());
    client.on("close", () => this.lost());
    // Also told by `close`; without a listener it would be printed.
    client.on("error", (error: unknown) => (this.failure = error));
    client.on("end", () => this.restart());
    this.connect();
  }

  get isOpen(): boolean {
    return this.open;
  }

  get name(): string {
    return this.options.name;
  }

  get status(): RedisConnectionStatus {
    const { name, role } = this.options;
    return { name, role, isOpen: this.open, address: this.address };
  }

  /** Why it could not be made, or was lost, last. */
  get lastFailure(): unknown {
    return this.failure;
  }

  /** Answers true when it is open, false when it is closed for good. */
  whenOpen(): Promise<boolean> {
    if (this.open || this.closed) return Promise.resolve(this.open);
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  /**
   * Asks the server for something. When no answer comes in so many milliseconds, a new connection is made: this one may have died without a
   * sign.
   *
   * @throws what the server says against it, or that the connection was lost
   */
  async ask<T>(withinMs: number, question: (client: Redis) => Promise<T>): Promise<T> {
    const silence = setTimeout(() => this.renew(new Error("no answer in time")), withinMs);
    try {
      return await question(this.client);
    } finally {
      clearTimeout(silence);
    }
  }

  /** Makes a new connection: this one does not answer, or is to the wrong server. */
  renew(why: unknown): void {
    if (!this.open) return;
    this.failure = why;
    this.lost();
    this.client.disconnect(true);
  }

  /** Makes a new connection to another server. Undefined: whichever it is now. */
  redirect(to: RedisAddress | undefined, why: unknown): void {
    if (to !== undefined) this.options.redirect?.(to);
    this.renew(why);
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.open = false;
    clearTimeout(this.watchdog);
    this.client.disconnect();
    this.release();
  }

  private connect(): void {
    this.client.connect().catch((error: unknown) => (this.failure = error));
  }

  /** The client gives up when it is told to leave a server while it is looking for one. */
  private restart(): void {
    if (this.closed) return;
    this.watchdog = setTimeout(() => this.connect(), RESTART_MS).unref();
  }

  /** A server that stands still takes connections all the same. Another one may serve in its place by now. */
  private watch(): void {
    clearTimeout(this.watchdog);
    this.watchdog = setTimeout(() => {
      this.failure = new Error("no answer in time");
      this.client.disconnect(true);
    }, GREETING_MS).unref();
  }

  private async opened(): Promise<void> {
    const { name, onOpen, onEvent } = this.options;
    this.watch();
    const { losses } = this;
    try {
      await onOpen?.(this.client);
    } catch (error) {
      // What fails late may be about a connection that is gone already, and another one is open.
      if (this.closed || losses !== this.losses) return;
      this.failure = error;
      this.client.disconnect(true);
      return;
    }
    if (this.closed || losses !== this.losses || this.client.status !== "ready") return;
    clearTimeout(this.watchdog);
    this.open = true;
    const address = addressOf(this.client);
    if (this.address !== undefined && this.address !== address) {
      onEvent({ kind: "failover", connection: name, from: this.address, to: address });
    }
    this.address = address;
    onEvent({ kind: "connected", connection: name, address });
    this.release();
  }

  private lost(): void {
    this.losses += 1;
    clearTimeout(this.watchdog);
    if (!this.open) return;
    this.open = false;
    this.options.onEvent({ kind: "disconnected", connection: this.options.name, cause: this.failure });
  }

  private release(): void {
    const { waiting } = this;
    this.waiting = [];
    for (const resolve of waiting) resolve(this.open);
  }
}
