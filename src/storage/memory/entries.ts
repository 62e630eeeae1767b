import type { AgentRecord, SessionRecord, StateRecord, WorkflowRecord } from "../records.js";
import type { Slot } from "../storage.js";
import { IdTable, type Identified } from "./id-table.js";
import { OrderedIndex, type Ordered } from "./ordered-index.js";
import type { Ring } from "./ring.js";
import type { Run, TaskEntry } from "./runs.js";
import { UNSCHEDULED, type Scheduled } from "./timer-wheel.js";

/** The deadline of what has no lease. */
export const NEVER = Infinity;

/** One registered agent: its current records, always of the same incarnation, and what changes without a commit. */
export class AgentEntry implements Identified, Ordered, Scheduled {
  readonly id: string;
  /** When the lease runs out, by the monotonic clock; NEVER without one. A renewal writes this and nothing else. */
  leaseDeadline = NEVER;
  /** The highest sequence of this incarnation, also when the report that brought it changed nothing. */
  sequence = 0;
  /** The newest report time of this incarnation, also when the report that brought it changed nothing; never in the future. */
  reportedTime = -Infinity;
  /** The room that is taken by tasks, by session and task; undefined when none is. */
  slots: Map<string, Slot> | undefined;
  wheelTick = UNSCHEDULED;
  wheelIndex = 0;

  constructor(
    readonly table: NamespaceTable,
    readonly ordinal: number,
    readonly history: Ring<StateRecord>,
    public record: AgentRecord,
    public state: StateRecord,
  ) {
    this.id = state.agentId;
  }
}

/** What is left of an agent that was deregistered. */
export interface Tombstone {
  readonly table: NamespaceTable;
  readonly agentId: string;
  readonly incarnation: number;
  readonly history: Ring<StateRecord>;
  readonly removeTime: number;
}

export class SessionEntry implements Ordered {
  /** Its tasks, if it has any. */
  run: Run | undefined;

  constructor(
    readonly table: NamespaceTable,
    readonly ordinal: number,
    public record: SessionRecord,
  ) {}
}

/** Everything of one namespace. */
export class NamespaceTable {
  readonly agents = new IdTable<AgentEntry>();
  readonly agentsInOrder = new OrderedIndex<AgentEntry>();
  readonly tombstones = new Map<string, Tombstone>();
  readonly sessions = new Map<string, SessionEntry>();
  readonly sessionsInOrder = new OrderedIndex<SessionEntry>();
  readonly sessionsByAgent = new Map<string, OrderedIndex<SessionEntry>>();
  readonly workflows = new Map<string, WorkflowRecord>();
  readonly tasksInOrder = new OrderedIndex<TaskEntry>();
  /** Those that are READY or LEASED. */
  readonly openTasks = new Set<TaskEntry>();
  private readonly assigned = new Map<string, Set<TaskEntry>>();
  private lastOrdinal = 0;

  constructor(readonly namespace: string) {}

  get isEmpty(): boolean {
    return (
      this.agents.size === 0 && this.tombstones.size === 0 && this.sessions.size === 0 && this.workflows.size === 0
    );
  }

  /** The tasks that are LEASED to an agent. */
  tasksOf(agentId: string): Iterable<TaskEntry> {
    return this.assigned.get(agentId) ?? [];
  }

  assign(agentId: string, task: TaskEntry): void {
    const tasks = this.assigned.get(agentId) ?? new Set();
    this.assigned.set(agentId, tasks);
    tasks.add(task);
  }

  withdraw(agentId: string, task: TaskEntry): void {
    const tasks = this.assigned.get(agentId);
    tasks?.delete(task);
    if (tasks?.size === 0) this.assigned.delete(agentId);
  }

  nextOrdinal(): number {
    this.lastOrdinal += 1;
    return this.lastOrdinal;
  }
}

/** All namespaces. One comes with its first agent and goes when nothing is left of it, so names alone cost nothing. */
export class Namespaces {
  private readonly tables = new Map<string, NamespaceTable>();

  get(namespace: string): NamespaceTable | undefined {
    return this.tables.get(namespace);
  }

  getOrCreate(namespace: string): NamespaceTable {
    const known = this.tables.get(namespace);
    if (known !== undefined) return known;
    const table = new NamespaceTable(namespace);
    this.tables.set(namespace, table);
    return table;
  }

  dropIfEmpty(table: NamespaceTable): void {
    if (table.isEmpty) this.tables.delete(table.namespace);
  }

  agent(namespace: string, agentId: string): AgentEntry | undefined {
    return this.tables.get(namespace)?.agents.get(agentId);
  }

  session(namespace: string, sessionId: string): SessionEntry | undefined {
    return this.tables.get(namespace)?.sessions.get(sessionId);
  }

  all(): Iterable<NamespaceTable> {
    return this.tables.values();
  }

  clear(): void {
    this.tables.clear();
  }
}
