/**
 * The domain's records: what a storage keeps, and what everything above it passes around.
 *
 * Records are immutable. A commit makes a new record, so a reference taken once (by a snapshot, the log, a slow watcher) stays
 * true without a copy. Times are milliseconds since 1970 by the storage's clock. Revisions are positions in the log of the
 * record's partition: whole numbers from 1, comparable only between records of one entity.
 */
import type { JsonObject } from "../lib/json.js";

/** What an agent reports. The numbers are those of `opscore.v1.State`; a test holds them together. */
export const State = { UNKNOWN: 1, INITIALIZING: 2, IDLE: 3, ACTIVE: 4, ERROR: 5, FINISHED: 6 } as const;
export type State = (typeof State)[keyof typeof State];

/** What the server observes. The numbers are those of `opscore.v1.Liveness`. */
export const Liveness = { ALIVE: 1, SUSPECT: 2, LOST: 3 } as const;
export type Liveness = (typeof Liveness)[keyof typeof Liveness];

/** Where a session is. The numbers are those of `opscore.v1.SessionStatus`. */
export const SessionStatus = { STARTED: 1, RUNNING: 2, PAUSED: 3, COMPLETED: 4, FAILED: 5, CANCELLED: 6 } as const;
export type SessionStatus = (typeof SessionStatus)[keyof typeof SessionStatus];

/** What a commit did to an agent. The numbers are those of `opscore.v1.StateEvent.Type` (5, EXITED, is a watcher's view of 4). */
export const AgentChangeType = { REGISTERED: 1, TRANSITION: 2, LIVENESS: 3, UPDATED: 4, DEREGISTERED: 6 } as const;
export type AgentChangeType = (typeof AgentChangeType)[keyof typeof AgentChangeType];

/** What a commit did to a session. The numbers are those of `opscore.v1.SessionEvent.Type`. */
export const SessionChangeType = { STARTED: 1, UPDATED: 2, ENDED: 3 } as const;
export type SessionChangeType = (typeof SessionChangeType)[keyof typeof SessionChangeType];

/** Where a task is. The numbers are those of `opscore.v1.TaskStatus`. */
export const TaskStatus = { PENDING: 1, READY: 2, LEASED: 3, COMPLETED: 4, FAILED: 5, CANCELLED: 6 } as const;
export type TaskStatus = (typeof TaskStatus)[keyof typeof TaskStatus];

/** How tasks reach an agent. The numbers are those of `opscore.v1.TaskDelivery`. */
export const TaskDelivery = { AUTO: 0, STREAM: 1, ENDPOINT: 2, AGENTKIT: 3 } as const;
export type TaskDelivery = (typeof TaskDelivery)[keyof typeof TaskDelivery];

/** The actor of what the server itself observes from leases. */
export const LEASE_ACTOR = "system:lease";

/** What a report says, apart from whom it is about. */
export interface ReportContent {
  readonly state: State;
  readonly reason: string;
  readonly message: string;
  readonly details: JsonObject | undefined;
  readonly sessionId: string;
  readonly taskId: string;
}

/** The state of one agent as of one commit. */
export interface StateRecord extends ReportContent {
  readonly agentId: string;
  readonly liveness: Liveness;
  readonly incarnation: number;
  /**
   * The last sequence of this incarnation as of this commit; 0 when the reporter does not count. A report that changed nothing
   * made no record, but its sequence counts against later reports all the same.
   */
  readonly sequence: number;
  readonly reportTime: number | undefined;
  readonly commitTime: number;
  readonly revision: number;
  readonly actor: string;
  /** The kind of commit that made this record. Never UPDATED, which leaves the state alone. */
  readonly cause: AgentChangeType;
  /** About how many bytes the record takes on the wire; bounds batches and buffers. */
  readonly size: number;
}

/** What an agent says about itself when it registers. */
export interface AgentProfile {
  readonly displayName: string;
  readonly version: string;
  /** Sorted, without doubles. */
  readonly capabilities: readonly string[];
  readonly contactEndpoint: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly metadata: JsonObject | undefined;
  /** 0: no lease. */
  readonly leaseTtlMs: number;
  /** How many tasks it works on at the same time, from 1. */
  readonly maxConcurrentTasks: number;
  readonly taskDelivery: TaskDelivery;
}

/** An agent's data, without its state and without the lease, which change far more often. */
export interface AgentRecord extends AgentProfile {
  readonly namespace: string;
  readonly agentId: string;
  readonly incarnation: number;
  readonly registerTime: number;
  readonly updateTime: number;
  /** The revision of the last change of the data. */
  readonly revision: number;
  /** About how many bytes the record takes on the wire. */
  readonly size: number;
}

/** An agent as of one moment. */
export interface Agent {
  readonly record: AgentRecord;
  readonly state: StateRecord;
  /** When the lease runs out, by the storage's wall clock; undefined without a lease, which a FINISHED agent no longer has. */
  readonly leaseExpireTime: number | undefined;
}

/** A session as of one commit. */
export interface SessionRecord {
  readonly namespace: string;
  readonly sessionId: string;
  /** Empty when its tasks go to any agent with a capability. */
  readonly agentId: string;
  readonly workflowId: string;
  readonly status: SessionStatus;
  readonly metadata: JsonObject | undefined;
  readonly result: JsonObject | undefined;
  readonly error: string;
  readonly startTime: number;
  readonly updateTime: number;
  readonly endTime: number | undefined;
  readonly revision: number;
  /** About how many bytes the record takes on the wire. */
  readonly size: number;
}

/** When a failed attempt is followed by another. */
export interface RetryPolicy {
  /** The first attempt counted, from 1. */
  readonly maxAttempts: number;
  readonly initialBackoffMs: number;
  readonly maxBackoffMs: number;
  readonly multiplier: number;
}

/** What a workflow says of a step. */
export interface TaskDefinition {
  readonly taskId: string;
  readonly displayName: string;
  /** Empty: what the session says. */
  readonly capability: string;
  readonly parameters: JsonObject | undefined;
  readonly dependsOn: readonly string[];
  /** How long one attempt may take. */
  readonly timeoutMs: number;
  readonly retry: RetryPolicy;
  readonly priority: number;
  /** How long to wait after the task could start. */
  readonly startDelayMs: number;
}

/** A stored definition of work. */
export interface WorkflowRecord {
  readonly namespace: string;
  readonly workflowId: string;
  readonly displayName: string;
  readonly description: string;
  readonly version: string;
  readonly tasks: readonly TaskDefinition[];
  readonly createTime: number;
  readonly updateTime: number;
  /** Grows at every change of a workflow, also when one is deleted and stored again. Not a revision of the log. */
  readonly revision: number;
}

/** What a session is to do in one step: a definition, and for whom it is. */
export interface TaskPlan extends TaskDefinition {
  /** The only agent that may get it; empty: any with the capability. */
  readonly boundAgentId: string;
}

/** A task as of one commit. */
export interface TaskRecord extends TaskPlan {
  readonly namespace: string;
  readonly sessionId: string;
  readonly workflowId: string;
  readonly status: TaskStatus;
  /** Results of the tasks that it depends on, by their ids, from when it is READY; see `collectResults`. */
  readonly inputs: JsonObject | undefined;
  /** Grows by one at every lease: the fencing number. 0 before the first. */
  readonly attempt: number;
  /** How many further attempts there are. */
  readonly attemptsLeft: number;
  /** Who has it, or had it last; empty before the first attempt. */
  readonly agentId: string;
  readonly agentIncarnation: number;
  /** The agent's revision when the attempt was reserved for it: no report up to there is about this attempt. 0 before the first. */
  readonly agentRevision: number;
  /** How that attempt reaches its agent; AUTO before the first. */
  readonly delivery: TaskDelivery;
  /** READY: not to be leased before; undefined: at once. */
  readonly notBefore: number | undefined;
  /** LEASED: when the lease runs out. A renewal moves it without a commit, so records in the log show the lease's first end. */
  readonly leaseExpireTime: number | undefined;
  /** LEASED: when the attempt ends, renewed or not. */
  readonly deadline: number | undefined;
  readonly result: JsonObject | undefined;
  /** Why the last attempt failed, for programs. */
  readonly reason: string;
  /** Why the last attempt failed, for people. */
  readonly error: string;
  readonly createTime: number;
  /** When the last attempt was leased. */
  readonly startTime: number | undefined;
  readonly updateTime: number;
  readonly endTime: number | undefined;
  readonly revision: number;
  /** About how many bytes the record takes on the wire. */
  readonly size: number;
}

/** What label and capability filters look at. */
export type AgentScope = Pick<AgentProfile, "labels" | "capabilities">;

/** One entry of the log: one commit to one agent. */
export interface AgentChange {
  readonly kind: "agent";
  readonly namespace: string;
  readonly partition: number;
  readonly revision: number;
  readonly type: AgentChangeType;
  /** The state after the commit; its last one when the agent was removed. `state.agentId` names the agent. */
  readonly state: StateRecord;
  /** The state before it; undefined for a first registration. */
  readonly previous: StateRecord | undefined;
  readonly scope: AgentScope;
  /** The scope before, where the commit may have changed it; otherwise undefined. */
  readonly previousScope: AgentScope | undefined;
  /** The agent after the commit; given for REGISTERED and UPDATED. */
  readonly agent: Agent | undefined;
}

/** One entry of the log: one commit to one session. */
export interface SessionChange {
  readonly kind: "session";
  readonly namespace: string;
  readonly partition: number;
  readonly revision: number;
  readonly type: SessionChangeType;
  readonly session: SessionRecord;
  readonly previousStatus: SessionStatus | undefined;
}

/** One entry of the log: one commit to one task. A command that touches several tasks of a session makes one entry for each. */
export interface TaskChange {
  readonly kind: "task";
  readonly namespace: string;
  readonly partition: number;
  readonly revision: number;
  readonly task: TaskRecord;
  /** Undefined for a task that was just created. */
  readonly previousStatus: TaskStatus | undefined;
}

export type Change = AgentChange | SessionChange | TaskChange;
