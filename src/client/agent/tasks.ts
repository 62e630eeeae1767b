import { TaskStatus, type Task } from "../../../gen/opscore/v1/task_service_pb.js";
import type { OpsCoreClient } from "../client.js";
import { Ending } from "../ending.js";
import type { RetryPolicy } from "../retry-policy.js";
import { pause, type Scheduler } from "../scheduler.js";
import type { Resync, Synced } from "../watch/resuming-stream.js";
import type { TaskEntry, TaskWatch } from "../watch/watches.js";
import { AgentTask, type TaskEnd, type TaskHost } from "./task.js";

/** How many answered attempts are remembered, in case the server's answer and its snapshot cross. */
const REMEMBERED = 1_000;
/** What comes so soon after a connection was lost may have happened while it was, in milliseconds. */
const CATCHING_UP_MS = 30_000;
/** How long the calls may take that give tasks back, in milliseconds. */
const GIVE_BACK_MS = 2_000;

/** What the supply of tasks needs of its agent. */
export interface AgentTasksHost {
  readonly client: Pick<OpsCoreClient, "tasks" | "watchTasks">;
  readonly agentId: string;
  /** The fencing number of the agent's registration; undefined while the server has to be told of it again. */
  readonly registration: () => bigint | undefined;
  readonly reconnect: RetryPolicy;
  readonly scheduler: Scheduler;
  readonly idle: () => void;
  readonly active: (task: AgentTask) => void;
  /** Resolves when the server has it, rejects when it never will. */
  readonly notTaking: () => Promise<void>;
  /** Continuity with the server was lost: perhaps it forgot the agent too. */
  readonly onResync: () => void;
  readonly onClose: () => void;
}

type Result = IteratorResult<AgentTask, undefined>;

interface Waiter {
  readonly resolve: (result: Result) => void;
  readonly reject: (error: Error) => void;
}

const DONE: Result = { done: true, value: undefined };

/**
 * The tasks that an agent is given, as they come: an async iterable, to be iterated once. See `Agent.tasks`.
 *
 * The server decides how many there are at once (`maxConcurrentTasks`). Each attempt comes once, over lost connections and restarts of
 * the server.
 */
export class AgentTasks implements AsyncIterableIterator<AgentTask, undefined>, AsyncDisposable {
  /** Of the tasks of one registration; the next has its own. Undefined: there is none at the moment. */
  private watch: TaskWatch | undefined;
  /** What the agent has, handed over or not, by session and task. */
  private readonly held = new Map<string, AgentTask>();
  /** What is held and not handed over yet. */
  private readonly waiting: AgentTask[] = [];
  private readonly working = new Set<AgentTask>();
  /** The attempts that were answered last, by session and task; the oldest first. */
  private readonly answered = new Map<string, number>();
  private readonly takers: Waiter[] = [];
  /** What the snapshot that is being received holds; undefined: none is. */
  private listed: Set<string> | undefined;
  private isReady = false;
  /** When the watch lost its connection last, by the monotonic clock. */
  private lostAt = -Infinity;
  private failure: unknown;
  private closing: Promise<void> | undefined;

  /** @internal */
  constructor(private readonly host: AgentTasksHost) {
    this.begin();
  }

  next(): Promise<Result> {
    const task = this.waiting.shift();
    if (task !== undefined) return Promise.resolve(this.handOver(task));
    const taken = new Promise<Result>((resolve, reject) => this.takers.push({ resolve, reject }));
    if (this.closing !== undefined) void this.closing.then(() => this.settle());
    return taken;
  }

  /** What leaving the loop does: {@link close}. */
  async return(): Promise<Result> {
    await this.close();
    return DONE;
  }

  /**
   * Takes no more tasks. Those that are not answered are given back (FailTask, `AgentStopped`), so that they are tried again elsewhere
   * without waiting for their leases, and their signals abort. The agent reports INITIALIZING (`NotTakingTasks`), so that it gets no more.
   * Then a loop that waits for its next one ends, and the agent may take tasks again. May be called again.
   */
  close(): Promise<void> {
    this.closing ??= this.end();
    return this.closing;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /**
   * The agent is registered.
   *
   * @internal
   */
  begin(): void {
    const { client, agentId, registration, reconnect, scheduler } = this.host;
    const agentIncarnation = registration();
    if (agentIncarnation === undefined || this.closing !== undefined) return;
    const onReconnect = () => (this.lostAt = scheduler.monotonic());
    const watch = client.watchTasks({ agentId, agentIncarnation }, { reconnect, onReconnect });
    this.watch = watch;
    void this.follow(watch);
  }

  /**
   * The server does not know the agent any more: what it has is not its any more.
   *
   * @internal
   */
  interrupt(): void {
    if (this.closing !== undefined) return;
    this.letGo();
    this.watch = undefined;
    // A server that forgot the agent may have forgotten sessions too: the same ids with the same attempts can come again.
    this.held.clear();
    this.answered.clear();
  }

  /**
   * The agent is another process's by now.
   *
   * @internal
   */
  lose(): void {
    this.closing ??= Promise.resolve();
    this.letGo();
    this.settle();
    this.host.onClose();
  }

  private letGo(): void {
    this.watch?.close();
    for (const task of this.held.values()) task.supersede("lost");
  }

  private async follow(watch: TaskWatch): Promise<void> {
    let failure: unknown;
    this.listed = new Set();
    try {
      for await (const item of watch) {
        if (this.watch !== watch) return;
        this.onItem(item);
      }
    } catch (thrown) {
      failure = thrown;
    }
    if (this.watch !== watch) return;
    // Closed here, or with the client, or refused: in each case nothing more comes.
    this.failure = failure;
    await this.close();
  }

  private onItem(item: TaskEntry | Synced | Resync): void {
    switch (item.type) {
      case "resync":
        this.listed = new Set();
        this.host.onResync();
        break;
      case "snapshot":
        this.listed?.add(keyOf(item.task));
        this.take(item.task, false);
        break;
      case "synced":
        this.compare();
        break;
      case "event":
        // A lease that began while there was no connection may be about to end.
        if (item.event.task !== undefined) this.take(item.event.task, !this.isCatchingUp);
        break;
    }
  }

  private get isCatchingUp(): boolean {
    return this.host.scheduler.monotonic() - this.lostAt <= CATCHING_UP_MS;
  }

  private take(task: Task, isNew: boolean): void {
    if (this.closing !== undefined) return;
    const key = keyOf(task);
    const before = this.held.get(key);
    if (task.status !== TaskStatus.LEASED || task.agentId !== this.host.agentId) {
      if (before !== undefined && before.attempt <= task.attempt) before.supersede(endOf(task));
      return;
    }
    if (task.attempt <= Math.max(before?.attempt ?? 0, this.answered.get(key) ?? 0)) return;
    before?.supersede("lost");
    const held = new AgentTask(task, isNew, this.taskHost);
    this.held.set(key, held);
    const taker = this.takers.shift();
    if (taker === undefined) this.waiting.push(held);
    else taker.resolve(this.handOver(held));
  }

  /** After a snapshot: what it did not list, the agent has no more. */
  private compare(): void {
    for (const [key, task] of this.held) if (this.listed?.has(key) === false) task.supersede("lost");
    this.listed = undefined;
    if (this.isReady) return;
    this.isReady = true;
    if (this.working.size === 0) this.host.idle();
  }

  private handOver(task: AgentTask): Result {
    this.working.add(task);
    this.host.active(task);
    return { done: false, value: task };
  }

  private readonly onOver = (task: AgentTask): void => {
    const key = keyOf(task);
    // Else a later attempt has its place, or a later registration.
    if (this.held.get(key) === task) {
      this.held.delete(key);
      this.remember(key, task.attempt);
    }
    const place = this.waiting.indexOf(task);
    if (place >= 0) this.waiting.splice(place, 1);
    if (!this.working.delete(task) || this.closing !== undefined) return;
    const other = [...this.working].at(-1);
    if (other === undefined) this.host.idle();
    else this.host.active(other);
  };

  private remember(key: string, attempt: number): void {
    this.answered.delete(key);
    this.answered.set(key, attempt);
    for (const oldest of this.answered.keys()) {
      if (this.answered.size <= REMEMBERED) break;
      this.answered.delete(oldest);
    }
  }

  private get taskHost(): TaskHost {
    const { client, reconnect, scheduler } = this.host;
    return { calls: client.tasks, reconnect, scheduler, onOver: this.onOver };
  }

  private async end(): Promise<void> {
    this.watch?.close();
    const { scheduler, notTaking, onClose } = this.host;
    this.waiting.length = 0;
    // Before anything is given back: it must not be given to this agent again.
    const told = new Ending();
    notTaking().then(
      () => told.end(),
      () => told.end(),
    );
    await pause(scheduler, GIVE_BACK_MS, told);
    const left = [...this.held.values()];
    await Promise.all(left.map((task) => task.abandon(GIVE_BACK_MS)));
    // Not earlier: whoever took tasks again would be given these, which still are the agent's.
    onClose();
    this.settle();
  }

  private settle(): void {
    for (const { resolve, reject } of this.takers.splice(0)) {
      if (this.failure === undefined) resolve(DONE);
      else reject(toError(this.failure));
    }
  }
}

function keyOf({ sessionId, taskId }: { readonly sessionId: string; readonly taskId: string }): string {
  return `${sessionId}/${taskId}`;
}

function endOf({ status }: Task): TaskEnd {
  return status === TaskStatus.CANCELLED ? "cancelled" : "lost";
}

function toError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}
