import { taskNotFound } from "../../errors/index.js";
import { SessionStatus, TaskStatus, type TaskPlan, type TaskRecord } from "../records.js";
import { sessionEnded, staleAttempt, taskEnded, taskMismatch } from "../refusals.js";
import { isEnded } from "../state-machine.js";
import type {
  AttemptKey,
  CancelTask,
  CompleteTask,
  FailTask,
  LeaseTask,
  ListTasks,
  Page,
  RenewedTask,
  RenewTask,
  TaskKey,
} from "../storage.js";
import { backoffMs, collectResults, EXPIRED, isTaskEnded, sessionEnd, sessionError } from "../task-machine.js";
import type { Clock } from "../../lib/clock.js";
import type { Commits } from "./commits.js";
import { decodeCursor, encodeCursor } from "./cursor.js";
import type { Namespaces, SessionEntry } from "./entries.js";
import { toPage } from "./ordered-index.js";
import { Run, TaskEntry } from "./runs.js";
import type { SessionCommits } from "./session-commits.js";
import { newTask, startTime, taskRecord } from "./task-records.js";
import { TimerWheel } from "./timer-wheel.js";

/** How many tasks one page looks at, at most. */
const SCAN_BUDGET = 10_000;

/** The steps of sessions: who may work on them, who does, and what came of them. */
export class Tasks {
  /** The LEASED ones by the end of their lease. */
  private readonly wheel: TimerWheel<TaskEntry>;

  constructor(
    private readonly namespaces: Namespaces,
    private readonly clock: Clock,
    private readonly commits: Commits,
    private readonly sessions: SessionCommits,
  ) {
    this.wheel = new TimerWheel(clock.monotonic());
  }

  /** Gives a session that was just committed its tasks. */
  create(session: SessionEntry, plans: readonly TaskPlan[]): void {
    if (plans.length === 0) return;
    const { table, record } = session;
    const run = new Run();
    session.run = run;
    const { namespace, sessionId, workflowId, startTime: time } = record;
    for (const plan of plans) {
      const task = newTask(plan, { namespace, sessionId, workflowId }, time, this.commits.revision);
      const entry = new TaskEntry(session, table.nextOrdinal(), task);
      entry.readyAt = this.clock.monotonic() + plan.startDelayMs;
      run.add(entry);
      table.tasksInOrder.add(entry);
      if (task.status === TaskStatus.READY) table.openTasks.add(entry);
      this.commits.task(task, undefined);
    }
  }

  lease(command: LeaseTask): TaskRecord {
    const entry = this.require(command);
    const { record, session } = entry;
    const { attempt, agentId, agentIncarnation, agentRevision, delivery } = command;
    const isSame = record.attempt === attempt && record.agentId === agentId;
    if (record.status === TaskStatus.LEASED && isSame && record.agentIncarnation === agentIncarnation) return record;
    const now = this.clock.monotonic();
    const isReady = record.status === TaskStatus.READY && entry.readyAt <= now;
    if (!isReady || attempt !== record.attempt + 1 || session.record.status === SessionStatus.PAUSED) {
      throw staleAttempt(record.taskId, attempt, record.attempt, record.status);
    }
    const time = this.commits.commitTime;
    const leaseMs = Math.min(command.leaseMs, record.timeoutMs);
    entry.attemptDeadline = now + record.timeoutMs;
    entry.leaseDeadline = now + leaseMs;
    this.wheel.schedule(entry, entry.leaseDeadline);
    const leased = this.move(entry, TaskStatus.LEASED, {
      attempt,
      attemptsLeft: record.attemptsLeft - 1,
      agentId,
      agentIncarnation,
      agentRevision,
      delivery,
      notBefore: undefined,
      leaseExpireTime: time + leaseMs,
      deadline: time + record.timeoutMs,
      startTime: time,
    });
    if (session.record.status === SessionStatus.STARTED) {
      this.sessions.write(session, { ...session.record, status: SessionStatus.RUNNING });
    }
    return leased;
  }

  renew(command: RenewTask): RenewedTask {
    const entry = this.requireAttempt(command);
    const now = this.clock.monotonic();
    entry.leaseDeadline = Math.min(now + command.leaseMs, entry.attemptDeadline);
    this.wheel.schedule(entry, entry.leaseDeadline);
    return { remainingMs: Math.max(0, entry.leaseDeadline - now) };
  }

  complete(command: CompleteTask): TaskRecord {
    const { record } = this.require(command);
    if (record.status === TaskStatus.COMPLETED && record.attempt === command.attempt) return record;
    const entry = this.requireAttempt(command);
    const completed = this.move(entry, TaskStatus.COMPLETED, { result: command.result, reason: "", error: "" });
    for (const dependant of entry.dependants) {
      dependant.waitingFor -= 1;
      if (dependant.waitingFor === 0 && dependant.record.status === TaskStatus.PENDING) this.ready(dependant);
    }
    this.settle(entry.session);
    return completed;
  }

  fail(command: FailTask): TaskRecord {
    const { record } = this.require(command);
    const hasFailed = record.status === TaskStatus.READY || record.status === TaskStatus.FAILED;
    if (hasFailed && record.attempt === command.attempt && command.attempt > 0) return record;
    return this.failAttempt(this.requireAttempt(command), command);
  }

  cancel(command: CancelTask): TaskRecord {
    const entry = this.require(command);
    if (isTaskEnded(entry.record.status)) throw taskEnded(entry.record.taskId, entry.record.status);
    const cancelled = this.move(entry, TaskStatus.CANCELLED, { reason: "", error: command.message });
    this.settle(entry.session);
    return cancelled;
  }

  /**
   * Calls off what has not ended: the session is about to end.
   *
   * @param error why it ends
   */
  cancelAll(session: SessionEntry, error: string): void {
    if (session.run === undefined) return;
    for (const entry of session.run.tasks.values()) {
      if (!isTaskEnded(entry.record.status)) this.move(entry, TaskStatus.CANCELLED, { reason: "", error });
    }
  }

  retry(key: TaskKey): TaskRecord {
    const entry = this.require(key);
    const { record, session } = entry;
    if (record.status !== TaskStatus.FAILED) throw taskMismatch(record.taskId, record.status, record.revision);
    const { status, sessionId } = session.record;
    if (isEnded(status) && status !== SessionStatus.FAILED) throw sessionEnded(sessionId, status);
    const ready = this.move(entry, TaskStatus.READY, { attemptsLeft: record.retry.maxAttempts });
    if (isEnded(status)) {
      this.sessions.write(session, { ...session.record, status: SessionStatus.RUNNING, result: undefined, error: "" });
    }
    return ready;
  }

  expire(jitter: number): number {
    const now = this.clock.monotonic();
    let expired = 0;
    this.wheel.turn(now, (entry) => {
      if (entry.leaseDeadline > now) {
        this.wheel.schedule(entry, entry.leaseDeadline);
        return;
      }
      const failure = entry.attemptDeadline <= now ? EXPIRED.attempt : EXPIRED.lease;
      this.failAttempt(entry, { ...failure, permanent: false, jitter });
      expired += 1;
    });
    return expired;
  }

  get(key: TaskKey): TaskRecord | undefined {
    return this.find(key)?.record;
  }

  list(query: ListTasks): Page<TaskRecord> {
    const after = decodeCursor("t", query.cursor);
    const table = this.namespaces.get(query.namespace);
    const index = query.sessionId === "" ? table?.tasksInOrder : table?.sessions.get(query.sessionId)?.run?.inOrder;
    if (index === undefined) return { items: [], next: undefined };
    const page = index.page(after, query.limit, SCAN_BUDGET, {
      matches: ({ record }) => isListed(record, query),
      sizeOf: ({ record }) => record.size,
    });
    return toPage(
      page,
      (entry) => entry.record,
      (ordinal) => encodeCursor("t", ordinal),
    );
  }

  /** Takes the tasks of a session that is forgotten out of every list. */
  drop(session: SessionEntry): void {
    for (const entry of session.run?.tasks.values() ?? []) session.table.tasksInOrder.remove(entry);
  }

  private failAttempt(
    entry: TaskEntry,
    { reason, error, permanent, jitter }: Pick<FailTask, "reason" | "error" | "permanent" | "jitter">,
  ): TaskRecord {
    const { retry, attemptsLeft } = entry.record;
    if (!permanent && attemptsLeft > 0) {
      const wait = backoffMs(retry, retry.maxAttempts - attemptsLeft, jitter);
      entry.readyAt = this.clock.monotonic() + wait;
      return this.move(entry, TaskStatus.READY, {
        reason,
        error,
        notBefore: startTime(this.commits.commitTime, wait),
      });
    }
    const failed = this.move(entry, TaskStatus.FAILED, { reason, error });
    this.settle(entry.session);
    return failed;
  }

  /** Everything that it waited for is done. */
  private ready(entry: TaskEntry): void {
    const { dependsOn, startDelayMs } = entry.record;
    const { run } = entry.session;
    entry.readyAt = this.clock.monotonic() + startDelayMs;
    this.move(entry, TaskStatus.READY, {
      inputs: collectResults(dependsOn.map((taskId) => [taskId, run?.tasks.get(taskId)?.record.result] as const)),
      notBefore: startTime(this.commits.commitTime, startDelayMs),
    });
  }

  /** Ends the session when nothing of it can run any more. */
  private settle(session: SessionEntry): void {
    const { run, record } = session;
    const status = run === undefined || isEnded(record.status) ? undefined : sessionEnd(run);
    if (run === undefined || status === undefined) return;
    if (status === SessionStatus.CANCELLED) this.cancelAll(session, record.error);
    const tasks = [...run.tasks.values()].map((entry) => entry.record);
    const completed = tasks.filter((task) => task.status === TaskStatus.COMPLETED);
    const failed = tasks.find((task) => task.status === TaskStatus.FAILED);
    this.sessions.write(session, {
      ...record,
      status,
      // What somebody has set by hand stays.
      result: record.result ?? collectResults(completed.map(({ taskId, result }) => [taskId, result] as const)),
      error: record.error !== "" || failed === undefined ? record.error : sessionError(failed),
    });
  }

  /** Commits a new status, and keeps counts, sets and the wheel in step with it. */
  private move(entry: TaskEntry, status: TaskStatus, changes: Partial<TaskRecord>): TaskRecord {
    const before = entry.record;
    const { commitTime, revision } = this.commits.stamp;
    const isLeased = status === TaskStatus.LEASED;
    entry.record = taskRecord({
      ...before,
      ...(isLeased ? {} : { leaseExpireTime: undefined, deadline: undefined }),
      ...(status === TaskStatus.READY ? {} : { notBefore: undefined }),
      ...changes,
      status,
      updateTime: commitTime,
      endTime: isTaskEnded(status) ? commitTime : undefined,
      revision,
    });
    const { table, run } = entry.session;
    run?.moved(before.status, status);
    if (isLeased || status === TaskStatus.READY) table.openTasks.add(entry);
    else table.openTasks.delete(entry);
    if (before.status === TaskStatus.LEASED) {
      this.wheel.remove(entry);
      table.withdraw(before.agentId, entry);
    }
    if (isLeased) table.assign(entry.record.agentId, entry);
    this.commits.task(entry.record, before.status);
    return entry.record;
  }

  private requireAttempt({ attempt, ...key }: AttemptKey): TaskEntry {
    const entry = this.require(key);
    const { record } = entry;
    if (record.status === TaskStatus.LEASED && record.attempt === attempt) return entry;
    throw staleAttempt(record.taskId, attempt, record.attempt, record.status);
  }

  private require(key: TaskKey): TaskEntry {
    const entry = this.find(key);
    if (entry === undefined) throw taskNotFound(key.sessionId, key.taskId);
    return entry;
  }

  private find({ namespace, sessionId, taskId }: TaskKey): TaskEntry | undefined {
    return this.namespaces.session(namespace, sessionId)?.run?.tasks.get(taskId);
  }
}

function isListed(record: TaskRecord, query: ListTasks): boolean {
  if (query.agentId !== "" && query.agentId !== record.agentId) return false;
  return query.statuses.length === 0 || query.statuses.includes(record.status);
}
