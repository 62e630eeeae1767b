import { TaskStatus, type TaskRecord } from "../records.js";
import type { SessionEntry } from "./entries.js";
import { OrderedIndex, type Ordered } from "./ordered-index.js";
import { UNSCHEDULED, type Scheduled } from "./timer-wheel.js";

/** One task of a session: its current record, and what is derived from the plan or changes without a commit. */
export class TaskEntry implements Ordered, Scheduled {
  wheelTick = UNSCHEDULED;
  wheelIndex = 0;
  /** READY: not to be leased before, by the monotonic clock, as are the two below. */
  readyAt = 0;
  /** LEASED: when the lease runs out. A renewal moves this, and the entry's place in the wheel, and nothing else. */
  leaseDeadline = 0;
  /** LEASED: when the attempt ends. */
  attemptDeadline = 0;
  /** How many of its dependencies are not COMPLETED. */
  waitingFor = 0;
  /** Who waits for it, in the order of the plan. */
  readonly dependants: TaskEntry[] = [];

  constructor(
    readonly session: SessionEntry,
    readonly ordinal: number,
    public record: TaskRecord,
  ) {}
}

/** The tasks of one session. */
export class Run {
  readonly tasks = new Map<string, TaskEntry>();
  readonly inOrder = new OrderedIndex<TaskEntry>();
  private readonly counts = new Map<TaskStatus, number>();

  /** @param entry after those that it depends on */
  add(entry: TaskEntry): void {
    this.tasks.set(entry.record.taskId, entry);
    this.inOrder.add(entry);
    this.count(entry.record.status, 1);
    for (const taskId of entry.record.dependsOn) this.tasks.get(taskId)?.dependants.push(entry);
    entry.waitingFor = entry.record.dependsOn.length;
  }

  moved(from: TaskStatus, to: TaskStatus): void {
    this.count(from, -1);
    this.count(to, 1);
  }

  get open(): number {
    return this.of(TaskStatus.READY) + this.of(TaskStatus.LEASED);
  }

  get failed(): number {
    return this.of(TaskStatus.FAILED);
  }

  get cancelled(): number {
    return this.of(TaskStatus.CANCELLED);
  }

  private of(status: TaskStatus): number {
    return this.counts.get(status) ?? 0;
  }

  private count(status: TaskStatus, change: number): void {
    this.counts.set(status, this.of(status) + change);
  }
}
