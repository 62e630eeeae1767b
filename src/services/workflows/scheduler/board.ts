import { TaskStatus } from "../../../storage/records.js";
import { Lane, laneOfAgent, laneOfCapability, laneOfTask } from "./lane.js";
import { goesBefore, takesTasks, type AgentView, type TaskView } from "./views.js";

/** A task and the agent that is to get it. */
export interface Assignment {
  readonly task: TaskView;
  readonly agent: AgentView;
}

/**
 * Who waits for what in one namespace, as far as the log has told: decides, and does nothing. It may be behind the storage, so its
 * decisions are proposals that the storage accepts or refuses; a refusal takes the agent or the task out until the log brings news
 * of it.
 *
 * Invariant: `matchable` holds exactly the lanes that have both a task and an agent.
 */
export class Board {
  readonly agents = new Map<string, AgentView>();
  /** By name. Those that are READY, and those that are LEASED. */
  private readonly tasks = new Map<string, TaskView>();
  private readonly lanes = new Map<string, Lane>();
  private readonly matchable = new Set<Lane>();
  /** What each agent works on, or is about to: by agent and task name. */
  private readonly loads = new Map<string, Map<string, TaskView>>();
  /** Whose load each of those tasks is in. */
  private readonly holders = new Map<TaskView, string>();
  /** Tasks whose session is held, by session. */
  private readonly parked = new Map<string, Set<TaskView>>();
  /** Tasks that are proposed, and whether their session went on since. As many as are carried out at once. */
  private readonly proposed = new Map<TaskView, boolean>();

  /** How many tasks are READY or LEASED. */
  get size(): number {
    return this.tasks.size;
  }

  /** Whether there are neither tasks nor agents. */
  get isEmpty(): boolean {
    return this.tasks.size === 0 && this.agents.size === 0;
  }

  task(name: string): TaskView | undefined {
    return this.tasks.get(name);
  }

  /** The tasks that are LEASED to an agent. */
  leasedTo(agentId: string): TaskView[] {
    const load = this.loads.get(agentId);
    return load === undefined ? [] : [...load.values()].filter(({ status }) => status === TaskStatus.LEASED);
  }

  /** All tasks that are LEASED. */
  *leased(): Iterable<TaskView> {
    for (const task of this.tasks.values()) if (task.status === TaskStatus.LEASED) yield task;
  }

  /** Takes news of an agent. */
  putAgent(agent: AgentView): void {
    const known = this.agents.get(agent.agentId);
    if (known !== undefined) this.withdraw(known);
    this.agents.set(agent.agentId, agent);
    this.refresh(agent);
  }

  /** An agent's state changed and nothing else. */
  agentMoved(agent: AgentView): void {
    agent.isSuspended = false;
    this.refresh(agent);
  }

  removeAgent(agentId: string): void {
    const agent = this.agents.get(agentId);
    if (agent === undefined) return;
    this.withdraw(agent);
    this.agents.delete(agentId);
  }

  /**
   * Takes news of a task.
   *
   * @param isDue whether it may be leased now; one that is not is brought to {@link ripen} later
   */
  putTask(task: TaskView, isDue: boolean): void {
    this.removeTask(task.name);
    this.tasks.set(task.name, task);
    if (task.status === TaskStatus.LEASED) this.load(task.agentId, task);
    else if (isDue) this.enqueue(task);
  }

  /** A task ended, or nothing is known of it any more. */
  removeTask(name: string): void {
    const task = this.tasks.get(name);
    if (task === undefined) return;
    this.tasks.delete(name);
    this.dequeue(task);
    this.unload(task);
    this.proposed.delete(task);
    this.parkedWith(task)?.delete(task);
  }

  /** Its time has come. Nothing happens when there has been news of the task since. */
  ripen(task: TaskView): void {
    if (this.isCurrent(task)) this.enqueue(task);
  }

  /** Proposes who gets what next, and counts the task as the agent's until it is heard otherwise. */
  propose(): Assignment | undefined {
    let best: Lane | undefined;
    for (const lane of this.matchable) {
      const [task, other] = [lane.tasks.first, best?.tasks.first];
      if (task !== undefined && (other === undefined || goesBefore(task, other))) best = lane;
    }
    const match = best?.match;
    if (match === undefined) return undefined;
    const { task, agent } = match;
    this.dequeue(task);
    this.load(agent.agentId, task);
    this.proposed.set(task, false);
    this.rotate(agent);
    return match;
  }

  /** The storage did not let the agent take the task: the task goes to another, the agent waits for news of it. */
  agentRefused({ task, agent }: Assignment, revision: number): void {
    // What the log has told in the meantime may be the reason, and then it is known already.
    if (this.agents.get(agent.agentId) === agent && agent.revision === revision) agent.isSuspended = true;
    this.giveBack(task);
  }

  /** Nothing came of a proposal. */
  giveBack(task: TaskView): void {
    if (!this.isCurrent(task)) return;
    this.withdrawTask(task);
    this.enqueue(task);
  }

  /** The storage says that the task is not there to be leased: it waits for news of it. */
  taskRefused(task: TaskView): void {
    if (this.isCurrent(task)) this.withdrawTask(task);
  }

  /** The task's session was held: it waits until the session goes on. */
  park(task: TaskView): void {
    if (!this.isCurrent(task)) return;
    const wentOn = this.withdrawTask(task);
    // The log may have been faster than the refusal, and would not tell again.
    if (wentOn) this.enqueue(task);
    else this.parked.set(task.sessionId, (this.parkedWith(task) ?? new Set()).add(task));
  }

  unpark(sessionId: string): void {
    const tasks = this.parked.get(sessionId);
    this.parked.delete(sessionId);
    for (const task of this.proposed.keys()) if (task.sessionId === sessionId) this.proposed.set(task, true);
    for (const task of tasks ?? []) if (this.isCurrent(task)) this.enqueue(task);
  }

  /** Lets an agent that was refused be proposed again. */
  reconsider(agent: AgentView): void {
    if (this.agents.get(agent.agentId) === agent) this.agentMoved(agent);
  }

  private parkedWith(task: TaskView): Set<TaskView> | undefined {
    return this.parked.get(task.sessionId);
  }

  private isCurrent(task: TaskView): boolean {
    return this.tasks.get(task.name) === task;
  }

  /** It is proposed no more. @returns whether its session went on since it was */
  private withdrawTask(task: TaskView): boolean {
    const wentOn = this.proposed.get(task) === true;
    this.proposed.delete(task);
    this.unload(task);
    return wentOn;
  }

  private enqueue(task: TaskView): void {
    if (task.heapIndex !== -1) return;
    const lane = this.lane(laneOfTask(task));
    lane.tasks.add(task);
    this.settle(lane);
  }

  private dequeue(task: TaskView): void {
    const lane = this.lanes.get(laneOfTask(task));
    if (lane === undefined) return;
    lane.tasks.remove(task);
    this.settle(lane);
  }

  private load(agentId: string, task: TaskView): void {
    const load = this.loads.get(agentId) ?? new Map<string, TaskView>();
    this.loads.set(agentId, load);
    load.set(task.name, task);
    this.holders.set(task, agentId);
    this.refreshById(agentId);
  }

  private unload(task: TaskView): void {
    const agentId = this.holders.get(task);
    if (agentId === undefined) return;
    this.holders.delete(task);
    const load = this.loads.get(agentId);
    load?.delete(task.name);
    if (load?.size === 0) this.loads.delete(agentId);
    this.refreshById(agentId);
  }

  private refreshById(agentId: string): void {
    const agent = this.agents.get(agentId);
    if (agent !== undefined) this.refresh(agent);
  }

  private refresh(agent: AgentView): void {
    const hasRoom = (this.loads.get(agent.agentId)?.size ?? 0) < agent.traits.maxConcurrentTasks;
    const isAvailable = hasRoom && !agent.isSuspended && takesTasks(agent);
    if (isAvailable === agent.isAvailable) return;
    if (!isAvailable) {
      this.withdraw(agent);
      return;
    }
    agent.isAvailable = true;
    for (const key of lanesOf(agent)) {
      const lane = this.lane(key);
      lane.agents.add(agent);
      this.settle(lane);
    }
  }

  private withdraw(agent: AgentView): void {
    if (!agent.isAvailable) return;
    agent.isAvailable = false;
    for (const key of lanesOf(agent)) {
      const lane = this.lanes.get(key);
      lane?.agents.delete(agent);
      if (lane !== undefined) this.settle(lane);
    }
  }

  /** It was just used: it goes behind the others. */
  private rotate(agent: AgentView): void {
    this.withdraw(agent);
    this.refresh(agent);
  }

  private lane(key: string): Lane {
    const lane = this.lanes.get(key) ?? new Lane(key);
    this.lanes.set(key, lane);
    return lane;
  }

  private settle(lane: Lane): void {
    if (lane.match === undefined) this.matchable.delete(lane);
    else this.matchable.add(lane);
    if (lane.isEmpty) this.lanes.delete(lane.key);
  }
}

function lanesOf({ agentId, traits }: AgentView): readonly string[] {
  return [laneOfAgent(agentId), ...traits.capabilities.map(laneOfCapability)];
}
