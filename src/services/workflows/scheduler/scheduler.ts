/**
 * The scheduler: brings READY tasks and available agents together, on every replica, from what the log tells.
 *
 * It keeps no truth. What it has in mind can be read again at any time, and its decisions are proposals: the storage accepts or
 * refuses them. A namespace is followed from its first task on, until it is empty, so that a commit in any other costs one look-up.
 */
import { serverStopping } from "../../../errors/index.js";
import type { Clock } from "../../../lib/clock.js";
import { TaskStatus, type Change, type TaskRecord } from "../../../storage/records.js";
import type { LogListener, LogTail, Storage } from "../../../storage/storage.js";
import { isPushed } from "../leases.js";
import { isAway } from "../refusal.js";
import { assign, type AssignmentOutcome } from "./assigner.js";
import { Board, type Assignment } from "./board.js";
import { Delays } from "./delays.js";
import { Informer } from "./informer.js";
import { Reactions } from "./reactions.js";
import { Retrier } from "./retrier.js";
import type { AgentView, TaskView } from "./views.js";

/** How many proposals are carried out at once. */
const MAX_UNDER_WAY = 64;
/** Before a task is proposed again that the storage did not find due yet, in milliseconds. */
const NOT_DUE_MS = 100;

export interface SchedulerOptions {
  readonly clock: Clock;
  /** Brings a task to its agent, where the agent does not fetch it. Must not throw. */
  readonly deliver: (task: TaskRecord) => void;
  /** A task that was brought to an agent was called off. Must not throw. */
  readonly recall: (task: TaskRecord) => void;
  /** Told of the first of several failures in a row. */
  readonly onFailure: (thrown: unknown) => void;
}

type TaskRefused = Extract<AssignmentOutcome, { kind: "task-refused" }>;

interface Followed {
  readonly board: Board;
  readonly informer: Informer;
}

export class Scheduler {
  private readonly namespaces = new Map<string, Followed>();
  private readonly delays = new Delays();
  private readonly retrier: Retrier;
  private readonly reactions: Reactions;
  /** How often a task could not be assigned for a reason that may never pass. */
  private readonly failures = new WeakMap<TaskView, number>();
  private tail: LogTail | undefined;
  private underWay = 0;
  private passIsDue = false;
  private stopped = false;

  constructor(
    private readonly storage: Storage,
    private readonly options: SchedulerOptions,
  ) {
    this.retrier = new Retrier(this.delays, options.onFailure);
    this.reactions = new Reactions(storage, this.retrier, options.recall);
  }

  /** How many namespaces are followed. */
  get size(): number {
    return this.namespaces.size;
  }

  /**
   * Begins to follow the log, and every namespace that has tasks. Fails when the storage does, and may then be called again.
   *
   * @throws SERVER_STOPPING when it was stopped meanwhile
   */
  async start(): Promise<void> {
    this.checkOpen();
    this.tail ??= await this.storage.tail(this.listener);
    if (this.stopped) await this.tail.close();
    this.checkOpen();
    await this.findWork();
    this.checkOpen();
  }

  /** Proposes nothing more. What is under way ends by itself. */
  async stop(): Promise<void> {
    this.stopped = true;
    this.retrier.stop();
    this.delays.clear();
    for (const { informer } of this.namespaces.values()) informer.close();
    await this.tail?.close();
  }

  private checkOpen(): void {
    if (this.stopped) throw serverStopping();
  }

  private readonly listener: LogListener = {
    onChanges: (changes) => {
      for (const change of changes) this.take(change);
      if (this.namespaces.size > 0) this.schedulePass();
    },
    onLost: () => {
      const names = [...this.namespaces.keys()];
      for (const { informer } of this.namespaces.values()) informer.close();
      this.namespaces.clear();
      // Listeners must not call the storage at once.
      setImmediate(() => {
        for (const name of names) this.follow(name);
        this.retrier.run(() => this.findWork());
      });
    },
  };

  private take(change: Change): void {
    const followed = this.namespaces.get(change.namespace);
    if (followed !== undefined) followed.informer.onChange(change);
    else if (change.kind === "task") setImmediate(() => this.follow(change.namespace));
  }

  private async findWork(): Promise<void> {
    const open = await this.storage.snapshotTasks({ namespace: undefined, of: { kind: "open" } });
    for await (const { items } of open.pages()) for (const { namespace } of items) this.follow(namespace);
  }

  private follow(namespace: string): void {
    if (this.stopped || this.namespaces.has(namespace)) return;
    const board = new Board();
    const { storage, options } = this;
    const informer = new Informer(namespace, board, storage, options.clock, {
      reactions: this.reactions,
      onDelayed: (task, delayMs) => this.ripenLater(board, task, delayMs),
    });
    const followed = { board, informer };
    this.namespaces.set(namespace, followed);
    this.retrier.run(async () => {
      if (this.namespaces.get(namespace) !== followed) return;
      await informer.read();
      this.schedulePass();
    });
  }

  /** Nobody and nothing is in it. Should a task come, it is followed again. */
  private forget(namespace: string, informer: Informer): void {
    informer.close();
    this.namespaces.delete(namespace);
  }

  private schedulePass(): void {
    if (this.passIsDue || this.stopped) return;
    this.passIsDue = true;
    // After the changes of this turn, so that the best of them goes first.
    setImmediate(() => {
      this.passIsDue = false;
      this.pass();
    });
  }

  private pass(): void {
    for (const [namespace, followed] of this.namespaces) {
      if (this.underWay >= MAX_UNDER_WAY || this.retrier.isWaiting || this.stopped) return;
      const { board, informer } = followed;
      if (!informer.isReady) continue;
      const assignment = board.propose();
      if (assignment === undefined) {
        if (board.isEmpty) this.forget(namespace, informer);
        continue;
      }
      // It goes behind the others, and its turn comes again in this loop: none that has much to do keeps the rest waiting.
      this.namespaces.delete(namespace);
      this.namespaces.set(namespace, followed);
      void this.carryOut(namespace, board, assignment);
    }
  }

  private async carryOut(namespace: string, board: Board, assignment: Assignment): Promise<void> {
    const { task, agent } = assignment;
    const { revision } = agent;
    this.underWay += 1;
    try {
      const outcome = await assign(this.storage, namespace, task, agent);
      this.retrier.succeeded();
      if (outcome.kind === "leased") {
        if (isPushed(outcome.task.delivery)) this.options.deliver(outcome.task);
      } else if (outcome.kind === "agent-refused") {
        board.agentRefused(assignment, revision);
        if (outcome.recheckMs !== undefined) this.reconsider(board, agent, outcome.recheckMs);
      } else {
        this.taskRefused(board, task, outcome);
      }
    } catch (thrown) {
      if (isAway(thrown)) {
        this.retrier.away(thrown, () => this.schedulePass());
        board.giveBack(task);
      } else {
        this.putAside(board, task, thrown);
      }
      if (isPushed(agent.traits.delivery)) this.retrier.soon(() => this.deliverLeased(task, agent));
    } finally {
      this.underWay -= 1;
      this.schedulePass();
    }
  }

  /** The lease may have been committed though its answer was lost: the log tells of it then, but tells nobody to bring the task. */
  private async deliverLeased(
    { namespace, sessionId, taskId, attempt }: TaskView,
    { agentId }: AgentView,
  ): Promise<void> {
    const task = await this.storage.getTask({ namespace, sessionId, taskId });
    const isLeased = task?.status === TaskStatus.LEASED && task.attempt === attempt + 1 && task.agentId === agentId;
    if (isLeased) this.options.deliver(task);
  }

  private taskRefused(board: Board, task: TaskView, { status, isHeld }: TaskRefused): void {
    if (status !== TaskStatus.READY) {
      board.taskRefused(task);
    } else if (isHeld || task.delayMs === 0) {
      board.park(task);
    } else {
      board.taskRefused(task);
      this.ripenLater(board, task, NOT_DUE_MS);
    }
  }

  /** What is wrong with it, or with the agent, may never pass: others go first. */
  private putAside(board: Board, task: TaskView, thrown: unknown): void {
    const before = this.failures.get(task) ?? 0;
    this.failures.set(task, before + 1);
    board.taskRefused(task);
    this.retrier.broken(thrown, before, () => {
      board.ripen(task);
      this.schedulePass();
    });
  }

  private ripenLater(board: Board, task: TaskView, delayMs: number): void {
    this.delays.add(delayMs, () => {
      board.ripen(task);
      this.schedulePass();
    });
  }

  private reconsider(board: Board, agent: AgentView, delayMs: number): void {
    this.delays.add(delayMs, () => {
      board.reconsider(agent);
      this.schedulePass();
    });
  }
}
