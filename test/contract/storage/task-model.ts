/**
 * A storage of tasks as simple as can be, to hold real ones against: it looks at every task each time, and knows the rules by its own
 * words, not by the product's tables and counts.
 */
import type { Reason } from "../../../src/errors/index.js";
import type { JsonObject } from "../../../src/lib/json.js";

export type TaskWord = "PENDING" | "READY" | "LEASED" | "COMPLETED" | "FAILED" | "CANCELLED";
export type SessionWord = "STARTED" | "RUNNING" | "PAUSED" | "COMPLETED" | "FAILED" | "CANCELLED";

export interface ModelPlan {
  readonly id: string;
  /** Of tasks before it. */
  readonly dependsOn: readonly string[];
  readonly timeoutMs: number;
  readonly maxAttempts: number;
  readonly backoffMs: number;
  readonly maxBackoffMs: number;
  readonly multiplier: number;
  readonly startDelayMs: number;
}

/** What a session came to, in somebody's own words. */
export interface SaidByHand {
  readonly result: JsonObject;
  readonly error: string;
}

/** What can be seen of a task. Times are the model's. */
export interface ModelTask {
  readonly plan: ModelPlan;
  status: TaskWord;
  attempt: number;
  attemptsLeft: number;
  agent: string;
  inputs: JsonObject | undefined;
  result: JsonObject | undefined;
  reason: string;
  error: string;
  /** READY: not to be leased before. */
  readyAt: number;
  isDelayed: boolean;
  /** LEASED: the end that the last commit showed, the end by the renewals, and that of the attempt. */
  shownLeaseEnd: number;
  leaseEnd: number;
  deadline: number;
}

export interface ModelSession {
  status: SessionWord;
  error: string;
  result: JsonObject | undefined;
  readonly tasks: ModelTask[];
}

/** What a command must answer: a reason to fail, or nothing. */
export type Expectation = Reason | undefined;

const isOver = (session: ModelSession) => ["COMPLETED", "FAILED", "CANCELLED"].includes(session.status);
const hasEnded = (task: ModelTask) => ["COMPLETED", "FAILED", "CANCELLED"].includes(task.status);
const isOpen = (task: ModelTask) => task.status === "READY" || task.status === "LEASED";

export class TaskModel {
  readonly sessions = new Map<string, ModelSession>();
  /** The changes, as `describeChange` tells them. */
  readonly events: string[] = [];
  now = 0;
  private readonly answered = new Set<string>();

  task(sessionId: string, taskId: string): ModelTask | undefined {
    return this.sessions.get(sessionId)?.tasks.find(({ plan }) => plan.id === taskId);
  }

  start(sessionId: string, plans: readonly ModelPlan[], requestId: string): Expectation {
    if (requestId !== "" && this.answered.has(`${sessionId} ${requestId}`)) return undefined;
    if (this.sessions.has(sessionId)) return "SESSION_ALREADY_EXISTS";
    if (requestId !== "") this.answered.add(`${sessionId} ${requestId}`);
    this.events.push(`STARTED ${sessionId}: STARTED`);
    const tasks = plans.map((plan): ModelTask => {
      const status = plan.dependsOn.length === 0 ? "READY" : "PENDING";
      this.events.push(`TASK ${sessionId}/${plan.id}: ${status}`);
      return {
        plan,
        status,
        attempt: 0,
        attemptsLeft: plan.maxAttempts,
        agent: "",
        inputs: undefined,
        result: undefined,
        reason: "",
        error: "",
        readyAt: this.now + plan.startDelayMs,
        isDelayed: status === "READY" && plan.startDelayMs > 0,
        shownLeaseEnd: 0,
        leaseEnd: 0,
        deadline: 0,
      };
    });
    this.sessions.set(sessionId, { status: "STARTED", error: "", result: undefined, tasks });
    return undefined;
  }

  updateSession(sessionId: string, status: SessionWord, byHand: SaidByHand | undefined): Expectation {
    const session = this.sessions.get(sessionId);
    if (session === undefined) return "SESSION_NOT_FOUND";
    if (isOver(session)) return "SESSION_ENDED";
    if (status === "STARTED" && session.status !== "STARTED") return "ILLEGAL_TRANSITION";
    const says = byHand !== undefined && session.result === undefined;
    if (status === session.status && !says) return undefined;
    if (says) Object.assign(session, byHand);
    if (status === "COMPLETED" || status === "FAILED" || status === "CANCELLED") this.callOff(sessionId, session);
    this.setSession(sessionId, session, status);
    return undefined;
  }

  lease(sessionId: string, taskId: string, attempt: number, agent: string, leaseMs: number): Expectation {
    const task = this.task(sessionId, taskId);
    const session = this.sessions.get(sessionId);
    if (task === undefined || session === undefined) return "TASK_NOT_FOUND";
    if (task.status === "LEASED" && task.attempt === attempt && task.agent === agent) return undefined;
    if (task.status !== "READY" || this.now < task.readyAt || attempt !== task.attempt + 1) return "STALE_ATTEMPT";
    if (session.status === "PAUSED") return "STALE_ATTEMPT";
    Object.assign(task, { attempt, agent, attemptsLeft: task.attemptsLeft - 1, isDelayed: false });
    task.deadline = this.now + task.plan.timeoutMs;
    task.leaseEnd = Math.min(this.now + leaseMs, task.deadline);
    task.shownLeaseEnd = task.leaseEnd;
    this.setTask(sessionId, task, "LEASED");
    if (session.status === "STARTED") this.setSession(sessionId, session, "RUNNING");
    return undefined;
  }

  /** @returns how long the lease lasts from now, or why it does not */
  renew(sessionId: string, taskId: string, attempt: number, leaseMs: number): number | Reason {
    const task = this.task(sessionId, taskId);
    if (task === undefined) return "TASK_NOT_FOUND";
    if (task.status !== "LEASED" || task.attempt !== attempt) return "STALE_ATTEMPT";
    task.leaseEnd = Math.min(this.now + leaseMs, task.deadline);
    return Math.max(0, task.leaseEnd - this.now);
  }

  complete(sessionId: string, taskId: string, attempt: number, result: JsonObject | undefined): Expectation {
    const task = this.task(sessionId, taskId);
    const session = this.sessions.get(sessionId);
    if (task === undefined || session === undefined) return "TASK_NOT_FOUND";
    if (task.attempt !== attempt) return "STALE_ATTEMPT";
    if (task.status === "COMPLETED") return undefined;
    if (task.status !== "LEASED") return "STALE_ATTEMPT";
    Object.assign(task, { result, reason: "", error: "" });
    this.setTask(sessionId, task, "COMPLETED");
    for (const next of session.tasks) {
      const inputs = next.plan.dependsOn.map((id) => this.task(sessionId, id));
      if (next.status !== "PENDING" || inputs.some((input) => input?.status !== "COMPLETED")) continue;
      next.inputs = collect(inputs);
      next.readyAt = this.now + next.plan.startDelayMs;
      next.isDelayed = next.plan.startDelayMs > 0;
      this.setTask(sessionId, next, "READY");
    }
    this.settle(sessionId, session);
    return undefined;
  }

  fail(
    sessionId: string,
    taskId: string,
    attempt: number,
    { permanent, jitter, error }: { readonly permanent: boolean; readonly jitter: number; readonly error: string },
  ): Expectation {
    const task = this.task(sessionId, taskId);
    if (task === undefined) return "TASK_NOT_FOUND";
    if (task.attempt !== attempt || attempt === 0) return "STALE_ATTEMPT";
    if (task.status === "READY" || task.status === "FAILED") return undefined;
    if (task.status !== "LEASED") return "STALE_ATTEMPT";
    Object.assign(task, { reason: "Broken", error });
    this.failed(sessionId, task, permanent, jitter);
    return undefined;
  }

  cancel(sessionId: string, taskId: string, message: string): Expectation {
    const task = this.task(sessionId, taskId);
    const session = this.sessions.get(sessionId);
    if (task === undefined || session === undefined) return "TASK_NOT_FOUND";
    if (hasEnded(task)) return "TASK_ENDED";
    Object.assign(task, { reason: "", error: message });
    this.setTask(sessionId, task, "CANCELLED");
    this.settle(sessionId, session);
    return undefined;
  }

  retry(sessionId: string, taskId: string): Expectation {
    const task = this.task(sessionId, taskId);
    const session = this.sessions.get(sessionId);
    if (task === undefined || session === undefined) return "TASK_NOT_FOUND";
    if (task.status !== "FAILED") return "STATE_MISMATCH";
    if (session.status === "COMPLETED" || session.status === "CANCELLED") return "SESSION_ENDED";
    task.attemptsLeft = task.plan.maxAttempts;
    task.readyAt = this.now;
    this.setTask(sessionId, task, "READY");
    if (session.status !== "FAILED") return undefined;
    Object.assign(session, { result: undefined, error: "" });
    this.setSession(sessionId, session, "RUNNING");
    return undefined;
  }

  /** @returns how many attempts expired */
  expire(jitter: number): number {
    let expired = 0;
    for (const [sessionId, session] of this.sessions) {
      for (const task of session.tasks) {
        if (task.status !== "LEASED" || task.leaseEnd > this.now) continue;
        if (task.deadline <= this.now) Object.assign(task, { reason: "TimedOut", error: "the attempt took too long" });
        else Object.assign(task, { reason: "LeaseExpired", error: "the agent did not renew its lease" });
        this.failed(sessionId, task, false, jitter);
        expired += 1;
      }
    }
    return expired;
  }

  private failed(sessionId: string, task: ModelTask, permanent: boolean, jitter: number): void {
    const session = this.sessions.get(sessionId);
    if (permanent || task.attemptsLeft === 0) {
      this.setTask(sessionId, task, "FAILED");
      if (session !== undefined) this.settle(sessionId, session);
      return;
    }
    const { backoffMs, maxBackoffMs, multiplier, maxAttempts } = task.plan;
    let wait = backoffMs;
    for (let failures = maxAttempts - task.attemptsLeft; failures > 1; failures -= 1) wait *= multiplier;
    wait = Math.min(wait, maxBackoffMs);
    wait = Math.round(wait + (wait / 5) * jitter);
    task.readyAt = this.now + wait;
    task.isDelayed = wait > 0;
    this.setTask(sessionId, task, "READY");
  }

  private settle(sessionId: string, session: ModelSession): void {
    const { tasks } = session;
    if (isOver(session) || tasks.some(isOpen)) return;
    const failed = tasks.find(({ status }) => status === "FAILED");
    const isCalledOff = tasks.some(({ status }) => status === "CANCELLED");
    const end = failed !== undefined ? "FAILED" : isCalledOff ? "CANCELLED" : "COMPLETED";
    if (end === "CANCELLED") this.callOff(sessionId, session);
    session.result ??= collect(tasks.filter(({ status }) => status === "COMPLETED"));
    if (failed !== undefined && session.error === "") session.error = failureOf(failed);
    this.setSession(sessionId, session, end);
  }

  private callOff(sessionId: string, session: ModelSession): void {
    for (const task of session.tasks) {
      if (hasEnded(task)) continue;
      Object.assign(task, { reason: "", error: session.error });
      this.setTask(sessionId, task, "CANCELLED");
    }
  }

  private setTask(sessionId: string, task: ModelTask, status: TaskWord): void {
    this.events.push(`TASK ${sessionId}/${task.plan.id}: ${task.status}>${status}`);
    task.status = status;
  }

  private setSession(sessionId: string, session: ModelSession, status: SessionWord): void {
    const type = ["COMPLETED", "FAILED", "CANCELLED"].includes(status) ? "ENDED" : "UPDATED";
    this.events.push(`${type} ${sessionId}: ${session.status}>${status}`);
    session.status = status;
  }
}

function collect(tasks: readonly (ModelTask | undefined)[]): JsonObject | undefined {
  if (tasks.length === 0) return undefined;
  return Object.fromEntries(tasks.map((task) => [task?.plan.id ?? "", task?.result ?? {}]));
}

/** The room of agents, beside the tasks: neither knows of the other. */
export class SlotModel {
  private readonly agents = new Map<string, { incarnation: number; state: string; readonly max: number }>();
  private slots: { readonly agent: string; readonly task: string; attempt: number }[] = [];

  incarnationOf(agent: string): number {
    return this.agents.get(agent)?.incarnation ?? 0;
  }

  register(agent: string, max: number): void {
    this.agents.set(agent, { incarnation: this.incarnationOf(agent) + 1, state: "IDLE", max });
    this.slots = this.slots.filter((slot) => slot.agent !== agent);
  }

  report(agent: string, state: string): void {
    const known = this.agents.get(agent);
    if (known !== undefined) known.state = state;
  }

  /** @returns `reserved`, `unavailable`, or what is in the way */
  reserve(agent: string, incarnation: number, task: string, attempt: number): string {
    const known = this.agents.get(agent);
    if (known?.incarnation !== incarnation) return "unavailable";
    const held = this.slots.find((slot) => slot.agent === agent && slot.task === task);
    if (held?.attempt === attempt) return "reserved";
    const takes = known.state === "IDLE" || (known.state === "ACTIVE" && known.max > 1);
    if (!takes || (held !== undefined && held.attempt > attempt)) return "unavailable";
    if (held !== undefined) {
      held.attempt = attempt;
      return "reserved";
    }
    const taken = this.slots.filter((slot) => slot.agent === agent);
    if (taken.length >= known.max) return taken.map((slot) => `${slot.task}#${slot.attempt}`).join(" ");
    this.slots.push({ agent, task, attempt });
    return "reserved";
  }

  release(agent: string, task: string, attempt: number): void {
    this.slots = this.slots.filter((slot) => slot.agent !== agent || slot.task !== task || slot.attempt !== attempt);
  }
}

function failureOf({ plan, reason, error }: ModelTask): string {
  const told = error === "" ? [] : [error];
  return [`task ${plan.id} failed`, reason, ...told].join(": ");
}
