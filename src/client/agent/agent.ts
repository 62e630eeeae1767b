import { Code, ConnectError } from "@connectrpc/connect";
import { State, TaskDelivery } from "../../../gen/opscore/v1/common_pb.js";
import { clientClosed } from "../calls/failures.js";
import { Ending } from "../ending.js";
import { retryAfterMs } from "../errors.js";
import { backoffMs, RECONNECT, retryPolicy, type RetryPolicy } from "../retry-policy.js";
import { pause, systemScheduler, type Scheduler } from "../scheduler.js";
import { Listeners } from "./listeners.js";
import { AgentLoop, taskDelivery } from "./loop.js";
import type { AgentEvents, AgentOptions, AgentStatus, StopOptions, StopResult } from "./options.js";
import { asItIs, Outbox, ReportDroppedError, type ReportContent } from "./outbox.js";
import { AgentTasks } from "./tasks.js";
import { verdict } from "./verdict.js";

const DEFAULT_LEASE_TTL_MS = 30_000;
const DEFAULT_QUEUE_LIMIT = 1_000;
const DEFAULT_START_TIMEOUT_MS = 30_000;
const DEFAULT_STOP_TIMEOUT_MS = 5_000;
/** Removing the registration is tried for at least so long, also when sending the last reports took all the time there was. */
const MIN_DEREGISTER_MS = 1_000;

/**
 * An agent's side of the control plane: registers it, keeps its lease alive, and reports what it does.
 *
 * Reports are sent in the order in which they are made, each once in effect. While the server is away they are kept, the newest
 * `queueLimit` of them, and sent when it is back. A server that has forgotten the agent gets a new registration and the last state.
 * Reporting never throws: `await` a report to know that the server has it, or leave it; a report that fails also raises `error`.
 *
 * @example
 * const agent = await Agent.start({ client, agentId: "writer-1", capabilities: ["write"] });
 * agent.idle();
 * agent.active({ sessionId, message: "drafting" });
 * await agent.stop({ state: State.FINISHED });
 */
export class Agent implements AsyncDisposable {
  private readonly listeners = new Listeners<AgentEvents>();
  private readonly outbox: Outbox;
  private readonly scheduler: Scheduler;
  private readonly reconnect: RetryPolicy;
  private readonly loop: AgentLoop;
  private sequence = 0n;
  /** Why there will be no more reports. */
  private over: Error | undefined;
  private stopping: Promise<StopResult> | undefined;
  /** Tasks that are being taken. */
  private supply: AgentTasks | undefined;

  private constructor(private readonly options: AgentOptions) {
    const queueLimit = options.queueLimit ?? DEFAULT_QUEUE_LIMIT;
    const leaseTtlMs = options.leaseTtlMs ?? DEFAULT_LEASE_TTL_MS;
    if (!(queueLimit >= 1)) throw new RangeError("queueLimit must be at least 1");
    if (!(leaseTtlMs >= 0)) throw new RangeError("leaseTtlMs must not be negative");
    this.outbox = new Outbox(queueLimit);
    this.scheduler = options.scheduler ?? systemScheduler;
    this.reconnect = retryPolicy(RECONNECT, options.reconnect);
    this.loop = new AgentLoop({
      agent: options,
      // In whole milliseconds, as others cannot be sent; rounded up, because 0 means that there is no lease.
      leaseTtlMs: Math.ceil(leaseTtlMs),
      reconnect: this.reconnect,
      scheduler: this.scheduler,
      outbox: this.outbox,
      listeners: this.listeners,
      repeat: (state, content) => void this.enqueue(state, content),
      onForgotten: () => this.supply?.interrupt(),
      onRegistered: () => this.supply?.begin(),
    });
  }

  /**
   * Registers the agent and starts to keep it alive. A server that is away is waited for.
   *
   * @throws ConnectError when the server refuses the registration, or is away for longer than `startTimeoutMs`
   * @throws RangeError for options out of bounds
   * @throws the reason of `signal` when it aborts
   */
  static async start(options: AgentOptions): Promise<Agent> {
    const { startTimeoutMs = DEFAULT_START_TIMEOUT_MS } = options;
    if (!(startTimeoutMs >= 0)) throw new RangeError("startTimeoutMs must not be negative");
    const agent = new Agent(options);
    await agent.loop.start(startTimeoutMs, options.signal);
    agent.loop.onEnd(
      options.client.onClose(() => {
        agent.halt("stopped", clientClosed());
        void agent.supply?.close();
      }),
    );
    agent.on("superseded", (failure) => {
      agent.over = failure;
      agent.supply?.lose();
    });
    void agent.loop.run();
    return agent;
  }

  /** The agent's id, also when the server made it. */
  get agentId(): string {
    return this.loop.agentId;
  }

  /** The fencing number of the current registration; grows when the agent has to register again. */
  get incarnation(): bigint {
    return this.loop.incarnation;
  }

  get status(): AgentStatus {
    return this.loop.status;
  }

  /** How many reports the server does not have yet. */
  get unsent(): number {
    return this.outbox.size;
  }

  /** Starting: loading models, opening connections. */
  initializing(content?: ReportContent): Promise<void> {
    return this.report(State.INITIALIZING, content);
  }

  /** Ready for work. */
  idle(content?: ReportContent): Promise<void> {
    return this.report(State.IDLE, content);
  }

  /** Working. */
  active(content?: ReportContent): Promise<void> {
    return this.report(State.ACTIVE, content);
  }

  /** Failed, and may recover. */
  error(content?: ReportContent): Promise<void> {
    return this.report(State.ERROR, content);
  }

  /** Done. Nothing can be reported after it. */
  finished(content?: ReportContent): Promise<void> {
    return this.report(State.FINISHED, content);
  }

  /**
   * Reports a state.
   *
   * @returns resolves when the server has the report; rejects with a ConnectError when it refused it (ILLEGAL_TRANSITION), with a
   *   ReportDroppedError when newer reports needed its place, and when the agent was stopped or superseded before. Nothing happens when
   *   nobody looks at the rejection.
   */
  report(state: State, content: ReportContent = {}): Promise<void> {
    return this.enqueue(state, content);
  }

  /**
   * Takes tasks, as the server leases them to this agent. Each is renewed until it is answered with `complete` or `fail`; its `signal`
   * aborts when it was called off, or is not this agent's any more. The agent's states are reported with it: IDLE when it can take a
   * task, ACTIVE with the task's ids from when it is handed over, IDLE again when the last one is over.
   *
   * Leaving the loop, and `stop`, give back what is not answered.
   *
   * @example
   * for await (const task of agent.tasks()) {
   *   try {
   *     await task.complete(await work(task.parameters, task.signal));
   *   } catch (error) {
   *     if (!task.signal.aborted) await task.fail(error);
   *   }
   * }
   *
   * @throws ConnectError, while it is iterated, for what trying again does not mend
   * @throws Error when tasks are being taken already, reach the agent in another way, or it has stopped
   */
  tasks(): AgentTasks {
    if (taskDelivery(this.options) !== TaskDelivery.STREAM) throw new Error("taskDelivery must be STREAM");
    if (this.over !== undefined) throw this.over;
    if (this.supply !== undefined) throw new Error("tasks are being taken already");
    this.supply = new AgentTasks({
      client: this.options.client,
      agentId: this.agentId,
      registration: () => this.loop.registration,
      reconnect: this.reconnect,
      scheduler: this.scheduler,
      idle: () => void this.idle(),
      active: ({ sessionId, taskId }) => void this.active({ sessionId, taskId }),
      notTaking: () => this.initializing({ reason: "NotTakingTasks" }),
      onResync: () => this.loop.confirm(),
      onClose: () => (this.supply = undefined),
    });
    return this.supply;
  }

  /**
   * Listens to an event. See {@link AgentEvents}.
   *
   * @returns stops listening
   */
  on<Event extends keyof AgentEvents>(event: Event, listener: (told: AgentEvents[Event]) => void): () => void {
    return this.listeners.on(event, listener);
  }

  /**
   * Gives back tasks that are not answered, sends what is left, as long as `timeoutMs` allows, and ends. May be called again; the first call's options count.
   *
   * @throws ConnectError when the agent could not be deregistered; it has stopped nevertheless
   */
  stop(options: StopOptions = {}): Promise<StopResult> {
    this.stopping ??= this.flushAndEnd(options);
    return this.stopping;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  private enqueue(state: State, content: ReportContent): Promise<void> {
    const sent = new Promise<void>((accepted, failed) => {
      if (this.over !== undefined) {
        failed(this.over);
        return;
      }
      this.sequence += 1n;
      const dropped = this.outbox.push({
        state,
        content: asItIs(content),
        sequence: this.sequence,
        requestId: crypto.randomUUID(),
        timeMs: this.scheduler.now(),
        accepted,
        failed,
      });
      if (dropped !== undefined) {
        const error = new ReportDroppedError(`report ${dropped.sequence} gave way to newer ones`);
        dropped.failed(error);
        this.listeners.emit("error", error);
      }
      this.loop.notice();
    });
    sent.catch(() => {
      // Whoever wants to know has the promise; the others are not to be ended by an unhandled rejection.
    });
    return sent;
  }

  private async flushAndEnd({ state, deregister, timeoutMs }: StopOptions): Promise<StopResult> {
    const deadline = this.scheduler.monotonic() + (timeoutMs ?? DEFAULT_STOP_TIMEOUT_MS);
    if (this.supply !== undefined) await this.supply.close();
    if (state !== undefined) void this.report(state);
    const stopped = new ConnectError("the agent was stopped", Code.Canceled);
    this.over ??= stopped;
    const flushed = new Ending();
    void this.outbox.whenDrained().then(() => flushed.end());
    this.loop.onEnd(() => flushed.end());
    await pause(this.scheduler, deadline - this.scheduler.monotonic(), flushed);

    const superseded = this.status === "superseded";
    const unsent = this.halt("stopped", stopped);
    if (deregister === true && !superseded) await this.deregister(deadline);
    return { unsent };
  }

  /** @returns how many reports were left */
  private halt(status: AgentStatus, reason: Error): number {
    this.over ??= reason;
    this.loop.end(status);
    const left = this.outbox.clear();
    for (const report of left) report.failed(reason);
    return left.length;
  }

  private async deregister(flushDeadline: number): Promise<void> {
    const { scheduler, agentId, incarnation } = this;
    const deadline = Math.max(flushDeadline, scheduler.monotonic() + MIN_DEREGISTER_MS);
    for (let failures = 1; ; failures++) {
      try {
        const timeoutMs = Math.max(1, deadline - scheduler.monotonic());
        await this.options.client.agents.deregisterAgent({ agentId, incarnation }, { timeoutMs });
        return;
      } catch (thrown) {
        const failure = ConnectError.from(thrown);
        const meaning = verdict(failure);
        // There is nothing of ours to remove; perhaps an attempt before this one got through.
        if (meaning === "unregistered" || meaning === "superseded") return;
        const delayMs = backoffMs(this.reconnect, failures, scheduler.random(), retryAfterMs(failure));
        if (meaning !== "outage" || scheduler.monotonic() + delayMs >= deadline) throw failure;
        await pause(scheduler, delayMs, new Ending());
      }
    }
  }
}
