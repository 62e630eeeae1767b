import { serverStopping } from "../../errors/index.js";
import { AgentChangeType, type Change } from "../records.js";
import { tooManyHeld } from "../refusals.js";
import { stateSize } from "../sizes.js";
import type { ReportOutcome, SetState } from "../storage.js";
import { asError, type Commands } from "./commands.js";
import type { RedisStorageSettings } from "./options.js";

/** What the script is told: no room for one more. */
const NO_ROOM = -1;

type Outcome = (result: string, report: SetState) => ReportOutcome;

/**
 * Reports of callers of this replica that wait for their agent's registration. They are kept in Redis, where the registration
 * applies them on whichever replica it comes; the log tells of the registration, and the outcome then lies ready.
 */
export class HeldReports {
  private readonly byAgent = new Map<string, Set<Hold>>();
  private readonly byId = new Map<string, Hold>();
  private count = 0;
  private bytes = 0;
  private closed = false;

  constructor(
    private readonly commands: Commands,
    private readonly limits: Pick<RedisStorageSettings, "maxHeldReports" | "maxHeldBytes">,
    /** Reads what a script says became of a report; throws for a refusal. */
    private readonly outcome: Outcome,
  ) {}

  /** How many wait. */
  get size(): number {
    return this.byId.size;
  }

  /** Prepares to hold a report, before it is known whether its agent is registered. */
  reserve(report: SetState): Hold {
    const bytes = stateSize(report.agentId, report, report.actor);
    const hold = new Hold(report, bytes, this.shortage(bytes));
    this.count += 1;
    this.bytes += bytes;
    const waiting = this.byAgent.get(hold.agentKey) ?? new Set();
    this.byAgent.set(hold.agentKey, waiting.add(hold));
    return hold;
  }

  /** The report was answered at once. */
  release(hold: Hold): void {
    if (hold.isOver) return;
    hold.isOver = true;
    clearTimeout(hold.timer);
    this.count -= 1;
    this.bytes -= hold.bytes;
    const waiting = this.byAgent.get(hold.agentKey);
    waiting?.delete(hold);
    if (waiting?.size === 0) this.byAgent.delete(hold.agentKey);
    if (this.byId.get(hold.key) === hold) this.byId.delete(hold.key);
  }

  /** Redis holds the report: answers what becomes of it. A repeat of one that waits here gets the outcome of the first. */
  wait(hold: Hold): Promise<ReportOutcome> {
    const first = this.byId.get(hold.key);
    if (first !== undefined) {
      this.release(hold);
      return first.promise;
    }
    if (this.closed) {
      this.release(hold);
      this.takeBack(hold).catch(() => undefined);
      return Promise.reject(serverStopping());
    }
    this.byId.set(hold.key, hold);
    hold.timer = setTimeout(() => void this.withdraw(hold), hold.remainingMs).unref();
    const { promise } = hold;
    if (hold.isRegistered) void this.ask(hold);
    return promise;
  }

  /** Looks at the log for registrations. */
  onChanges(changes: readonly Change[]): void {
    if (this.byAgent.size === 0) return;
    for (const change of changes) {
      if (change.kind !== "agent" || change.type !== AgentChangeType.REGISTERED) continue;
      for (const hold of this.byAgent.get(`${change.namespace}/${change.state.agentId}`) ?? []) {
        hold.isRegistered = true;
        void this.ask(hold);
      }
    }
  }

  /** Registrations may have been missed. */
  onLost(): void {
    for (const hold of this.byId.values()) void this.ask(hold);
  }

  /** Takes what a registration through this replica answered: pairs of held id and outcome. */
  settleAll(namespace: string, agentId: string, outcomes: readonly string[]): void {
    for (let index = 0; index < outcomes.length; index += 2) {
      const hold = this.byId.get(`${namespace}/${agentId}/${outcomes[index] ?? ""}`);
      if (hold !== undefined) this.settle(hold, outcomes[index + 1] ?? "");
    }
  }

  /** Fails all that wait, and takes them back. */
  async close(): Promise<void> {
    this.closed = true;
    const holds = [...this.byId.values()];
    for (const hold of holds) {
      this.release(hold);
      hold.reject(serverStopping());
    }
    // Best effort: what is not taken back ends by its own time.
    await Promise.allSettled(holds.map((hold) => this.takeBack(hold)));
  }

  private shortage(bytes: number): Error | undefined {
    const { maxHeldReports, maxHeldBytes } = this.limits;
    if (this.count >= maxHeldReports) return tooManyHeld(maxHeldReports, "reports wait for registrations");
    if (this.bytes + bytes <= maxHeldBytes) return undefined;
    return tooManyHeld(maxHeldBytes, "bytes of reports wait for registrations");
  }

  /** Fetches the outcome, if there is one already. */
  private async ask(hold: Hold): Promise<void> {
    if (hold.isOver || this.byId.get(hold.key) !== hold) return;
    const { keys } = this.commands;
    const { namespace, agentId } = hold.report;
    const key = keys.answer(keys.partitionOf(namespace, agentId), namespace, agentId, hold.heldId);
    try {
      const result = await this.commands.read(key, (client) => client.get(key));
      if (result !== null) this.settle(hold, result);
    } catch {
      // Redis is away. The time of the report runs on, and at its end the outcome is asked for once more.
    }
  }

  /** The time is up. Only Redis knows whether a registration came just before. */
  private async withdraw(hold: Hold): Promise<void> {
    try {
      const result = await this.takeBack(hold);
      this.settle(hold, result);
    } catch (failure) {
      this.release(hold);
      hold.reject(asError(failure));
    }
  }

  private takeBack({ report: { namespace, agentId }, heldId }: Hold): Promise<string> {
    const partition = this.commands.keys.partitionOf(namespace, agentId);
    return this.commands.text("withdraw-report", partition, [namespace, agentId, heldId]);
  }

  private settle(hold: Hold, result: string): void {
    if (hold.isOver) return;
    this.release(hold);
    try {
      hold.resolve(this.outcome(result, hold.report));
    } catch (failure) {
      hold.reject(asError(failure));
    }
  }
}

const replica = crypto.randomUUID();
let made = 0;

/** One report on its way or waiting. Made for every report that may be held, so most of it is made only when one is. */
export class Hold {
  readonly agentKey: string;
  /** Under which Redis keeps it; a repeat of a request is the same report. */
  readonly heldId: string;
  timer: NodeJS.Timeout | undefined;
  /** A registration was seen since the report was sent. */
  isRegistered = false;
  isOver = false;
  private readonly since = performance.now();
  private waiter: PromiseWithResolvers | undefined;

  constructor(
    readonly report: SetState,
    readonly bytes: number,
    /** Why there is no room to hold it. */
    readonly shortage: Error | undefined,
  ) {
    this.agentKey = `${report.namespace}/${report.agentId}`;
    this.heldId = report.requestId === "" ? `-${replica}-${(made += 1).toString(36)}` : `+${report.requestId}`;
  }

  get key(): string {
    return `${this.agentKey}/${this.heldId}`;
  }

  get remainingMs(): number {
    return Math.max(0, this.report.holdMs - (performance.now() - this.since));
  }

  /** For how long Redis shall hold it, in milliseconds; negative: not at all. */
  get holdMs(): number {
    return this.shortage === undefined ? Math.ceil(this.report.holdMs) : NO_ROOM;
  }

  /** What becomes of it. */
  get promise(): Promise<ReportOutcome> {
    return (this.waiter ??= withResolvers()).promise;
  }

  resolve(outcome: ReportOutcome): void {
    this.waiter?.resolve(outcome);
  }

  reject(reason: Error): void {
    this.waiter?.reject(reason);
  }
}

interface PromiseWithResolvers {
  readonly promise: Promise<ReportOutcome>;
  readonly resolve: (outcome: ReportOutcome) => void;
  readonly reject: (reason: Error) => void;
}

function withResolvers(): PromiseWithResolvers {
  let resolve: PromiseWithResolvers["resolve"] = () => undefined;
  let reject: PromiseWithResolvers["reject"] = () => undefined;
  const promise = new Promise<ReportOutcome>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  return { promise, resolve, reject };
}
