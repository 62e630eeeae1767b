/**
 * What a watch wants to see. A filter decides about one change at a time, from the change alone, so that the live path, the
 * catch-up from the log and another replica decide alike.
 */
import type { Selector } from "../lib/selector.js";
import {
  AgentChangeType,
  TaskStatus,
  type Agent,
  type AgentChange,
  type AgentScope,
  type Change,
  type SessionChange,
  type SessionRecord,
  type SessionStatus,
  type State,
  type TaskChange,
  type TaskRecord,
} from "../storage/records.js";

/** The event type of an agent whose change makes it leave the filter; `opscore.v1.StateEvent.Type.EXITED`. */
export const EXITED = 5;

/** An agent's change as a watcher sees it. */
export interface AgentEvent extends Omit<AgentChange, "type"> {
  readonly type: AgentChangeType | typeof EXITED;
}

/** A session's change as a watcher sees it. */
export type SessionEvent = SessionChange;

/** A task's change as a watcher sees it. */
export type TaskEvent = TaskChange;

/** Where the router looks for the filters that a change may concern. */
export interface FilterIndex {
  readonly kind: Change["kind"];
  readonly namespace: string;
  /** The entity's own id (a task's: its session's), or the agent that a session or a task belongs to, or neither: every entity of the namespace. */
  readonly by: "id" | "agent" | "all";
  /** For `id` and `agent`; sorted, without doubles. */
  readonly ids: readonly string[];
}

export interface Filter<E, I> {
  /** The same text for the same filter, however it was written; different for different ones. */
  readonly key: string;
  readonly index: FilterIndex;
  /** What a watcher gets for this change; undefined: nothing. */
  match(change: Change): E | undefined;
  /** Whether an entity belongs into a snapshot. */
  admits(item: I): boolean;
}

export interface AgentFilterFields {
  readonly namespace: string;
  /** Empty: all. */
  readonly agentIds: readonly string[];
  readonly selector: Selector;
  /** All of these. Empty: any. */
  readonly capabilities: readonly string[];
  /** New or previous state is one of these. Empty: any. */
  readonly states: readonly State[];
}

export class AgentFilter implements Filter<AgentEvent, Agent> {
  readonly key: string;
  readonly index: FilterIndex;
  private readonly ids: ReadonlySet<string> | undefined;
  private readonly states: ReadonlySet<State> | undefined;
  private readonly scoped: boolean;

  constructor(private readonly fields: AgentFilterFields) {
    const { namespace, selector } = fields;
    const ids = sorted(fields.agentIds);
    const capabilities = sorted(fields.capabilities);
    const states = [...new Set(fields.states)].sort();
    this.key = JSON.stringify(["agent", namespace, ids, selector.canonical, capabilities, states]);
    this.index = { kind: "agent", namespace, by: ids.length > 0 ? "id" : "all", ids };
    this.ids = ids.length > 0 ? new Set(ids) : undefined;
    this.states = states.length > 0 ? new Set(states) : undefined;
    this.scoped = selector.canonical !== "" || capabilities.length > 0;
  }

  match(change: Change): AgentEvent | undefined {
    if (change.kind !== "agent" || change.namespace !== this.fields.namespace) return undefined;
    if (this.ids !== undefined && !this.ids.has(change.state.agentId)) return undefined;
    if (!this.scoped) return this.wantsState(change) ? change : undefined;
    const inside = this.inScope(change.scope);
    if (!inside) {
      // Whether it was inside before is known only where the commit may have moved it.
      const wasInside = change.previousScope !== undefined && this.inScope(change.previousScope);
      return wasInside && this.wantsState(change) ? { ...change, type: EXITED } : undefined;
    }
    return this.wantsState(change) ? change : undefined;
  }

  admits({ record, state }: Agent): boolean {
    return (
      record.namespace === this.fields.namespace &&
      (this.ids?.has(record.agentId) ?? true) &&
      (this.states?.has(state.state) ?? true) &&
      (!this.scoped || this.inScope(record))
    );
  }

  private wantsState({ type, state, previous }: AgentChange): boolean {
    if (this.states === undefined || type === AgentChangeType.DEREGISTERED) return true;
    return this.states.has(state.state) || (previous !== undefined && this.states.has(previous.state));
  }

  private inScope({ labels, capabilities }: AgentScope): boolean {
    return (
      this.fields.selector.matches(labels) && this.fields.capabilities.every((wanted) => capabilities.includes(wanted))
    );
  }
}

export interface SessionFilterFields {
  readonly namespace: string;
  /** Empty: all. */
  readonly sessionIds: readonly string[];
  /** Empty: of any. */
  readonly agentIds: readonly string[];
  /** New or previous status is one of these. Empty: any. */
  readonly statuses: readonly SessionStatus[];
}

export class SessionFilter implements Filter<SessionEvent, SessionRecord> {
  readonly key: string;
  readonly index: FilterIndex;
  private readonly namespace: string;
  private readonly sessionIds: ReadonlySet<string> | undefined;
  private readonly agentIds: ReadonlySet<string> | undefined;
  private readonly statuses: ReadonlySet<SessionStatus> | undefined;

  constructor(fields: SessionFilterFields) {
    const sessionIds = sorted(fields.sessionIds);
    const agentIds = sorted(fields.agentIds);
    const statuses = [...new Set(fields.statuses)].sort();
    const by = sessionIds.length > 0 ? "id" : agentIds.length > 0 ? "agent" : "all";
    this.namespace = fields.namespace;
    this.key = JSON.stringify(["session", fields.namespace, sessionIds, agentIds, statuses]);
    this.index = { kind: "session", namespace: fields.namespace, by, ids: by === "id" ? sessionIds : agentIds };
    this.sessionIds = sessionIds.length > 0 ? new Set(sessionIds) : undefined;
    this.agentIds = agentIds.length > 0 ? new Set(agentIds) : undefined;
    this.statuses = statuses.length > 0 ? new Set(statuses) : undefined;
  }

  match(change: Change): SessionEvent | undefined {
    if (change.kind !== "session" || !this.isAbout(change.session)) return undefined;
    const { session, previousStatus } = change;
    const wanted =
      this.statuses === undefined ||
      this.statuses.has(session.status) ||
      (previousStatus !== undefined && this.statuses.has(previousStatus));
    return wanted ? change : undefined;
  }

  admits(session: SessionRecord): boolean {
    return this.isAbout(session) && (this.statuses?.has(session.status) ?? true);
  }

  private isAbout({ namespace, sessionId, agentId }: SessionRecord): boolean {
    return (
      namespace === this.namespace && (this.sessionIds?.has(sessionId) ?? true) && (this.agentIds?.has(agentId) ?? true)
    );
  }
}

export interface TaskFilterFields {
  readonly namespace: string;
  /** Tasks that it has, and what becomes of them. Empty: of any or none. */
  readonly agentId: string;
  /** Only what was leased to this incarnation of the agent. 0: to any. */
  readonly agentIncarnation: number;
  /** Empty: of all. */
  readonly sessionIds: readonly string[];
}

export class TaskFilter implements Filter<TaskEvent, TaskRecord> {
  readonly key: string;
  readonly index: FilterIndex;
  private readonly sessionIds: ReadonlySet<string> | undefined;

  constructor(private readonly fields: TaskFilterFields) {
    const { namespace, agentId, agentIncarnation } = fields;
    const sessionIds = sorted(fields.sessionIds);
    // An agent has few tasks, a session may have many.
    const by = agentId !== "" ? "agent" : sessionIds.length > 0 ? "id" : "all";
    this.key = JSON.stringify(["task", namespace, agentId, agentIncarnation, sessionIds]);
    this.index = { kind: "task", namespace, by, ids: by === "agent" ? [agentId] : sessionIds };
    this.sessionIds = sessionIds.length > 0 ? new Set(sessionIds) : undefined;
  }

  match(change: Change): TaskEvent | undefined {
    if (change.kind !== "task" || !this.isAbout(change.task)) return undefined;
    // A task that its last agent has let go of is no longer that agent's affair.
    const isHeld = change.task.status === TaskStatus.LEASED || change.previousStatus === TaskStatus.LEASED;
    return this.fields.agentId === "" || isHeld ? change : undefined;
  }

  admits(task: TaskRecord): boolean {
    return this.isAbout(task) && (this.fields.agentId === "" || task.status === TaskStatus.LEASED);
  }

  private isAbout({ namespace, sessionId, agentId, agentIncarnation }: TaskRecord): boolean {
    const { fields } = this;
    if (namespace !== fields.namespace || (fields.agentId !== "" && fields.agentId !== agentId)) return false;
    // A task keeps the incarnation of its last lease, so whoever had it sees it go.
    if (fields.agentIncarnation !== 0 && fields.agentIncarnation !== agentIncarnation) return false;
    return this.sessionIds?.has(sessionId) ?? true;
  }
}

function sorted(words: readonly string[]): string[] {
  return [...new Set(words)].sort();
}
