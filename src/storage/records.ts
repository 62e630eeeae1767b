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

export type Change = AgentChange | SessionChange;
