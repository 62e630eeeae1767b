/**
 * The part of the storage contract that is read: the log of commits, and snapshots that join it without a gap.
 */
import type { Awaitable } from "../lib/awaitable.js";
import type { Agent, Change, SessionRecord, TaskRecord } from "./records.js";
import type { TaskSnapshotQuery } from "./tasks.js";

/**
 * A place in the log: after `revisions[p]` in each partition p. Valid for the history named by `epoch`, which changes when data
 * may have been lost.
 */
export interface Position {
  /** 1 to 32 characters of `[A-Za-z0-9_-]`. */
  readonly epoch: string;
  readonly revisions: readonly number[];
}

/** Why a position cannot be continued: the log was cut short, it ends before the position, or it is another log. */
export type LossReason = "truncated" | "ahead" | "epoch";

export type LogPage =
  | {
      readonly lost: undefined;
      /** In commit order for each partition. */
      readonly changes: readonly Change[];
      /** After the last change. */
      readonly position: Position;
      /** Whether the page reached the end of the log as it was when it was read. */
      readonly atHead: boolean;
    }
  | { readonly lost: LossReason };

/** Takes the log as it grows. Its methods must not throw and must not call commands synchronously. */
export interface LogListener {
  /** The next changes: of each partition every one, in commit order. */
  onChanges(changes: readonly Change[]): void;
  /** The log could not be followed without a gap: what follows continues from `position`. */
  onLost(reason: LossReason, position: Position): void;
}

export interface LogTail {
  /** Where the tail began: the listener gets everything after it. */
  readonly start: Position;
  close(): Awaitable<void>;
}

/**
 * Current entities. Every commit up to `position` is in the pages; a page may hold newer records, which their revision shows, so a
 * reader that goes on from `position` skips what a record already held.
 */
export interface Snapshot<T> {
  readonly position: Position;
  pages(): AsyncIterable<SnapshotPage<T>> | Iterable<SnapshotPage<T>>;
}

export interface SnapshotPage<T> {
  readonly partition: number;
  readonly items: readonly T[];
}

export interface SnapshotQuery {
  readonly namespace: string;
  /** Only entities with these ids; undefined: all of the namespace. */
  readonly ids: readonly string[] | undefined;
}

/** The ordered log of commits. */
export interface ChangeLog {
  /** The position after the newest commit. */
  head(): Awaitable<Position>;
  /** Up to `limit` changes after `from`. */
  readLog(from: Position, limit: number): Awaitable<LogPage>;
  /** Follows the log from its end. */
  tail(listener: LogListener): Awaitable<LogTail>;
  snapshotAgents(query: SnapshotQuery): Awaitable<Snapshot<Agent>>;
  snapshotSessions(query: SnapshotQuery): Awaitable<Snapshot<SessionRecord>>;
  snapshotTasks(query: TaskSnapshotQuery): Awaitable<Snapshot<TaskRecord>>;
}
