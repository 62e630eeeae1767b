import type { Change, SessionRecord, TaskRecord, TaskStatus } from "../../src/storage/records.js";
import type { LogTail, Storage } from "../../src/storage/storage.js";
import { isEnded } from "../../src/storage/state-machine.js";

type Watched = TaskRecord | SessionRecord;

/** Follows the log and lets a test wait for what it wants to see in it. */
export class TaskLog {
  readonly tasks: TaskRecord[] = [];
  readonly sessions: SessionRecord[] = [];
  private waiting: { readonly matches: (seen: Watched) => boolean; readonly resolve: (seen: Watched) => void }[] = [];
  private tail: LogTail | undefined;

  static async open(storage: Storage): Promise<TaskLog> {
    const log = new TaskLog();
    log.tail = await storage.tail({
      onChanges: (changes) => {
        for (const change of changes) log.note(change);
      },
      onLost: (reason) => {
        throw new Error(`the log was lost: ${reason}`);
      },
    });
    return log;
  }

  async close(): Promise<void> {
    await this.tail?.close();
  }

  /** The first record of a task, from the beginning on, that has this status, at this attempt if one is named. */
  async task(taskId: string, status: TaskStatus, attempt?: number): Promise<TaskRecord> {
    const matches = (seen: Watched): boolean =>
      "taskId" in seen &&
      seen.taskId === taskId &&
      seen.status === status &&
      (attempt === undefined || seen.attempt === attempt);
    const seen = this.tasks.find(matches) ?? (await this.next(matches));
    return seen as TaskRecord;
  }

  /** The record with which a session ended. */
  async sessionEnd(sessionId: string): Promise<SessionRecord> {
    const matches = (seen: Watched): boolean =>
      !("taskId" in seen) && seen.sessionId === sessionId && isEnded(seen.status);
    return (this.sessions.find(matches) ?? (await this.next(matches))) as SessionRecord;
  }

  private next(matches: (seen: Watched) => boolean): Promise<Watched> {
    return new Promise((resolve) => this.waiting.push({ matches, resolve }));
  }

  private note(change: Change): void {
    if (change.kind === "agent") return;
    const seen = change.kind === "task" ? change.task : change.session;
    if ("taskId" in seen) this.tasks.push(seen);
    else this.sessions.push(seen);
    const due = this.waiting.filter(({ matches }) => matches(seen));
    this.waiting = this.waiting.filter((each) => !due.includes(each));
    for (const { resolve } of due) resolve(seen);
  }
}
