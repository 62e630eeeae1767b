import { Code, ConnectError } from "@connectrpc/connect";
import { WatchKind } from "../../../gen/opscore/v1/common_pb.js";
import { isTransient } from "../calls/failures.js";
import { Ending } from "../ending.js";
import { errorReason, retryAfterMs } from "../errors.js";
import { backoffMs, type RetryPolicy } from "../retry-policy.js";
import { pause, type Scheduler } from "../scheduler.js";
import { StreamCall } from "./stream-call.js";

/** Everything committed before the watch began, or before the last `resync`, has been handed over. */
export interface Synced {
  readonly type: "synced";
}

/** Continuity was lost: forget what you hold. A fresh snapshot and another `synced` follow. */
export interface Resync {
  readonly type: "resync";
}

/** One try of a watch that failed, and what comes next. */
export interface Reconnect {
  readonly error: ConnectError;
  /** How many tries in a row have failed. */
  readonly failures: number;
  /** When the next one is made, in milliseconds from now. */
  readonly delayMs: number;
}

export interface WatchMessage {
  readonly kind: WatchKind;
  readonly resumeToken: string;
}

export interface WatchStart {
  readonly resumeToken: string;
  readonly includeSnapshot: boolean;
}

/** What differs between the watches of states, of sessions and of tasks. */
export interface WatchProtocol<Message extends WatchMessage, Entry> {
  open(start: WatchStart, signal: AbortSignal): Promise<AsyncIterable<Message>>;
  snapshot(message: Message): readonly Entry[];
  events(message: Message): readonly Entry[];
}

/** What one message brought. */
export interface Batch<Item> {
  /** None when the message only moved the position. */
  readonly items: readonly Item[];
  /** Where to go on after these items; empty when there is nothing to go on from. */
  readonly resumeToken: string;
}

export interface ResumingStreamOptions<Message extends WatchMessage, Entry> {
  readonly protocol: WatchProtocol<Message, Entry>;
  readonly start: WatchStart;
  readonly silenceMs: number;
  readonly reconnect: RetryPolicy;
  readonly onReconnect: ((reconnect: Reconnect) => void) | undefined;
  readonly onReconnected: (() => void) | undefined;
  readonly scheduler: Scheduler;
}

const SYNCED: readonly Synced[] = [{ type: "synced" }];
const RESYNC: readonly Resync[] = [{ type: "resync" }];

/**
 * One watch over as many calls as it takes: each goes on where the one before stopped. Where that is not possible it says so with
 * `resync`, and never leaves a silent gap.
 *
 * It reads ahead nothing: the next message is taken from the connection only when the one before was handed over, so a consumer that is
 * slow is slow on the server's side, where it is provided for.
 */
export class ResumingStream<Message extends WatchMessage, Entry> {
  private readonly closing = new Ending();
  private call: StreamCall<Message> | undefined;
  private failures = 0;
  /** A try has failed, and nothing has come since. */
  private isAway = false;

  /** After everything that was answered so far; empty when there is nothing to go on from. */
  private position: string;
  /** The position came from the server in this watch, so that a refusal of it is not the caller's mistake. */
  private positionIsOurs = false;
  private includeSnapshot: boolean;
  /** Something was handed over that is worthless unless what follows is continuous with it. */
  private dirty = false;
  /** `synced` was handed over; a resumed call sends it again, which is news to nobody. */
  private synced = false;

  constructor(private readonly options: ResumingStreamOptions<Message, Entry>) {
    this.position = options.start.resumeToken;
    this.includeSnapshot = options.start.includeSnapshot;
  }

  /**
   * The next batch; undefined when the watch has ended: closed, or ended by the server with OK. Not to be called again before it has
   * answered.
   *
   * @throws ConnectError for what trying again does not mend
   */
  async next(): Promise<Batch<Entry | Synced | Resync> | undefined> {
    while (!this.closing.hasEnded()) {
      try {
        this.call ??= this.open();
        const message = await this.call.next();
        if (message === undefined) return undefined;
        this.arrived();
        const items = this.accept(message);
        return { items, resumeToken: this.position };
      } catch (thrown) {
        this.call = undefined;
        if (this.closing.hasEnded()) return undefined;
        if (await this.recover(ConnectError.from(thrown))) return { items: RESYNC, resumeToken: this.position };
      }
    }
    return undefined;
  }

  /** Ends the watch; a `next` that waits ends at once. */
  close(): void {
    this.closing.end();
    this.call?.cut(new ConnectError("the watch was ended", Code.Canceled));
  }

  private open(): StreamCall<Message> {
    const { protocol, silenceMs, scheduler } = this.options;
    const start = { resumeToken: this.position, includeSnapshot: this.includeSnapshot };
    return new StreamCall({ open: (signal) => protocol.open(start, signal), silenceMs, scheduler });
  }

  private arrived(): void {
    if (!this.isAway) return;
    this.isAway = false;
    this.options.onReconnected?.();
  }

  private accept(message: Message): readonly (Entry | Synced | Resync)[] {
    if (message.resumeToken !== "") {
      this.position = message.resumeToken;
      this.positionIsOurs = true;
      this.failures = 0;
    }
    switch (message.kind) {
      case WatchKind.SNAPSHOT:
        this.dirty = true;
        return this.options.protocol.snapshot(message);
      case WatchKind.EVENTS:
        this.dirty = true;
        return this.options.protocol.events(message);
      case WatchKind.SYNCED: {
        const again = this.synced;
        this.synced = true;
        this.dirty = true;
        return again ? [] : SYNCED;
      }
      case WatchKind.RESYNC:
        this.forget();
        return RESYNC;
      case WatchKind.PROGRESS:
      case WatchKind.UNSPECIFIED:
      // Enumerations are open: a newer server may send what this client does not know.
      default:
        return [];
    }
  }

  /**
   * Waits until it is time to try again.
   *
   * @returns whether the consumer has to start over
   * @throws `failure` if trying again would not help
   */
  private async recover(failure: ConnectError): Promise<boolean> {
    const { reconnect, scheduler, onReconnect } = this.options;
    // A token of this very watch can only be refused by a server that reads tokens differently: an upgrade, not a mistake.
    const tokenOutlived = this.positionIsOurs && errorReason(failure) === "INVALID_RESUME_TOKEN";
    this.failures += 1;
    this.isAway = true;
    if ((!isTransient(failure) && !tokenOutlived) || this.failures >= reconnect.maxAttempts) throw failure;
    if (tokenOutlived) this.position = "";

    const startOver = this.position === "" && this.dirty;
    if (startOver) this.forget();
    const delayMs = backoffMs(reconnect, this.failures, scheduler.random(), retryAfterMs(failure));
    onReconnect?.({ error: failure, failures: this.failures, delayMs });
    await pause(scheduler, delayMs, this.closing);
    return startOver && !this.closing.hasEnded();
  }

  private forget(): void {
    this.position = "";
    this.positionIsOurs = false;
    this.includeSnapshot = true;
    this.dirty = false;
    this.synced = false;
  }
}
