import { expect } from "vitest";
import { TaskStatus, type Change, type SessionRecord, type TaskRecord } from "../../../src/storage/records.js";
import { sessionStatusName } from "../../../src/storage/state-machine.js";
import type { Storage, TaskSnapshotQuery } from "../../../src/storage/storage.js";
import { TASK_TRANSITIONS, taskStatusName } from "../../../src/storage/task-machine.js";
import { aSessionQuery, NAMESPACE } from "../../helpers/records.js";
import { aTaskQuery } from "../../helpers/tasks.js";
import type { ModelSession, ModelTask, TaskModel } from "./task-model.js";

/** Holds what a storage shows of its tasks against what the model has. */
export class TaskViews {
  /** The storage's time when the model's was 0. */
  base: number | undefined;
  /** The newest record of each task in the log. */
  private readonly logged = new Map<string, TaskRecord>();

  constructor(
    private readonly storage: Storage,
    private readonly model: TaskModel,
    private readonly exactTime: boolean,
  ) {}

  /** Sessions and tasks are as the model has them, and each change says what was before it and is a legal one. */
  async expectRecords(changes: readonly Change[]): Promise<void> {
    for (const change of changes) {
      if (change.kind !== "task") continue;
      const name = nameOf(change.task);
      const { previousStatus } = change;
      expect(previousStatus).toBe(this.logged.get(name)?.status);
      if (previousStatus !== undefined) expect(TASK_TRANSITIONS[previousStatus]).toContain(change.task.status);
      this.logged.set(name, change.task);
    }
    const sessions = await this.storage.listSessions(aSessionQuery());
    const tasks = await this.storage.listTasks(aTaskQuery({ limit: 1_000 }));
    expect([sessions.items.map(seenSession), tasks.items.map((task) => this.seen(task))]).toEqual([
      [...this.model.sessions].map(expectedSession),
      this.all().map(({ name, task }) => this.expected(name, task)),
    ]);
  }

  /** Lists and snapshots choose the same tasks. */
  async expectSelections(): Promise<void> {
    const chosen = (choose: (task: ModelTask) => boolean) =>
      this.all()
        .filter(({ task }) => choose(task))
        .map(({ name }) => name);
    const failed = await this.storage.listTasks(aTaskQuery({ statuses: [TaskStatus.FAILED] }));
    expect(failed.items.map(nameOf)).toEqual(chosen(({ status }) => status === "FAILED"));
    const ofA = await this.storage.listTasks(aTaskQuery({ agentId: "a" }));
    expect(ofA.items.map(nameOf)).toEqual(chosen(({ agent }) => agent === "a"));
    const held = chosen(({ status, agent }) => status === "LEASED" && agent === "a");
    expect(await this.snapshot({ kind: "agent", agentId: "a" })).toEqual(held.sort());
    const open = chosen(({ status }) => status === "LEASED" || status === "READY");
    expect(await this.snapshot({ kind: "open" })).toEqual(open.sort());
  }

  /** Whoever has read the log from its beginning knows every task as it is. */
  async expectReplayable(): Promise<void> {
    for (const task of this.logged.values()) expect(await this.storage.getTask(task)).toEqual(task);
    expect([...this.logged.keys()].sort()).toEqual(
      this.all()
        .map(({ name }) => name)
        .sort(),
    );
  }

  private all(): { readonly name: string; readonly task: ModelTask }[] {
    return [...this.model.sessions].flatMap(([sessionId, { tasks }]) =>
      tasks.map((task) => ({ name: `${sessionId}/${task.plan.id}`, task })),
    );
  }

  private async snapshot(of: TaskSnapshotQuery["of"]): Promise<string[]> {
    const names: string[] = [];
    const snapshot = await this.storage.snapshotTasks({ namespace: NAMESPACE, of });
    for await (const page of snapshot.pages()) names.push(...page.items.map(nameOf));
    return names.sort();
  }

  private seen(record: TaskRecord): object {
    const { attempt, attemptsLeft, agentId, inputs, result, reason, error } = record;
    const time = (at: number | undefined) => (at === undefined ? undefined : at - (this.base ?? 0));
    return {
      ...{ name: nameOf(record), status: taskStatusName(record.status), attempt, attemptsLeft, agentId },
      ...{ inputs, result, reason, error },
      ...(this.exactTime && {
        notBefore: time(record.notBefore),
        leaseExpireTime: time(record.leaseExpireTime),
        deadline: time(record.deadline),
      }),
    };
  }

  private expected(name: string, task: ModelTask): object {
    const { status, attempt, attemptsLeft, agent: agentId, inputs, result, reason, error } = task;
    return {
      ...{ name, status, attempt, attemptsLeft, agentId, inputs, result, reason, error },
      ...(this.exactTime && {
        notBefore: status === "READY" && task.isDelayed ? task.readyAt : undefined,
        leaseExpireTime: status === "LEASED" ? task.shownLeaseEnd : undefined,
        deadline: status === "LEASED" ? task.deadline : undefined,
      }),
    };
  }
}

function nameOf({ sessionId, taskId }: TaskRecord): string {
  return `${sessionId}/${taskId}`;
}

function seenSession({ sessionId, status, error, result }: SessionRecord): object {
  return { sessionId, status: sessionStatusName(status), error, result };
}

function expectedSession([sessionId, { status, error, result }]: readonly [string, ModelSession]): object {
  return { sessionId, status, error, result };
}
