/**
 * The part of the storage contract that runs work as a property: whatever graphs are started and whatever commands come in whatever
 * order, a storage answers, logs and holds what the model does.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Reason } from "../../src/errors/index.js";
import { SessionStatus, State, type TaskRecord } from "../../src/storage/records.js";
import type { Storage } from "../../src/storage/storage.js";
import { aRegistration, aReport, aSessionUpdate } from "../helpers/records.js";
import {
  aCancellation,
  aCompletion,
  aFailure,
  aLease,
  aRelease,
  aRenewal,
  aReservation,
  aRun,
  aTask,
  aTaskKey,
} from "../helpers/tasks.js";
import { describeChange } from "./storage/events.js";
import { attempt, reasonOf, type StorageFactory, type StorageHarness } from "./storage/harness.js";
import { Journal } from "./storage/journal.js";
import { SlotModel, TaskModel, type ModelPlan, type TaskWord } from "./storage/task-model.js";
import { TaskViews } from "./storage/task-views.js";
import { arbitraryCommand, MAX_CONCURRENT, type TaskCommand } from "./storage/task-commands.js";

export interface TaskModelOptions {
  /** How many sequences of commands to try. */
  readonly runs: number;
  /** Whether `advance` is exact to the millisecond and costs nothing; without it no time passes and no times are compared. */
  readonly exactTime: boolean;
}

/** Declares the property for one storage. */
export function describeTaskModel(name: string, factory: StorageFactory, { runs, exactTime }: TaskModelOptions): void {
  describe(`task model: ${name}`, () => {
    it("answers, logs and holds what the model does", async () => {
      const sequences = fc.array(arbitraryCommand(exactTime), { maxLength: 80, size: "max" });
      await fc.assert(
        fc.asyncProperty(sequences, async (commands) => {
          const harness = await factory({});
          try {
            await new Run(harness, await Journal.open(harness.storage), exactTime).play(commands);
          } finally {
            await harness.close();
          }
        }),
        { numRuns: runs },
      );
    });
  });
}

/** One sequence of commands on a storage and a model side by side. */
class Run {
  private readonly model = new TaskModel();
  private readonly slots = new SlotModel();
  private readonly storage: Storage;
  private readonly views: TaskViews;

  constructor(
    private readonly harness: StorageHarness,
    private readonly journal: Journal,
    private readonly exactTime: boolean,
  ) {
    this.storage = harness.storage;
    this.views = new TaskViews(harness.storage, this.model, exactTime);
  }

  async play(commands: readonly TaskCommand[]): Promise<void> {
    for (const command of commands) {
      const before = this.model.events.length;
      await this.step(command);
      const changes = (await this.journal.next()).filter(({ kind }) => kind !== "agent");
      const group = command.kind === "expire" ? byEntity : bySession;
      const expected = group(this.model.events.slice(before));
      expect(group(changes.map(describeChange)), JSON.stringify(command)).toEqual(expected);
      await this.views.expectRecords(changes);
    }
    await this.views.expectSelections();
    await this.views.expectReplayable();
  }

  private async step(command: TaskCommand): Promise<void> {
    const { model, storage } = this;
    switch (command.kind) {
      case "start": {
        const { sessionId, requestId } = command;
        const expected = model.start(sessionId, command.plans, requestId);
        const tasks = command.plans.map(toTask);
        const { value, failure } = await attempt(() => storage.startSession(aRun(tasks, { sessionId, requestId })));
        expect(failure?.reason).toBe(expected);
        if (value !== undefined) this.views.base ??= value.startTime - model.now;
        return;
      }
      case "status": {
        const { sessionId, status } = command;
        const patch = { status: SessionStatus[status], ...(command.byHand ? BY_HAND : {}) };
        const expected = model.updateSession(sessionId, status, command.byHand ? BY_HAND : undefined);
        expect(await reasonOf(() => storage.updateSession(aSessionUpdate(sessionId, patch)))).toBe(expected);
        return;
      }
      case "lease": {
        const { sessionId, taskId, last } = this.pick(command, "READY");
        const number = last + 1 + command.off;
        const { agentId, leaseMs } = command;
        const expected = model.lease(sessionId, taskId, number, agentId, leaseMs);
        const lease = aLease(taskId, number, { sessionId, agentId, leaseMs });
        expect(await reasonOf(() => storage.leaseTask(lease))).toBe(expected);
        return;
      }
      case "renew": {
        const { sessionId, taskId, last } = this.pick(command, "LEASED");
        const { leaseMs } = command;
        const expected = model.renew(sessionId, taskId, last + command.off, leaseMs);
        const renewal = aRenewal(taskId, last + command.off, { sessionId, leaseMs });
        const { value, failure } = await attempt(() => storage.renewTask(renewal));
        if (typeof expected === "string" || this.exactTime)
          expect(value?.remainingMs ?? failure?.reason).toBe(expected);
        return;
      }
      case "complete": {
        const { sessionId, taskId, last } = this.pick(command, "LEASED");
        const result = command.result === 0 ? undefined : { n: command.result };
        const expected = model.complete(sessionId, taskId, last + command.off, result);
        await this.expectTask(sessionId, taskId, expected, () =>
          storage.completeTask(aCompletion(taskId, last + command.off, { sessionId, result })),
        );
        return;
      }
      case "fail": {
        const { sessionId, taskId, last } = this.pick(command, "LEASED");
        const { permanent, jitter, error } = command;
        const expected = model.fail(sessionId, taskId, last + command.off, command);
        const failure = { ...aFailure(taskId, last + command.off, { permanent, jitter, error }), sessionId };
        await this.expectTask(sessionId, taskId, expected, () => storage.failTask(failure));
        return;
      }
      case "cancel": {
        const { sessionId, taskId } = this.pick(command, "READY");
        const { message } = command;
        const expected = model.cancel(sessionId, taskId, message);
        await this.expectTask(sessionId, taskId, expected, () =>
          storage.cancelTask(aCancellation(taskId, { sessionId, message })),
        );
        return;
      }
      case "retry": {
        const { sessionId, taskId } = this.pick(command, "FAILED");
        const expected = model.retry(sessionId, taskId);
        await this.expectTask(sessionId, taskId, expected, () => storage.retryTask(aTaskKey(taskId, { sessionId })));
        return;
      }
      case "advance":
        model.now += command.ms;
        await this.harness.advance(command.ms);
        return;
      case "expire":
        expect(await storage.expireTasks({ jitter: command.jitter })).toBe(model.expire(command.jitter));
        return;
      case "register": {
        const { agentId } = command;
        const maxConcurrentTasks = MAX_CONCURRENT[agentId];
        this.slots.register(agentId, maxConcurrentTasks);
        await storage.registerAgent(aRegistration(agentId, { initialState: State.IDLE, maxConcurrentTasks }));
        return;
      }
      case "report": {
        const { agentId, state } = command;
        if (this.slots.incarnationOf(agentId) === 0) return;
        this.slots.report(agentId, state);
        await storage.setState(aReport(agentId, State[state]));
        return;
      }
      case "reserve": {
        const { agentId, taskId, number } = command;
        const incarnation = this.slots.incarnationOf(agentId) + command.stray;
        const expected = this.slots.reserve(agentId, incarnation, taskId, number);
        const outcome = await storage.reserveSlot(aReservation(taskId, number, { agentId, incarnation }));
        const slots = outcome.kind === "full" ? outcome.slots.map((slot) => `${slot.taskId}#${slot.attempt}`) : [];
        expect(outcome.kind === "full" ? slots.sort().join(" ") : outcome.kind).toBe(
          expected.split(" ").sort().join(" "),
        );
        return;
      }
      case "release":
        this.slots.release(command.agentId, command.taskId, command.number);
        await storage.releaseSlot(aRelease(command.taskId, command.number, command.agentId));
        return;
    }
  }

  /** A task that a command may mean: one that has the status, if there is any and `fit` asks for it, else any or none. */
  private pick(
    { fit, nth }: { readonly fit: boolean; readonly nth: number },
    status: TaskWord,
  ): { readonly sessionId: string; readonly taskId: string; readonly last: number } {
    const all = [...this.model.sessions].flatMap(([sessionId, { tasks }]) =>
      tasks.map((task) => ({ sessionId, task })),
    );
    const fitting = fit ? all.filter(({ task }) => task.status === status) : [];
    const candidates = fitting.length > 0 ? fitting : all;
    const chosen = candidates[nth % (candidates.length + (fitting.length > 0 ? 0 : 1))];
    if (chosen === undefined) return { sessionId: "s", taskId: "nobody", last: 0 };
    return { sessionId: chosen.sessionId, taskId: chosen.task.plan.id, last: chosen.task.attempt };
  }

  /** Calls, and expects the refusal, or the task as it is after it. */
  private async expectTask(
    sessionId: string,
    taskId: string,
    expected: Reason | undefined,
    call: () => TaskRecord | Promise<TaskRecord>,
  ): Promise<void> {
    const { value, failure } = await attempt(call);
    expect(failure?.reason).toBe(expected);
    if (value !== undefined) expect(value).toEqual(await this.storage.getTask(aTaskKey(taskId, { sessionId })));
  }
}

const BY_HAND = { result: { by: "hand" }, error: "by hand" };

function toTask(plan: ModelPlan) {
  const { id, dependsOn, timeoutMs, maxAttempts, startDelayMs, multiplier } = plan;
  const retry = { maxAttempts, initialBackoffMs: plan.backoffMs, maxBackoffMs: plan.maxBackoffMs, multiplier };
  return aTask(id, { dependsOn, timeoutMs, startDelayMs, retry });
}

/** Event lines, those of one session with its tasks together and in their order. */
function bySession(events: readonly string[]): Map<string, string[]> {
  return grouped(events, (event) => event.split(/[ /:]/)[1] ?? "");
}

/** The same for each session and each task: the order in which several of them expire is not promised. */
function byEntity(events: readonly string[]): Map<string, string[]> {
  return grouped(events, (event) => event.split(/[ :]/)[1] ?? "");
}

function grouped(events: readonly string[], keyOf: (event: string) => string): Map<string, string[]> {
  const groups = new Map<string, string[]>();
  for (const event of events) groups.set(keyOf(event), [...(groups.get(keyOf(event)) ?? []), event]);
  return groups;
}
