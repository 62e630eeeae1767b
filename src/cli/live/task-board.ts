import type { Task } from "../../../gen/opscore/v1/task_service_pb.js";
import type { TaskEntry } from "../../client/index.js";
import type { Clock } from "../../lib/clock.js";
import type { Rich } from "../text/rich.js";
import { RESYNC_NOTE, TASK_WIDTHS } from "../views/event-lines.js";
import { taskEventView } from "../views/events.js";
import type { Item } from "../watching.js";
import { Board, byName } from "./board.js";
import { graphOrder } from "../../lib/task-graph.js";
import { hasEnded, taskTable } from "./task-table.js";

/** A task on the board. */
export interface BoardTask {
  readonly task: Task;
  /** When the board learned of its last change, by the monotonic clock. */
  readonly changedAt: number;
}

/** A session on the board. */
export interface BoardSession {
  readonly sessionId: string;
  /** Each below all that it waits for. */
  readonly tasks: readonly BoardTask[];
}

/** Where a watch is of all sessions, so many that have nothing left to do stay. */
const MAX_IDLE_SESSIONS = 10;

interface KnownSession {
  readonly tasks: Map<string, BoardTask>;
  /** The ids of the tasks in the order of the graph; undefined when a task has come since. */
  order: readonly string[] | undefined;
}

/** What a watch of tasks has said so far: every task as it is now, at its place in the graph, and what happened last. */
export class TaskBoard extends Board<TaskEntry> {
  private readonly known = new Map<string, KnownSession>();

  /** @param sessionIds the sessions that the watch is about; empty: all */
  constructor(
    clock: Clock,
    private readonly sessionIds: readonly string[],
  ) {
    super(clock, TASK_WIDTHS);
  }

  /** In the order in which the watch came to know of them. */
  get sessions(): readonly BoardSession[] {
    return [...this.known].map(([sessionId, session]) => ({
      sessionId,
      tasks: orderOf(session).flatMap((taskId) => session.tasks.get(taskId) ?? []),
    }));
  }

  table(room: number, width: number, clock: Clock): readonly Rich[] {
    return taskTable(this.sessions, { room, width, sessions: this.sessionIds.length }, clock);
  }

  apply(item: Item<TaskEntry>): void {
    switch (item.type) {
      case "snapshot":
        // Not news: nothing has changed just now.
        this.put(item.task, -Infinity);
        break;
      case "event":
        this.tell(taskEventView(item.event, this.isOfOneSession));
        if (item.event.task !== undefined) this.put(item.event.task, this.clock.monotonic());
        break;
      case "resync":
        this.known.clear();
        this.say("RESYNC", RESYNC_NOTE);
        break;
      case "synced": {
        const count = [...this.known.values()].reduce((sum, { tasks }) => sum + tasks.size, 0);
        this.say("SYNCED", count === 1 ? "1 task is there" : `${count} tasks are there`);
      }
    }
  }

  private get isOfOneSession(): boolean {
    return this.sessionIds.length === 1;
  }

  private put(task: Task, changedAt: number): void {
    const session = this.known.get(task.sessionId) ?? { tasks: new Map<string, BoardTask>(), order: undefined };
    this.known.set(task.sessionId, session);
    if (!session.tasks.has(task.taskId)) session.order = undefined;
    session.tasks.set(task.taskId, { task, changedAt });
    if (this.sessionIds.length === 0 && hasEnded(task)) this.dropIdle();
  }

  /** Keeps a watch that goes on for weeks from growing. */
  private dropIdle(): void {
    const idle = [...this.known].filter(([, { tasks }]) => [...tasks.values()].every(({ task }) => hasEnded(task)));
    for (const [sessionId] of idle.slice(0, Math.max(0, idle.length - MAX_IDLE_SESSIONS))) this.known.delete(sessionId);
  }
}

function orderOf(session: KnownSession): readonly string[] {
  // A snapshot is in no particular order.
  const byId = () =>
    [...session.tasks.values()].map(({ task }) => task).sort((a, b) => byName.compare(a.taskId, b.taskId));
  return (session.order ??= graphOrder(byId()).map(({ taskId }) => taskId));
}
