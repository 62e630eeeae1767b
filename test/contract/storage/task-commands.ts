/** Random graphs and random commands about tasks, for the property that holds storages against a model. */
import fc from "fast-check";
import type { ModelPlan, SessionWord } from "./task-model.js";

/** Agents, and how many tasks each takes at the same time. */
export const MAX_CONCURRENT = { a: 1, b: 2 } as const;

const sessionId = fc.constantFrom("s", "t");
const agentId = fc.constantFrom("a" as const, "b" as const);
const status = fc.constantFrom<SessionWord>(
  "STARTED",
  "RUNNING",
  "RUNNING",
  "PAUSED",
  "COMPLETED",
  "FAILED",
  "CANCELLED",
);
const jitter = fc.constantFrom(0, 0.25, 0.5);
const leaseMs = fc.constantFrom(100, 250, 1_000);
/** Which task of those that fit, or of all. */
const choice = { nth: fc.nat(20), fit: fc.constantFrom(true, true, true, false) };
/** How far from the right attempt. */
const off = fc.constantFrom(0, 0, 0, 0, -1, 1);
const slot = { agentId, taskId: fc.constantFrom("x", "y", "z"), number: fc.integer({ min: 1, max: 3 }) };

/** Any graph without cycles of up to seven tasks. */
function plans(exactTime: boolean): fc.Arbitrary<ModelPlan[]> {
  const delay = exactTime ? fc.constantFrom(0, 0, 0, 50, 300) : fc.constant(0);
  const task = fc.record({
    dependsOn: fc.uniqueArray(fc.nat(6), { maxLength: 3 }),
    timeoutMs: exactTime ? fc.constantFrom(150, 400, 60_000) : fc.constant(60_000),
    maxAttempts: fc.integer({ min: 1, max: 3 }),
    backoffMs: delay,
    maxBackoffMs: fc.constantFrom(70, 100_000),
    multiplier: fc.constantFrom(1, 1.5, 2),
    startDelayMs: delay,
  });
  return fc.array(task, { minLength: 1, maxLength: 7, size: "max" }).map((tasks) =>
    tasks.map((fields, index) => ({
      ...fields,
      id: `n${index}`,
      dependsOn: fields.dependsOn.filter((before) => before < index).map((before) => `n${before}`),
    })),
  );
}

/** One command. Without exact time nothing takes time, and no time passes. */
export function arbitraryCommand(exactTime: boolean) {
  const lease = fc.record({ kind: fc.constant("lease" as const), ...choice, off, agentId, leaseMs });
  const complete = fc.record({ kind: fc.constant("complete" as const), ...choice, off, result: fc.nat(2) });
  const start = fc.record({
    kind: fc.constant("start" as const),
    sessionId,
    plans: plans(exactTime),
    requestId: fc.constantFrom("", "r"),
  });
  const timeless = [
    start,
    start,
    lease,
    lease,
    lease,
    complete,
    complete,
    fc.record({
      kind: fc.constant("fail" as const),
      ...choice,
      off,
      permanent: fc.boolean(),
      jitter,
      error: fc.constantFrom("", "no luck"),
    }),
    fc.record({ kind: fc.constant("cancel" as const), ...choice, message: fc.constantFrom("", "not needed") }),
    fc.record({ kind: fc.constant("retry" as const), ...choice }),
    fc.record({ kind: fc.constant("renew" as const), ...choice, off, leaseMs }),
    fc.record({ kind: fc.constant("status" as const), sessionId, status, byHand: fc.constantFrom(false, false, true) }),
    fc.record({ kind: fc.constant("register" as const), agentId }),
    fc.record({
      kind: fc.constant("report" as const),
      agentId,
      state: fc.constantFrom("IDLE" as const, "ACTIVE" as const, "ERROR" as const),
    }),
    fc.record({ kind: fc.constant("reserve" as const), ...slot, stray: fc.constantFrom(0, 0, 0, -1, 1) }),
    fc.record({ kind: fc.constant("release" as const), ...slot }),
  ] as const;
  const timely = [
    fc.record({ kind: fc.constant("advance" as const), ms: fc.constantFrom(1, 49, 50, 99, 100, 150, 1_000) }),
    fc.record({ kind: fc.constant("expire" as const), jitter }),
  ] as const;
  return exactTime ? fc.oneof(...timeless, ...timely, ...timely) : fc.oneof(...timeless, ...timely.slice(0, 0));
}

type ValueOf<A> = A extends fc.Arbitrary<infer T> ? T : never;
export type TaskCommand = ValueOf<ReturnType<typeof arbitraryCommand>>;
