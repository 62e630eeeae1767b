/** Agents in this process that take their tasks from the log, and do with them what a test says. */
import { State, TaskStatus, type Change, type TaskChange, type TaskRecord } from "../../../../src/storage/records.js";
import type { LogTail, Storage } from "../../../../src/storage/storage.js";
import { aRegistration, aReport } from "../../../helpers/records.js";

export type Deed = "complete" | "fail" | "vanish";

export interface FleetAgent {
  readonly agentId: string;
  readonly capabilities: readonly string[];
  readonly maxConcurrentTasks: number;
}

/** What an agent does with one attempt at a task. */
export type Conduct = (task: TaskRecord) => Deed;

export class Fleet {
  readonly changes: Change[] = [];
  private tail: LogTail | undefined;

  constructor(
    private readonly storage: Storage,
    private readonly agents: readonly FleetAgent[],
    private readonly conduct: Conduct,
  ) {}

  async start(): Promise<void> {
    this.tail = await this.storage.tail({
      onChanges: (changes) => {
        this.changes.push(...changes);
        for (const change of changes) if (change.kind === "task") this.take(change.task);
      },
      onLost: () => {
        throw new Error("the log was lost");
      },
    });
    for (const { agentId, capabilities, maxConcurrentTasks } of this.agents) {
      await this.storage.registerAgent(aRegistration(agentId, { capabilities, maxConcurrentTasks }));
      await this.storage.setState(aReport(agentId, State.IDLE));
    }
  }

  async stop(): Promise<void> {
    await this.tail?.close();
  }

  private take(task: TaskRecord): void {
    if (task.status !== TaskStatus.LEASED) return;
    // A listener must not call the storage at once.
    setImmediate(() => void this.work(task));
  }

  private async work(task: TaskRecord): Promise<void> {
    const { namespace, sessionId, taskId, attempt, agentId } = task;
    const key = { namespace, sessionId, taskId, attempt };
    const deed = this.conduct(task);
    if (deed === "vanish") return;
    await this.report(agentId, State.ACTIVE);
    if (deed === "complete") await this.storage.completeTask({ ...key, result: { by: agentId } });
    else await this.storage.failTask({ ...key, reason: "Broken", error: "", permanent: false, jitter: 0 });
    await this.report(agentId, State.IDLE);
  }

  private async report(agentId: string, state: State): Promise<void> {
    await this.storage.setState(aReport(agentId, state));
  }
}

/** What must hold of a log whatever was done: who had what, when, and after what. */
export function checkLog(changes: readonly Change[], agents: readonly FleetAgent[]): string[] {
  const faults: string[] = [];
  const tasks = new Map<string, TaskRecord>();
  for (const change of changes) {
    if (change.kind !== "task") continue;
    const name = `${change.task.sessionId}/${change.task.taskId}`;
    faults.push(...faultsOf(change, tasks, agents).map((fault) => `${name} ${fault}`));
    tasks.set(name, change.task);
  }
  return faults;
}

function faultsOf(
  { task, previousStatus }: TaskChange,
  tasks: ReadonlyMap<string, TaskRecord>,
  agents: readonly FleetAgent[],
): string[] {
  const faults: string[] = [];
  const before = tasks.get(`${task.sessionId}/${task.taskId}`);
  if (before?.status !== previousStatus) faults.push("changed behind the log's back");
  if (task.status !== TaskStatus.LEASED) return faults;
  const agent = agents.find(({ agentId }) => agentId === task.agentId);
  if (task.attempt !== (before?.attempt ?? 0) + 1) faults.push(`has attempt ${task.attempt} after ${before?.attempt}`);
  const waitsFor = task.dependsOn.filter(
    (taskId) => tasks.get(`${task.sessionId}/${taskId}`)?.status !== TaskStatus.COMPLETED,
  );
  if (waitsFor.length > 0) faults.push(`did not wait for ${waitsFor.join()}`);
  const isFor =
    task.boundAgentId === "" ? agent?.capabilities.includes(task.capability) : agent?.agentId === task.boundAgentId;
  if (isFor !== true) faults.push(`went to ${task.agentId}`);
  const load = [...tasks.values()].filter(
    (other) => other.status === TaskStatus.LEASED && other.agentId === task.agentId,
  ).length;
  if (load >= (agent?.maxConcurrentTasks ?? 0)) faults.push(`is one too many for ${task.agentId}`);
  return faults;
}
