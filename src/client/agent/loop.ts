import { durationFromMs, timestampFromMs } from "@bufbuild/protobuf/wkt";
import { ConnectError, type CallOptions } from "@connectrpc/connect";
import { State, TaskDelivery } from "../../../gen/opscore/v1/common_pb.js";
import { Ending } from "../ending.js";
import { retryAfterMs } from "../errors.js";
import { backoffMs, type RetryPolicy } from "../retry-policy.js";
import { pause, type Scheduler } from "../scheduler.js";
import { onAbort } from "../signals.js";
import type { Listeners } from "./listeners.js";
import type { AgentEvents, AgentOptions, AgentStatus } from "./options.js";
import type { Outbox, Report, ReportContent } from "./outbox.js";
import { verdict } from "./verdict.js";

export interface AgentLoopOptions {
  readonly agent: AgentOptions;
  readonly leaseTtlMs: number;
  readonly reconnect: RetryPolicy;
  readonly scheduler: Scheduler;
  readonly outbox: Outbox;
  readonly listeners: Listeners<AgentEvents>;
  /** Makes a report of what the server has forgotten. */
  readonly repeat: (state: State, content: ReportContent) => void;
  /** The server does not know the agent any more. */
  readonly onForgotten: () => void;
  /** The agent has registered again. */
  readonly onRegistered: () => void;
}

/** One call of the loop, and the report that it carries, if any. */
interface Job {
  readonly run: () => Promise<void>;
  readonly report?: Report;
}

/** A lease is renewed after a third of it, give or take a tenth of that, so that agents which started together spread out. */
const RENEW_AFTER = 1 / 3;
const RENEW_JITTER = 0.1;

/** An answer that takes longer does not come; under a short lease it would also come too late. */
const MAX_CALL_MS = 10_000;
const MIN_CALL_MS = 1_000;

/**
 * Everything that an agent says to the server, one call at a time: registration, renewals and reports cannot overtake each other, and
 * whatever fails is tried again before anything later is said.
 */
export class AgentLoop {
  status: AgentStatus = "disconnected";
  agentId: string;
  incarnation = 0n;

  private registered = false;
  /** The same for every attempt of one registration, so that an answer that got lost does not cost an incarnation. */
  private registrationId = crypto.randomUUID();
  /** What the server was told last; it is told again if it forgets. */
  private lastAccepted: Pick<Report, "state" | "content"> | undefined;
  /** When the lease has to be renewed, by the monotonic clock. */
  private renewAt = Infinity;
  /** How many calls in a row got nowhere. */
  private failures = 0;
  /** How many registrations in a row nothing came of: no report was taken and no lease renewed since. */
  private fruitless = 0;
  private readonly ending = new Ending();
  private readonly aborter = new AbortController();
  private wake: (() => void) | undefined;

  constructor(private readonly options: AgentLoopOptions) {
    this.agentId = options.agent.agentId ?? "";
  }

  /**
   * Registers for the first time.
   *
   * @throws ConnectError when the server refuses, or is away for longer than `timeoutMs`
   */
  async start(timeoutMs: number, signal: AbortSignal | undefined): Promise<void> {
    const { scheduler, reconnect } = this.options;
    const deadline = scheduler.monotonic() + timeoutMs;
    const stopListening = onAbort(signal, () => this.end("stopped"));
    try {
      for (;;) {
        signal?.throwIfAborted();
        try {
          await this.register(deadline - scheduler.monotonic());
          // It may have been called off in the very turn in which the answer came.
          signal?.throwIfAborted();
          this.status = "connected";
          this.failures = 0;
          return;
        } catch (thrown) {
          signal?.throwIfAborted();
          const failure = ConnectError.from(thrown);
          this.failures += 1;
          const delayMs = backoffMs(reconnect, this.failures, scheduler.random(), retryAfterMs(failure));
          if (verdict(failure) !== "outage" || scheduler.monotonic() + delayMs >= deadline) throw failure;
          await pause(scheduler, delayMs, this.ending);
        }
      }
    } finally {
      stopListening();
    }
  }

  /** Keeps the server told until {@link end}. */
  async run(): Promise<void> {
    while (!this.ending.hasEnded()) {
      const job = this.nextJob();
      if (job === undefined) {
        await this.rest();
        continue;
      }
      try {
        await job.run();
        this.succeeded();
      } catch (thrown) {
        await this.failed(ConnectError.from(thrown), job.report);
      }
    }
  }

  /** There is a new report to send. */
  notice(): void {
    this.wake?.();
  }

  /** The incarnation that the server knows; undefined while it has to be told of the agent again. */
  get registration(): bigint | undefined {
    return this.registered ? this.incarnation : undefined;
  }

  /** Asks the server for a sign that it knows the agent, as soon as may be. */
  confirm(): void {
    this.renewAt = this.options.scheduler.monotonic();
    this.wake?.();
  }

  /** Ends the loop, and the call that it waits for. Harmless when it has ended. */
  end(status: AgentStatus): void {
    if (this.ending.hasEnded()) return;
    this.status = status;
    this.ending.end();
    this.aborter.abort();
    this.wake?.();
  }

  onEnd(listener: () => void): () => void {
    return this.ending.onEnd(listener);
  }

  /** What has to be said next: nothing else counts while the server does not know the agent, or is about to give it up. */
  private nextJob(): Job | undefined {
    if (!this.registered) return { run: () => this.register() };
    if (this.options.scheduler.monotonic() >= this.renewAt) return { run: () => this.renew() };
    const report = this.options.outbox.next();
    return report === undefined ? undefined : { run: () => this.send(report), report };
  }

  private async register(withinMs = Infinity): Promise<void> {
    const { agent, leaseTtlMs, outbox, repeat, onRegistered } = this.options;
    const again = this.incarnation !== 0n;
    const response = await agent.client.agents.registerAgent(
      {
        agentId: this.agentId,
        displayName: agent.displayName ?? "",
        version: agent.version ?? "",
        capabilities: [...(agent.capabilities ?? [])],
        contactEndpoint: agent.contactEndpoint ?? "",
        maxConcurrentTasks: agent.maxConcurrentTasks ?? 0,
        taskDelivery: taskDelivery(agent),
        labels: { ...agent.labels },
        ...(agent.metadata === undefined ? {} : { metadata: agent.metadata }),
        ...(leaseTtlMs === 0 ? {} : { leaseTtl: durationFromMs(leaseTtlMs) }),
        initialState: this.lastAccepted?.state ?? agent.initialState ?? State.UNKNOWN,
        requestId: this.registrationId,
      },
      this.callOptions(withinMs),
    );
    if (response.agent === undefined) throw new Error("the server answered a registration without the agent");
    this.agentId = response.agent.agentId;
    this.incarnation = response.agent.incarnation;
    this.registered = true;
    this.fruitless += 1;
    this.registrationId = crypto.randomUUID();
    this.scheduleRenewal();
    // With the state comes what was said about it; a report that waits says something newer.
    if (again && this.lastAccepted !== undefined && outbox.size === 0) {
      repeat(this.lastAccepted.state, this.lastAccepted.content);
    }
    if (again) onRegistered();
  }

  private async renew(): Promise<void> {
    const { agentId, incarnation } = this;
    await this.options.agent.client.agents.heartbeat({ agentId, incarnation }, this.callOptions());
    this.fruitless = 0;
    this.scheduleRenewal();
  }

  private async send(report: Report): Promise<void> {
    const { reason, message, details, sessionId, taskId } = report.content;
    await this.options.agent.client.states.setState(
      {
        agentId: this.agentId,
        state: report.state,
        reason: reason ?? "",
        message: message ?? "",
        ...(details === undefined ? {} : { details }),
        sessionId: sessionId ?? "",
        taskId: taskId ?? "",
        incarnation: this.incarnation,
        sequence: report.sequence,
        reportTime: timestampFromMs(report.timeMs),
        // A registration that is gone does not come back by waiting for it.
        waitForRegistration: durationFromMs(0),
        requestId: report.requestId,
      },
      this.callOptions(),
    );
    this.accept(report);
  }

  private accept(report: Report): void {
    this.lastAccepted = report;
    this.fruitless = 0;
    this.options.outbox.settle();
    this.scheduleRenewal();
    this.succeeded();
    report.accepted();
  }

  private succeeded(): void {
    this.failures = 0;
    if (this.status !== "disconnected") return;
    this.status = "connected";
    this.options.listeners.emit("connected", undefined);
  }

  private async failed(failure: ConnectError, report: Report | undefined): Promise<void> {
    if (this.ending.hasEnded()) return;
    const { listeners, outbox, reconnect, scheduler, onForgotten } = this.options;
    this.failures += 1;
    switch (verdict(failure)) {
      case "superseded":
        this.end("superseded");
        for (const left of outbox.clear()) left.failed(failure);
        listeners.emit("superseded", failure);
        return;
      case "accepted":
        if (report !== undefined) this.accept(report);
        return;
      case "refused":
        listeners.emit("error", failure);
        if (report === undefined) break;
        this.succeeded();
        outbox.settle();
        report.failed(failure);
        return;
      case "unregistered":
        this.registered = false;
        onForgotten();
        // One registration is due at once; if the last one did not help, the next must not follow as fast as it can.
        if (this.fruitless <= 1) return;
        this.failures = this.fruitless - 1;
        break;
      case "outage":
      case "barred":
        if (this.status !== "connected") break;
        this.status = "disconnected";
        listeners.emit("disconnected", failure);
        break;
    }
    await pause(scheduler, backoffMs(reconnect, this.failures, scheduler.random(), retryAfterMs(failure)), this.ending);
  }

  private scheduleRenewal(): void {
    const { leaseTtlMs, scheduler } = this.options;
    const jitter = 1 + RENEW_JITTER * (2 * scheduler.random() - 1);
    this.renewAt = leaseTtlMs === 0 ? Infinity : scheduler.monotonic() + Math.floor(leaseTtlMs * RENEW_AFTER * jitter);
  }

  /** Until there is something to say. */
  private rest(): Promise<void> {
    const { scheduler } = this.options;
    return new Promise((resolve) => {
      const cancel =
        this.renewAt === Infinity
          ? undefined
          : scheduler.after(this.renewAt - scheduler.monotonic(), () => this.wake?.());
      this.wake = () => {
        this.wake = undefined;
        cancel?.();
        resolve();
      };
    });
  }

  /** @param withinMs how long whoever waits for the answer does so */
  private callOptions(withinMs = Infinity): CallOptions {
    const { leaseTtlMs } = this.options;
    const renewalMs = leaseTtlMs === 0 ? Infinity : leaseTtlMs * RENEW_AFTER;
    const timeoutMs = Math.min(MAX_CALL_MS, Math.max(MIN_CALL_MS, Math.min(renewalMs, withinMs)));
    return { timeoutMs, signal: this.aborter.signal };
  }
}

/** How tasks reach an agent, by its options. */
export function taskDelivery({ taskDelivery: chosen, contactEndpoint = "" }: AgentOptions): TaskDelivery {
  return chosen ?? (contactEndpoint === "" ? TaskDelivery.STREAM : TaskDelivery.UNSPECIFIED);
}
