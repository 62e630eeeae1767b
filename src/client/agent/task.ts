import type { JsonObject } from "@bufbuild/protobuf";
import { durationMs, timestampDate, timestampMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, type CallOptions } from "@connectrpc/connect";
import type { Task } from "../../../gen/opscore/v1/task_service_pb.js";
import { isTransient } from "../calls/failures.js";
import type { OpsCoreClient } from "../client.js";
import { Ending } from "../ending.js";
import { isServerError, retryAfterMs } from "../errors.js";
import { backoffMs, type RetryPolicy } from "../retry-policy.js";
import { pause, type Scheduler } from "../scheduler.js";
import { isOver, LeaseKeeper } from "./lease-keeper.js";

/**
 * Why an attempt ended that was not answered: the task was called off; the attempt is not the agent's any more (its lease or its time ran
 * out, or the agent registered anew); the agent stopped taking tasks.
 */
export type TaskEnd = "cancelled" | "lost" | "stopped";

/** The reason of a task's signal, and what answers to an attempt that is over are rejected with. */
export class TaskEndedError extends Error {
  override readonly name = "TaskEndedError";

  constructor(
    readonly end: TaskEnd,
    message: string,
  ) {
    super(message);
  }
}

export interface FailOptions {
  /** Why, for programs: one CamelCase word of at most 64 characters. Default: the error's name if it is one, else `Failed`. */
  readonly reason?: string | undefined;
  /** Trying again is no use. Default false. */
  readonly permanent?: boolean | undefined;
}

/** What a task needs of the agent that has it. */
export interface TaskHost {
  readonly calls: OpsCoreClient["tasks"];
  readonly reconnect: RetryPolicy;
  readonly scheduler: Scheduler;
  /** The attempt is over: answered, or ended as its signal says. */
  readonly onOver: (task: AgentTask) => void;
}

const REASON = /^[A-Z][A-Za-z0-9]{0,63}$/;
const MAX_ERROR_BYTES = 1024;
/** How long one call may take that answers, in milliseconds. */
const CALL_MS = 10_000;

/** One attempt at a task that an agent has. Its lease is renewed until it is answered. */
export class AgentTask {
  private readonly aborter = new AbortController();
  private readonly ending = new Ending();
  private readonly lease: LeaseKeeper;
  private answering = false;

  /**
   * @param message the task as it was leased
   * @param isNew whether the lease has just begun; else it is renewed at once
   * @internal
   */
  constructor(
    /** The whole task as the server sent it. */
    readonly message: Task,
    isNew: boolean,
    private readonly host: TaskHost,
  ) {
    this.lease = new LeaseKeeper({
      leaseMs: isNew ? leaseOf(message) : undefined,
      renew: async (options) => {
        const { ttl, remaining } = await host.calls.renewTask(this.key, options);
        return {
          ttlMs: ttl === undefined ? 0 : durationMs(ttl),
          remainingMs: remaining === undefined ? 0 : durationMs(remaining),
        };
      },
      onLost: () => this.end("lost"),
      reconnect: host.reconnect,
      scheduler: host.scheduler,
    });
    void this.lease.run();
  }

  get sessionId(): string {
    return this.message.sessionId;
  }

  /** The task's id in its workflow. */
  get taskId(): string {
    return this.message.taskId;
  }

  /** The fencing number: what is done elsewhere for this attempt can be told from that of another by it. From 1. */
  get attempt(): number {
    return this.message.attempt;
  }

  /** What the workflow, or whoever triggered it, says. */
  get parameters(): JsonObject {
    return this.message.parameters ?? {};
  }

  /** The results of the tasks that it depends on, by their ids. */
  get inputs(): JsonObject {
    return this.message.inputs ?? {};
  }

  /** When the attempt's time is over, by the server's clock. */
  get deadline(): Date | undefined {
    return this.message.deadline === undefined ? undefined : timestampDate(this.message.deadline);
  }

  /** Aborts, with a {@link TaskEndedError}, when there is no point in going on: stop working on it. */
  get signal(): AbortSignal {
    return this.aborter.signal;
  }

  /**
   * Answers that it is done. A server that is away is waited for, as long as the attempt lasts.
   *
   * @param result what came of it, for the tasks that depend on it. At most 64 KiB as JSON
   * @throws TaskEndedError when the attempt is over; ConnectError when the server refuses the answer (INVALID_FIELD for a result that is too
   *   large), and the task still is the agent's, to be answered otherwise
   */
  complete(result?: JsonObject): Promise<void> {
    return this.answer((options) =>
      this.host.calls.completeTask({ ...this.key, ...(result === undefined ? {} : { result }) }, options),
    );
  }

  /**
   * Answers that it failed. It is tried again, by whichever agent, unless its attempts are used up.
   *
   * @param error why: its message is kept with the task
   * @throws as {@link complete}
   */
  fail(error: unknown, { reason, permanent = false }: FailOptions = {}): Promise<void> {
    const answer = { ...this.key, ...describe(error, reason), permanent };
    return this.answer((options) => this.host.calls.failTask(answer, options));
  }

  /**
   * What the server says became of it; while an answer is under way, that answer finds out.
   *
   * @internal
   */
  supersede(end: TaskEnd): void {
    if (!this.answering || end === "cancelled") this.end(end);
  }

  /**
   * The agent stops. The task is given back, once, without waiting for a server that is away: its lease does the rest. An answer that is
   * under way is waited for instead.
   *
   * @internal
   */
  async abandon(timeoutMs: number): Promise<void> {
    if (this.answering) await pause(this.host.scheduler, timeoutMs, this.ending);
    if (this.ending.hasEnded()) return;
    const isAnswered = this.answering;
    this.end("stopped");
    if (isAnswered) return;
    const answer = { ...this.key, reason: "AgentStopped", error: "the agent stopped before it was done" };
    await this.host.calls.failTask(answer, { timeoutMs }).catch(() => undefined);
  }

  private get key() {
    const { sessionId, taskId, attempt } = this.message;
    return { sessionId, taskId, attempt };
  }

  private async answer(call: (options: CallOptions) => Promise<unknown>): Promise<void> {
    if (this.answering) throw new Error("the task is answered already");
    const { reconnect, scheduler } = this.host;
    this.answering = true;
    for (let failures = 1; ; failures += 1) {
      this.signal.throwIfAborted();
      try {
        await call({ timeoutMs: CALL_MS, signal: this.signal });
        break;
      } catch (thrown) {
        this.signal.throwIfAborted();
        const failure = ConnectError.from(thrown);
        if (isOver(failure)) this.end("lost");
        this.signal.throwIfAborted();
        const isAway = isTransient(failure) || (failure.code === Code.DeadlineExceeded && !isServerError(failure));
        if (!isAway) {
          this.answering = false;
          throw failure;
        }
        await pause(scheduler, backoffMs(reconnect, failures, scheduler.random(), retryAfterMs(failure)), this.ending);
      }
    }
    this.conclude();
  }

  private end(end: TaskEnd): void {
    if (this.ending.hasEnded()) return;
    this.aborter.abort(new TaskEndedError(end, `attempt ${this.attempt} of task ${this.taskId} ${ENDS[end]}`));
    this.conclude();
  }

  private conclude(): void {
    if (this.ending.hasEnded()) return;
    this.ending.end();
    this.lease.stop();
    this.host.onOver(this);
  }
}

const ENDS: Readonly<Record<TaskEnd, string>> = {
  cancelled: "was called off",
  lost: "is not the agent's any more",
  stopped: "was given back: the agent stopped",
};

function leaseOf({ leaseExpireTime, startTime }: Task): number | undefined {
  if (leaseExpireTime === undefined || startTime === undefined) return undefined;
  return Math.max(0, timestampMs(leaseExpireTime) - timestampMs(startTime));
}

function describe(error: unknown, given: string | undefined): { readonly reason: string; readonly error: string } {
  const name = error instanceof Error && REASON.test(error.name) && error.name !== "Error" ? error.name : "Failed";
  const message = error instanceof Error ? error.message : typeof error === "string" ? error : jsonOf(error);
  return { reason: given ?? name, error: clip(message) };
}

/** Whatever can be thrown can be told: what has no JSON, such as an object in a circle, at least by its kind. */
function jsonOf(thrown: unknown): string | undefined {
  try {
    return JSON.stringify(thrown);
  } catch {
    return typeof thrown === "bigint" ? String(thrown) : Object.prototype.toString.call(thrown);
  }
}

/** As much of a text as an answer may hold. */
function clip(text = ""): string {
  const bytes = new TextEncoder().encode(text);
  if (bytes.length <= MAX_ERROR_BYTES) return text;
  // A character that was cut in two is left out.
  return new TextDecoder().decode(bytes.subarray(0, MAX_ERROR_BYTES - 3)).replace(/\uFFFD$/, "") + "…";
}
