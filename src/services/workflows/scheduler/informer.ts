import type { Clock } from "../../../lib/clock.js";
import {
  AgentChangeType,
  Liveness,
  SessionStatus,
  TaskStatus,
  type Agent,
  type AgentChange,
  type Change,
  type TaskChange,
  type TaskRecord,
} from "../../../storage/records.js";
import { isTerminal } from "../../../storage/state-machine.js";
import type { Storage } from "../../../storage/storage.js";
import { taskName } from "../../../storage/tasks.js";
import type { Board } from "./board.js";
import type { Reactions } from "./reactions.js";
import { deliveryOf, toTaskView, type AgentTraits, type AgentView, type TaskView } from "./views.js";

const MAX_SHARED_TRAITS = 1_000;

/** Told of what follows from the log beside the board's own bookkeeping, while changes are taken. */
export interface InformerListener {
  readonly reactions: Reactions;
  /** A READY task may not be leased for another `delayMs` milliseconds. */
  readonly onDelayed: (task: TaskView, delayMs: number) => void;
}

/** Keeps a board true to the storage: reads the namespace once, then follows the log. */
export class Informer {
  /** Changes that came while the namespace was read; undefined from then on. */
  private early: Change[] | undefined = [];
  private readonly traits = new Map<string, AgentTraits>();
  private closed = false;

  constructor(
    private readonly namespace: string,
    private readonly board: Board,
    private readonly storage: Pick<Storage, "snapshotAgents" | "snapshotTasks">,
    private readonly clock: Clock,
    private readonly listener: InformerListener,
  ) {}

  /** Whether the board can be decided on. */
  get isReady(): boolean {
    return this.early === undefined && !this.closed;
  }

  /** Reads the namespace. The log must be followed already. Fails when the storage does. */
  async read(): Promise<void> {
    const { namespace, storage } = this;
    const agents = await storage.snapshotAgents({ namespace, ids: undefined });
    for await (const { items } of agents.pages()) for (const agent of items) this.putAgent(agent);
    const tasks = await storage.snapshotTasks({ namespace, of: { kind: "open" } });
    for await (const { items } of tasks.pages()) for (const task of items) this.putTask(task, true);
    if (this.closed) return;
    const early = this.early ?? [];
    this.early = undefined;
    for (const change of early) this.take(change);
    for (const task of [...this.board.leased()]) this.leased(task);
  }

  /** Takes no further change. */
  close(): void {
    this.closed = true;
  }

  onChange(change: Change): void {
    if (this.closed) return;
    if (this.early === undefined) this.take(change);
    else this.early.push(change);
  }

  private take(change: Change): void {
    switch (change.kind) {
      case "agent":
        this.takeAgent(change);
        break;
      case "session":
        if (change.session.status !== SessionStatus.PAUSED) this.board.unpark(change.session.sessionId);
        break;
      case "task":
        this.takeTask(change);
        break;
    }
  }

  private takeAgent(change: AgentChange): void {
    const { agentId } = change.state;
    const known = this.board.agents.get(agentId);
    if (known !== undefined && change.revision <= known.revision) return;
    if (change.type === AgentChangeType.DEREGISTERED) this.board.removeAgent(agentId);
    else if (change.agent !== undefined) this.putAgent(change.agent);
    else if (known !== undefined) this.moveAgent(known, change);
    const tasks = this.board.leasedTo(agentId);
    if (tasks.length === 0) return;
    for (const task of tasks) this.inspect(task);
    if (change.type === AgentChangeType.TRANSITION) this.listener.reactions.onReport(change, tasks);
  }

  private moveAgent(agent: AgentView, { state, revision }: AgentChange): void {
    agent.state = state.state;
    agent.liveness = state.liveness;
    agent.revision = revision;
    this.board.agentMoved(agent);
  }

  private putAgent({ record, state }: Agent): void {
    this.board.putAgent({
      agentId: record.agentId,
      traits: this.shared({
        capabilities: record.capabilities,
        maxConcurrentTasks: record.maxConcurrentTasks,
        delivery: deliveryOf(record),
      }),
      incarnation: record.incarnation,
      state: state.state,
      liveness: state.liveness,
      revision: Math.max(record.revision, state.revision),
      isSuspended: false,
      isAvailable: false,
    });
  }

  private takeTask({ task, previousStatus }: TaskChange): void {
    const known = this.board.task(taskName(task));
    if (known !== undefined && task.revision <= known.revision) return;
    this.putTask(task, false);
    if (previousStatus === TaskStatus.LEASED) this.listener.reactions.onReleased(task);
  }

  private putTask(record: TaskRecord, isOld: boolean): void {
    const task = toTaskView(record);
    if (task === undefined) {
      this.board.removeTask(taskName(record));
      return;
    }
    // Counted from when the change came, so that the clocks of storage and server need not agree; of what is older that is not known.
    const delayMs = isOld ? Math.max(0, (task.notBefore ?? 0) - this.clock.now()) : task.delayMs;
    this.board.putTask(task, delayMs === 0);
    if (task.status === TaskStatus.LEASED && !isOld) this.leased(task);
    else if (delayMs > 0) this.listener.onDelayed(task, delayMs);
  }

  private leased(task: TaskView): void {
    this.listener.reactions.onLeased(task, this.board.agents.get(task.agentId));
    this.inspect(task);
  }

  /** Whether a LEASED task is still with the incarnation that it was leased to, which is alive. */
  private inspect(task: TaskView): void {
    const agent = this.board.agents.get(task.agentId);
    const isWithIt = agent?.incarnation === task.agentIncarnation && agent.liveness !== Liveness.LOST;
    if (!isWithIt || isTerminal(agent.state)) this.listener.reactions.onAbandoned(task);
  }

  /** One object for all agents that say the same: most of a fleet does. */
  private shared(traits: AgentTraits): AgentTraits {
    const key = JSON.stringify(traits);
    const known = this.traits.get(key);
    if (known !== undefined) return known;
    if (this.traits.size >= MAX_SHARED_TRAITS) this.traits.clear();
    this.traits.set(key, traits);
    return traits;
  }
}
