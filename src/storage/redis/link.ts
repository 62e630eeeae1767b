import type { Redis } from "ioredis";
import { toFailure, unavailable } from "./failures.js";
import type { RedisTime } from "./redis-time.js";
import type { Script, ScriptName, Scripts } from "./scripts.js";

export type RedisClient = Redis;

export interface LinkSettings {
  readonly commandTimeoutMs: number;
  /** What the storage's clock shows, in milliseconds since 1970; undefined: what Redis's does. */
  readonly time: () => number | undefined;
}

/** A script call on its way. */
interface Call {
  readonly script: Script;
  readonly keys: readonly string[];
  readonly args: readonly string[];
  readonly resolve: (reply: unknown) => void;
  readonly reject: (failure: unknown) => void;
  /** Redis does not know the script: it is sent along. */
  bySource: boolean;
  attempts: number;
  /** Somebody has given up on it. */
  over: boolean;
}

const MAX_ATTEMPTS = 3;
/** What is not answered in time stays out of the way of this, in milliseconds. */
const NO_DEADLINE = Number.MAX_SAFE_INTEGER;

/**
 * Commands to Redis, each answered or failed within the command timeout. Nothing is queued while Redis is away.
 *
 * Scripts are executed in the order in which they were called. One that must be sent again, because Redis has forgotten the scripts
 * or its clock has jumped, takes those behind it along: callers count on the order of their reports.
 */
export class Link {
  private inFlight = 0;
  /** To be sent again when nothing is in flight any more; what is called meanwhile waits behind. */
  private repeated: Call[] = [];
  private waiting: Call[] = [];

  constructor(
    private readonly client: RedisClient,
    private readonly scripts: Scripts,
    readonly time: RedisTime,
    private readonly settings: LinkSettings,
    private readonly isOpen: () => boolean,
    /** Called when Redis did not answer in time: the connection may be dead without a sign. */
    private readonly onSilence: () => void,
  ) {}

  /** Calls a script; `args` come after those that every script has. */
  call(name: ScriptName, keys: readonly string[], args: readonly string[]): Promise<unknown> {
    const script = this.scripts.get(name);
    if (script === undefined) throw new Error(`there is no script ${name}`);
    return this.within((resolve, reject) => {
      const call: Call = { script, keys, args, resolve, reject, bySource: false, attempts: 0, over: false };
      if (this.repeated.length > 0) this.waiting.push(call);
      else this.dispatch(call);
      return () => (call.over = true);
    });
  }

  /** Sends a plain command. */
  command<T>(send: (client: RedisClient) => Promise<T>): Promise<T> {
    return this.within((resolve, reject) => {
      send(this.client).then(resolve, reject);
      return () => undefined;
    });
  }

  /** @param start answers what to do when the time is up */
  private within<T>(start: (resolve: (value: T) => void, reject: (thrown: unknown) => void) => () => void): Promise<T> {
    if (!this.isOpen()) return Promise.reject(unavailable(new Error("not connected")));
    const { commandTimeoutMs } = this.settings;
    return new Promise<T>((resolve, reject) => {
      const timer = setTimeout(() => {
        giveUp();
        reject(unavailable(new Error(`no answer within ${commandTimeoutMs} ms`)));
        this.onSilence();
      }, commandTimeoutMs);
      const giveUp = start(
        (value) => {
          clearTimeout(timer);
          resolve(value);
        },
        (thrown) => {
          clearTimeout(timer);
          const failure = toFailure(thrown);
          reject(failure instanceof Error ? failure : new Error("the Redis client failed", { cause: failure }));
        },
      );
    });
  }

  private dispatch(call: Call): void {
    this.inFlight += 1;
    call.attempts += 1;
    this.send(call).then(
      (reply) => {
        call.resolve(reply);
        this.settled();
      },
      (thrown: unknown) => {
        if (this.mayRepeat(call, thrown)) this.repeated.push(call);
        else call.reject(thrown);
        this.settled();
      },
    );
  }

  private send({ script, keys, args, bySource }: Call): Promise<unknown> {
    const { now } = this.time;
    const deadline = now === undefined ? NO_DEADLINE : Math.ceil(now + this.settings.commandTimeoutMs);
    const time = this.settings.time();
    const all = [...keys, String(deadline), time === undefined ? "" : String(time), ...args];
    return bySource
      ? this.client.eval(script.source, keys.length, ...all)
      : this.client.evalsha(script.sha, keys.length, ...all);
  }

  /** Whether Redis refused to begin with the call, for a reason that is gone the next time. */
  private mayRepeat(call: Call, thrown: unknown): boolean {
    if (!(thrown instanceof Error) || call.over || call.attempts >= MAX_ATTEMPTS) return false;
    if (thrown.message.startsWith("NOSCRIPT")) {
      call.bySource = true;
      return true;
    }
    const late = /^LATE (\d+)/.exec(thrown.message);
    if (late === null) return false;
    this.time.set(Number(late[1]));
    return true;
  }

  private settled(): void {
    this.inFlight -= 1;
    if (this.inFlight > 0 || this.repeated.length === 0) return;
    const calls = [...this.repeated, ...this.waiting];
    this.repeated = [];
    this.waiting = [];
    for (const call of calls) {
      if (call.over) continue;
      if (this.isOpen()) this.dispatch(call);
      else call.reject(unavailable(new Error("not connected")));
    }
  }
}
