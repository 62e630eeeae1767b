import type { Connection } from "./connection.js";
import { unavailable } from "./failures.js";
import type { RedisStorageEvent } from "./options.js";

/** How often to look whether there are enough replicas again, and how long each look may take, in milliseconds. */
const LOOK_EVERY_MS = 250;
const LOOK_MS = 100;

export interface ReplicaSettings {
  /** How many must have a commit; 0: nobody is asked. */
  readonly waitReplicas: number;
  /** For how long they may take, in milliseconds. */
  readonly timeoutMs: number;
  readonly onEvent: (event: RedisStorageEvent) => void;
}

/**
 * Has replicas confirm what was written on one connection. WAIT holds up what comes behind it on the connection, so there is one at a
 * time, for all that was sent until the one before was answered: several in a row that nobody confirms would hold up a read for longer
 * than it may take. Once too few have confirmed in time, writes are refused before they are sent, until a look finds enough replicas
 * again.
 */
export class Replicas {
  private pending: Promise<void> | undefined;
  private last: Promise<void> = Promise.resolve();
  private short = false;
  private timer: NodeJS.Timeout | undefined;
  private closed = false;

  constructor(
    private readonly connection: Connection,
    private readonly settings: ReplicaSettings,
  ) {}

  /** Whether writes are confirmed at all. */
  get areAsked(): boolean {
    return this.settings.waitReplicas > 0;
  }

  /** Whether too few have confirmed lately. */
  get areShort(): boolean {
    return this.short;
  }

  /** Fulfilled when enough replicas have all that was sent on the connection up to the end of this turn. */
  confirm(): Promise<void> {
    if (this.pending === undefined) {
      this.pending = this.last.then(endOfTurn).then(() => {
        this.pending = undefined;
        return this.ask();
      });
      // Nobody waits for it when all that it would confirm has failed.
      this.last = this.pending.catch(() => undefined);
    }
    return this.pending;
  }

  /** Fulfilled when nothing that was asked is open any more. */
  settled(): Promise<void> {
    return this.last;
  }

  close(): void {
    this.closed = true;
    clearTimeout(this.timer);
  }

  private async ask(): Promise<void> {
    // It was sent before the answer that said so: to ask again would hold up everything once more.
    if (this.short) throw refusedForReplicas();
    const { waitReplicas, timeoutMs } = this.settings;
    const had = await this.connection.client.wait(waitReplicas, timeoutMs);
    if (had >= waitReplicas) return;
    this.ranShort(had);
    throw tooFew(waitReplicas, had);
  }

  private ranShort(had: number): void {
    if (this.short || this.closed) return;
    this.short = true;
    const { waitReplicas, onEvent } = this.settings;
    onEvent({ kind: "replicas-short", connection: this.connection.name, wanted: waitReplicas, had });
    this.lookLater();
  }

  private lookLater(): void {
    this.timer = setTimeout(() => void this.look(), LOOK_EVERY_MS).unref();
  }

  private async look(): Promise<void> {
    const { waitReplicas, onEvent } = this.settings;
    const had = this.connection.isOpen ? await this.count() : 0;
    if (this.closed) return;
    if (had < waitReplicas) {
      this.lookLater();
      return;
    }
    this.short = false;
    onEvent({ kind: "replicas-back", connection: this.connection.name });
  }

  /** How many replicas there are now, as far as that can be told. */
  private count(): Promise<number> {
    const { waitReplicas, timeoutMs } = this.settings;
    // While writes are refused nobody else may find out that the connection has died.
    return this.connection.ask(LOOK_MS + timeoutMs, (client) => client.wait(waitReplicas, LOOK_MS)).catch(() => 0);
  }
}

function endOfTurn(): Promise<void> {
  return new Promise((resolve) => process.nextTick(resolve));
}

/** Why a write is refused while there are too few replicas. */
export function refusedForReplicas(): Error {
  return unavailable(new Error("too few replicas of Redis confirm what is written"));
}

function tooFew(wanted: number, had: number): Error {
  return unavailable(new Error(`${had} of ${wanted} replicas of Redis have confirmed the commit in time`));
}
