import { Redis, type RedisOptions } from "ioredis";
import type { RedisStorageEvent } from "./options.js";
import type { RedisClient } from "./link.js";
import type { RedisTarget } from "./target.js";

/** How long to wait between attempts to reconnect, in milliseconds. */
const FIRST_RETRY_MS = 25;
const LAST_RETRY_MS = 500;
const CONNECT_TIMEOUT_MS = 2_000;
const KEEPALIVE_MS = 10_000;
/** How long to wait for the other side when a connection is closed: it may not be there any more. */
const DISCONNECT_TIMEOUT_MS = 50;

/** Nothing is queued or sent again by the client: what a command was not answered is for its caller to decide. */
const CLIENT_OPTIONS: RedisOptions = {
  lazyConnect: true,
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
  maxRetriesPerRequest: 0,
  connectTimeout: CONNECT_TIMEOUT_MS,
  keepAlive: KEEPALIVE_MS,
  disconnectTimeout: DISCONNECT_TIMEOUT_MS,
  retryStrategy: (attempt) => Math.min(FIRST_RETRY_MS * 2 ** (attempt - 1), LAST_RETRY_MS),
  // A primary that became a replica answers so; the next connection finds the new one.
  reconnectOnError: (error) => error.message.startsWith("READONLY"),
};

/** One connection that is made again whenever it is lost, until it is closed. */
export class Connection {
  readonly client: RedisClient;
  private open = false;
  private closed = false;
  private failure: unknown;
  private waiting: ((isOpen: boolean) => void)[] = [];

  /**
   * @param name what `CLIENT LIST` and the events call it
   * @param onOpen called on each new connection before it counts as open
   */
  constructor(
    target: RedisTarget,
    private readonly name: string,
    private readonly onOpen: (client: RedisClient) => Promise<void>,
    private readonly onEvent: (event: RedisStorageEvent) => void,
  ) {
    const client = new Redis(target.url, { ...CLIENT_OPTIONS, connectionName: name });
    this.client = client;
    client.on("ready", () => void this.opened());
    client.on("close", () => this.lost());
    // Also told by `close`; without a listener it would be printed.
    client.on("error", (error: unknown) => (this.failure = error));
    client.connect().catch((error: unknown) => (this.failure = error));
  }

  get isOpen(): boolean {
    return this.open;
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

  /** Makes a new connection: this one does not answer. */
  renew(): void {
    if (!this.open) return;
    this.failure = new Error("no answer in time");
    this.lost();
    this.client.disconnect(true);
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.open = false;
    this.client.disconnect();
    this.release();
  }

  private async opened(): Promise<void> {
    try {
      await this.onOpen(this.client);
    } catch (error) {
      this.failure = error;
      if (!this.closed) this.client.disconnect(true);
      return;
    }
    if (this.closed || this.client.status !== "ready") return;
    this.open = true;
    this.onEvent({ kind: "connected", connection: this.name });
    this.release();
  }

  private lost(): void {
    if (!this.open) return;
    this.open = false;
    this.onEvent({ kind: "disconnected", connection: this.name, cause: this.failure });
  }

  private release(): void {
    const { waiting } = this;
    this.waiting = [];
    for (const resolve of waiting) resolve(this.open);
  }
}
