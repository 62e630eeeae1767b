/**
 * Brings leased tasks to agents that do not fetch them. Each attempt is brought by one replica, which claims it first. What certainly
 * did not arrive is tried again as long as the lease lasts; an attempt that may have arrived never is, so none runs twice: either
 * the agent is heard of, or the lease runs out and another attempt begins.
 */
import { createHash } from "node:crypto";
import { setMaxListeners } from "node:events";
import { TaskDelivery, TaskStatus, type Agent, type TaskRecord } from "../../../storage/records.js";
import type { Storage } from "../../../storage/storage.js";
import { TaskFailure } from "../../../storage/tasks.js";
import { pause } from "../../pause.js";
import { TASK_LEASE_MS, taskLeaseMs } from "../leases.js";
import { isAway, isRefusal } from "../refusal.js";
import type { Courier, Delivery } from "./courier.js";

/** How many requests are under way at once. */
const MAX_UNDER_WAY = 128;
/** Between two tries, in milliseconds: the first time, and at most. */
const FIRST_PAUSE_MS = 50;
const LAST_PAUSE_MS = 5_000;
/** How long to try in all, in milliseconds: the last try must be over before the lease is. */
const TRYING_MS = TASK_LEASE_MS / 2;
/** Before a storage that is away is asked again, in milliseconds. */
const RETRY_MS = 250;

export interface DispatcherOptions {
  readonly endpoint: Courier;
  readonly agentKit: Courier;
  /** Told of what is neither a refusal nor a failed delivery. */
  readonly onFailure: (thrown: unknown) => void;
  /** Told of each delivery that failed. */
  readonly onUndelivered?: (task: TaskRecord, delivery: Delivery) => void;
}

export class Dispatcher {
  private readonly stopping = new AbortController();
  private readonly waiting: (() => Promise<void>)[] = [];
  private underWay = 0;

  constructor(
    private readonly storage: Storage,
    private readonly options: DispatcherOptions,
  ) {
    // Each request that is under way listens: more than Node takes for a leak.
    setMaxListeners(0, this.stopping.signal);
  }

  /** Brings a task that was just leased. Answers at once; never throws. */
  deliver(task: TaskRecord): void {
    this.enqueue(() => this.bring(task));
  }

  /** Tells an agent that a task which was brought to it is called off. Answers at once; never throws. */
  recall(task: TaskRecord): void {
    this.enqueue(async () => {
      if (!(await this.insist(() => this.claim(task, "recall")))) return;
      const agent = await this.insist(() => this.holderOf(task));
      if (agent !== undefined) await this.courierOf(task)?.recall(task, agent, this.stopping.signal);
    });
  }

  /** Cuts requests off and begins no more. Attempts that were not brought are leased again when their lease is over. */
  stop(): void {
    this.waiting.length = 0;
    this.stopping.abort();
  }

  private enqueue(job: () => Promise<void>): void {
    if (this.stopping.signal.aborted) return;
    this.waiting.push(job);
    this.next();
  }

  private next(): void {
    while (this.underWay < MAX_UNDER_WAY) {
      const job = this.waiting.shift();
      if (job === undefined) return;
      this.underWay += 1;
      job()
        .catch((thrown: unknown) => {
          // A refusal: the attempt is over, whoever ended it.
          if (!isRefusal(thrown) && !this.stopping.signal.aborted) this.options.onFailure(thrown);
        })
        .finally(() => {
          this.underWay -= 1;
          this.next();
        });
    }
  }

  private async bring(task: TaskRecord): Promise<void> {
    const courier = this.courierOf(task);
    if (courier === undefined || !(await this.insist(() => this.claim(task, "bring")))) return;
    const { signal } = this.stopping;
    const until = performance.now() + TRYING_MS;
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LAST_PAUSE_MS)) {
      // It may have ended while it waited for its turn, or for another try.
      if (!(await this.insist(() => this.isUnderWay(task)))) return;
      const agent = await this.insist(() => this.holderOf(task));
      if (agent === undefined) {
        await this.fail(task, TaskFailure.AGENT_LOST, `agent ${task.agentId} is gone`, false);
        return;
      }
      const delivery = await courier.bring(task, agent, signal);
      if (signal.aborted) return;
      if (delivery.kind !== "accepted") this.options.onUndelivered?.(task, delivery);
      if (delivery.kind !== "unreached") {
        await this.conclude(task, delivery);
        return;
      }
      if (performance.now() + pauseMs > until) {
        await this.fail(task, "DeliveryFailed", delivery.error, false);
        return;
      }
      await pause(pauseMs, signal);
      if (this.stopping.signal.aborted) return;
    }
  }

  private async conclude(task: TaskRecord, delivery: Exclude<Delivery, { kind: "unreached" }>): Promise<void> {
    switch (delivery.kind) {
      case "accepted": {
        const { delivery: way, timeoutMs } = task;
        const renewal = { ...keyOf(task), leaseMs: taskLeaseMs(way, timeoutMs) };
        await this.insist(async () => this.storage.renewTask(renewal));
        break;
      }
      case "refused":
        await this.fail(task, delivery.reason, delivery.error, delivery.permanent);
        break;
      case "uncertain":
        // The lease as it is decides: the agent's report renews it.
        break;
    }
  }

  private courierOf({ delivery }: TaskRecord): Courier | undefined {
    if (delivery === TaskDelivery.ENDPOINT) return this.options.endpoint;
    return delivery === TaskDelivery.AGENTKIT ? this.options.agentKit : undefined;
  }

  private async holderOf({ namespace, agentId, agentIncarnation }: TaskRecord): Promise<Agent | undefined> {
    const agent = await this.storage.getAgent({ namespace, agentId });
    return agent?.record.incarnation === agentIncarnation ? agent : undefined;
  }

  private async isUnderWay(task: TaskRecord): Promise<boolean> {
    const now = await this.storage.getTask(keyOf(task));
    return now?.status === TaskStatus.LEASED && now.attempt === task.attempt;
  }

  private async fail(task: TaskRecord, reason: string, error: string, permanent: boolean): Promise<void> {
    const failure = { ...keyOf(task), reason, error, permanent, jitter: Math.random() };
    await this.insist(async () => this.storage.failTask(failure));
  }

  /**
   * Asks the storage until it answers, which may be away for a moment: what it is not told now, nobody tells it, and it would end the
   * attempt, though the agent has it, or begin another one that was not wanted.
   */
  private async insist<T>(step: () => Promise<T>): Promise<T> {
    const { signal } = this.stopping;
    const until = performance.now() + TASK_LEASE_MS;
    for (;;) {
      try {
        return await step();
      } catch (thrown) {
        if (!isAway(thrown) || signal.aborted || performance.now() > until) throw thrown;
      }
      await pause(RETRY_MS, signal);
    }
  }

  private async claim({ namespace, sessionId, taskId, attempt }: TaskRecord, what: string): Promise<boolean> {
    const hash = createHash("sha256").update(JSON.stringify([namespace, sessionId, taskId, attempt]));
    return this.storage.claim(`task-${what}:${hash.digest("hex")}`);
  }
}

function keyOf({ namespace, sessionId, taskId, attempt }: TaskRecord) {
  return { namespace, sessionId, taskId, attempt };
}
