import type { Clock } from "../../lib/clock.js";
import {
  AgentChangeType,
  type Agent,
  type AgentScope,
  type SessionChangeType,
  type SessionRecord,
  type SessionStatus,
  type StateRecord,
  type TaskRecord,
  type TaskStatus,
} from "../records.js";
import type { ChangeRing } from "./change-ring.js";
import type { AgentEntry } from "./entries.js";
import type { HistoryRetention } from "./history.js";

/** A memory storage has one log. */
export const PARTITION = 0;

/**
 * Where changes become commits: the record, its history and the log move together, so that whoever the log tells finds the
 * storage as it says.
 */
export class Commits {
  private newestTime = 0;

  constructor(
    private readonly clock: Clock,
    private readonly log: ChangeRing,
    private readonly history: HistoryRetention,
  ) {}

  /** The commit time of what is committed now: the wall clock, but never before an earlier commit. */
  get commitTime(): number {
    const now = this.clock.now();
    if (now > this.newestTime) this.newestTime = now;
    return this.newestTime;
  }

  /** The revision of what is committed next. */
  get revision(): number {
    return this.log.nextRevision;
  }

  /** Time and revision of what is committed next. */
  get stamp(): { readonly commitTime: number; readonly revision: number } {
    return { commitTime: this.commitTime, revision: this.revision };
  }

  /** Commits a state of an agent whose data stays as it is. */
  state(entry: AgentEntry, state: StateRecord): void {
    const previous = entry.state;
    entry.state = state;
    this.append(entry, state, previous, undefined, undefined);
  }

  /** Commits a registration. `entry` holds what is registered already. */
  registration(
    entry: AgentEntry,
    agent: Agent,
    previous: StateRecord | undefined,
    before: AgentScope | undefined,
  ): void {
    this.append(entry, entry.state, previous, before, agent);
  }

  /** Commits new data of an agent. `entry` holds it already. */
  update(entry: AgentEntry, agent: Agent, before: AgentScope): void {
    this.log.append({
      kind: "agent",
      namespace: entry.table.namespace,
      partition: PARTITION,
      revision: agent.record.revision,
      type: AgentChangeType.UPDATED,
      state: entry.state,
      previous: entry.state,
      scope: agent.record,
      previousScope: before,
      agent,
    });
  }

  session(type: SessionChangeType, session: SessionRecord, previousStatus: SessionStatus | undefined): void {
    this.log.append({
      kind: "session",
      namespace: session.namespace,
      partition: PARTITION,
      revision: session.revision,
      type,
      session,
      previousStatus,
    });
  }

  task(task: TaskRecord, previousStatus: TaskStatus | undefined): void {
    this.log.append({
      kind: "task",
      namespace: task.namespace,
      partition: PARTITION,
      revision: task.revision,
      task,
      previousStatus,
    });
  }

  private append(
    entry: AgentEntry,
    state: StateRecord,
    previous: StateRecord | undefined,
    previousScope: AgentScope | undefined,
    agent: Agent | undefined,
  ): void {
    this.history.append(entry.history, state);
    this.log.append({
      kind: "agent",
      namespace: entry.table.namespace,
      partition: PARTITION,
      revision: state.revision,
      type: state.cause,
      state,
      previous,
      scope: entry.record,
      previousScope,
      agent,
    });
  }
}
