import type { Redis } from "ioredis";
import { bounceOf, type Bounce } from "./bounce.js";
import type { Connection } from "./connection.js";
import { toFailure, unavailable } from "./failures.js";
import type { RedisTime } from "./redis-time.js";
import { refusedForReplicas, type Replicas } from "./replicas.js";
import { READING_SCRIPTS, type Script, type ScriptName, type Scripts } from "./scripts.js";

export type RedisClient = Redis;

export interface LinkSettings {
  readonly commandTimeoutMs: number;
  /** What the storage's clock shows, in milliseconds since 1970; undefined: what Redis's does. */
  readonly time: () => number | undefined;
}

/** One command on its way. */
interface Call {
  /** Undefined for a plain command. */
  readonly script: Script | undefined;
  /** Whether replicas must confirm it. */
  readonly isConfirmed: boolean;
  readonly send: (client: RedisClient, bySource: boolean, untilMs: number) => Promise<unknown>;
  readonly resolve: (reply: unknown) => void;
  readonly reject: (failure: unknown) => void;
  /** When its caller gives up, by `performance.now()`. */
  readonly until: number;
  /** Its place among all that were sent. */
  order: number;
  attempts: number;
  /** Redis did not know its script. */
  bySource: boolean;
  /** It may have been executed: it was sent at this time, by `performance.now()`. */
  isSent: boolean;
  sentAt: number;
  /** Somebody has given up on it. */
  over: boolean;
}

/** How often a call is sent again for the same server to know its script and its time. */
const MAX_ATTEMPTS = 3;
/** How long to wait while a cluster is settling, in milliseconds. */
const PAUSE_MS = 20;
/** How long to wait before it is asked who is the primary, in milliseconds. */
const DEMOTED_PAUSE_MS = 100;
/** Of the time that a command has, how much of it the server must have been silent for its connection to be given up. */
const SILENCE_SHARE = 0.5;
/** What is not answered in time stays out of the way of this, in milliseconds. */
const NO_DEADLINE = Number.MAX_SAFE_INTEGER;

/**
 * Commands over one connection, each answered or failed within the command timeout. Nothing is queued while Redis is away.
 *
 * Commands are executed in the order in which they were called. One that was not executed but bounced (see `bounce.ts`) is sent
 * again, with those behind it after it: callers count on the order of their reports. Should one from behind have been executed all
 * the same, the one that bounced fails instead. Whatever was not answered is never sent again: it may have been executed.
 */
export class Link {
  private sent = 0;
  /** The order of the last one that is known to have been executed. */
  private executed = 0;
  private inFlight = 0;
  /** Not executed, to be sent again when nothing is in flight any more; what is called meanwhile is held behind. */
  private bounced: Call[] = [];
  private lastBounce: Bounce = { kind: "moving" };
  private lastFailure: unknown;
  private held: Call[] = [];
  private clearing = false;

  constructor(
    private readonly connection: Connection,
    private readonly scripts: Scripts,
    readonly time: RedisTime,
    private readonly settings: LinkSettings,
    /** Undefined: nothing is confirmed. */
    private readonly replicas?: Replicas,
  ) {}

  /** Calls a script; `args` come after those that every script has. */
  call(name: ScriptName, keys: readonly string[], args: readonly string[]): Promise<unknown> {
    const script = this.scripts.get(name);
    if (script === undefined) throw new Error(`there is no script ${name}`);
    const isConfirmed = this.replicas?.areAsked === true && !READING_SCRIPTS.has(name);
    if (isConfirmed && this.replicas.areShort) return Promise.reject(refusedForReplicas());
    return this.begin(script, isConfirmed, (client, bySource, untilMs) => {
      const time = this.settings.time();
      const all = [...keys, String(untilMs), time === undefined ? "" : String(time), ...args];
      return bySource
        ? client.eval(script.source, keys.length, ...all)
        : client.evalsha(script.sha, keys.length, ...all);
    });
  }

  /** Sends one plain command that writes nothing. */
  command<T>(send: (client: RedisClient) => Promise<T>): Promise<T> {
    return this.begin(undefined, false, (client) => send(client)) as Promise<T>;
  }

  private begin(script: Call["script"], isConfirmed: boolean, send: Call["send"]): Promise<unknown> {
    if (!this.connection.isOpen && !this.isHeldUp) return Promise.reject(notConnected());
    const { commandTimeoutMs } = this.settings;
    const until = performance.now() + commandTimeoutMs;
    return new Promise<unknown>((resolve, reject) => {
      const timer = setTimeout(() => this.giveUp(call), commandTimeoutMs);
      const call: Call = {
        script,
        isConfirmed,
        send,
        until,
        order: 0,
        attempts: 0,
        bySource: false,
        isSent: false,
        sentAt: 0,
        over: false,
        resolve: (reply) => {
          clearTimeout(timer);
          resolve(reply);
        },
        reject: (thrown) => {
          clearTimeout(timer);
          const failure = toFailure(thrown);
          reject(failure instanceof Error ? failure : new Error("the Redis client failed", { cause: failure }));
        },
      };
      if (this.isHeldUp) this.held.push(call);
      else this.dispatch(call);
    });
  }

  private get isHeldUp(): boolean {
    return this.clearing || this.bounced.length > 0;
  }

  /** The time is up. */
  private giveUp(call: Call): void {
    call.over = true;
    const { commandTimeoutMs } = this.settings;
    // One that bounced up to now says nothing of the connection. Where there was silence, it may be dead without a sign.
    const isSilent = call.isSent && performance.now() - call.sentAt > SILENCE_SHARE * commandTimeoutMs;
    const failure = isSilent ? new Error(`no answer within ${commandTimeoutMs} ms`) : this.lastFailure;
    call.reject(unavailable(failure));
    if (isSilent) this.connection.renew(failure);
  }

  private dispatch(call: Call): void {
    // Counted down only when it is known what became of it: whatever bounced must be there when nothing is in flight.
    this.inFlight += 1;
    void this.transmit(call).then((bounce) => {
      if (bounce !== undefined) {
        this.bounced.push(call);
        this.lastBounce = bounce;
      }
      this.inFlight -= 1;
      this.settled();
    });
  }

  /** Sends a call. Never fails; answers how it bounced, undefined when it is done with. */
  private async transmit(call: Call): Promise<Bounce | undefined> {
    this.sent += 1;
    call.order = this.sent;
    call.attempts += 1;
    call.isSent = true;
    call.sentAt = performance.now();
    try {
      const sent = call.send(this.connection.client, call.bySource, this.deadline(call));
      const confirmed = call.isConfirmed ? this.replicas?.confirm() : undefined;
      const reply = await sent;
      this.executed = Math.max(this.executed, call.order);
      if (confirmed === undefined) call.resolve(reply);
      else confirmed.then(() => call.resolve(reply), call.reject);
      return undefined;
    } catch (thrown) {
      const bounce = call.over ? undefined : bounceOf(thrown);
      const isRepeated =
        bounce?.kind === "late" || bounce?.kind === "unknown-script" ? call.attempts < MAX_ATTEMPTS : true;
      if (bounce !== undefined && isRepeated) {
        call.isSent = false;
        call.bySource ||= bounce.kind === "unknown-script";
        this.lastFailure = thrown;
        return bounce;
      }
      call.reject(thrown);
      return undefined;
    }
  }

  /** Until when the call is wanted, in milliseconds by Redis's clock. */
  private deadline({ until }: Call): number {
    const { now } = this.time;
    return now === undefined ? NO_DEADLINE : Math.ceil(now + until - performance.now());
  }

  private settled(): void {
    if (this.inFlight === 0 && this.bounced.length > 0 && !this.clearing) void this.clear();
  }

  /** Sends again what bounced, and then what was held behind it. The first goes alone, to see whether the way is clear. */
  private async clear(): Promise<void> {
    this.clearing = true;
    const { bounced, executed } = this;
    this.bounced = [];
    for (const call of bounced) if (call.order < executed) call.reject(unavailable(new Error("it was overtaken")));
    this.held = [...bounced.filter(({ order }) => order > executed), ...this.held];
    const lost = await this.clearTheWay();
    this.clearing = false;
    const calls = this.held;
    this.held = [];
    const known = new Set<Script>();
    for (const call of calls) {
      if (call.over) continue;
      if (lost) {
        call.reject(notConnected());
        continue;
      }
      const { script } = call;
      if (script !== undefined && this.lastBounce.kind === "unknown-script") {
        // One that was not sent before may be of another script that is forgotten as well.
        call.bySource ||= !known.has(script);
        known.add(script);
      }
      this.dispatch(call);
    }
  }

  /** Answers whether the connection was lost for good, or for longer than a command may take. */
  private async clearTheWay(): Promise<boolean> {
    for (;;) {
      if (!(await this.remedy(this.lastBounce))) return true;
      let first = this.held.shift();
      while (first?.over === true) first = this.held.shift();
      if (first === undefined) return false;
      const bounce = await this.transmit(first);
      if (bounce === undefined) return false;
      this.lastBounce = bounce;
      this.held.unshift(first);
    }
  }

  /** Does what it takes before a call that bounced may be sent again. Answers whether there is a connection. */
  private async remedy(bounce: Bounce): Promise<boolean> {
    switch (bounce.kind) {
      case "unknown-script":
        break;
      case "late":
        this.time.set(bounce.redisMs);
        break;
      case "moved":
        await this.replicas?.settled();
        this.connection.redirect(bounce.to, new Error("the slot is at another node"));
        break;
      case "demoted":
        await this.replicas?.settled();
        await pause(DEMOTED_PAUSE_MS);
        this.connection.renew(new Error("the server is not the primary any more"));
        break;
      case "moving":
      case "down":
        await pause(PAUSE_MS);
    }
    const { commandTimeoutMs } = this.settings;
    return this.connection.isOpen || Promise.race([this.connection.whenOpen(), pause(commandTimeoutMs, false)]);
  }
}

function notConnected(): Error {
  return unavailable(new Error("not connected"));
}

function pause<T>(ms: number, value?: T): Promise<T> {
  return new Promise((resolve) => setTimeout(() => resolve(value as T), ms));
}
