/** Random commands on sessions with tasks, on slots and on workflows. */
import fc from "fast-check";
import { SessionStatus, State, TaskDelivery, TaskStatus, type TaskDefinition } from "../../../src/storage/records.js";
import type { AttemptKey, Storage, TaskKey } from "../../../src/storage/storage.js";
import { aRegistration, aReport, aSession, aSessionUpdate } from "../../helpers/records.js";
import type { Command } from "./twins.js";

export const NAMESPACES = ["default", "other"] as const;
export const SESSIONS = ["s", "t", "u"] as const;
const TASKS = ["__proto__", "x", "y.1", "z"] as const;
export const AGENTS = ["a", "b"] as const;
/** Longer than any run of commands takes. */
const LONG_MS = 1e9;

/** Most commands are about one session, so that it comes to something. */
const namespace = fc.constantFrom(...Array<"default">(9).fill("default"), "other");
const sessionId = fc.constantFrom("s", "s", "s", "s", "s", "t", "u");
const taskId = fc.constantFrom(...TASKS);
const agentId = fc.constantFrom(...AGENTS);
/** A task, and which other one to take instead if that has the status that the command wants. */
const target = fc.record({ namespace, sessionId, taskId, nth: fc.option(fc.nat(3), { nil: undefined, freq: 8 }) });
const key = fc.record({ namespace, sessionId, taskId });
const text = fc.oneof(fc.constantFrom("", 'quote " and \\ backslash'), fc.string({ unit: "grapheme", maxLength: 5 }));
const small = { b: [1, null, { c: "x" }], a: 0.5 };
const data = fc.constantFrom(undefined, {}, small, { ü: "ß😀", "\u2028": "\u0001" });
/** Two large ones are about as much as a dependant is handed. */
const result = fc.oneof(
  { weight: 4, arbitrary: data },
  { weight: 1, arbitrary: fc.integer({ min: 32_740, max: 32_766 }).map((length) => ({ a: "x".repeat(length) })) },
  { weight: 1, arbitrary: fc.constant({ a: "ü".repeat(16_374) }) },
);

/**
 * Only one task has a lease that runs out: what the order of two that run out at the same moment is, is not promised.
 */
function expires(task: TaskKey): boolean {
  return task.namespace === "default" && task.sessionId === "s" && task.taskId === "x";
}

const definition = fc.record({
  displayName: text,
  capability: fc.constantFrom("", "plan"),
  parameters: data,
  dependsOn: fc.subarray([...TASKS]),
  timeoutMs: fc.constantFrom(500, 1_501, LONG_MS),
  retry: fc.record({
    maxAttempts: fc.constantFrom(1, 2, 3),
    initialBackoffMs: fc.constantFrom(0, 1, 333, 500),
    maxBackoffMs: fc.constantFrom(0, 700, 1_000),
    multiplier: fc.constantFrom(1, 1.5, 1.1, 3),
  }),
  priority: fc.constantFrom(-1_000, 0, 7),
  startDelayMs: fc.constantFrom(0, 0, 0, 500),
});

/** Tasks in an order in which each depends on some of those before. */
const definitions = fc
  .tuple(fc.shuffledSubarray([...TASKS], { minLength: 2 }), fc.tuple(definition, definition, definition, definition))
  .map(([ids, all]): readonly TaskDefinition[] =>
    all.slice(0, ids.length).map((fields, index) => {
      const before = ids.slice(0, index);
      return { ...fields, taskId: ids[index] ?? "", dependsOn: fields.dependsOn.filter((id) => before.includes(id)) };
    }),
  );

/** A session with tasks. */
export const start = fc
  .record({
    namespace,
    sessionId,
    agentId: fc.constantFrom("", "", "", "", "a"),
    workflowId: fc.constantFrom("", "w"),
    metadata: data,
    definitions,
    boundAgentId: fc.constantFrom("", "a"),
    requestId: fc.constantFrom("", "", "r"),
  })
  .map(({ definitions: defined, boundAgentId, ...command }): Command => {
    const tasks = defined.map((task) => {
      const timeoutMs = expires({ ...command, taskId: task.taskId }) ? task.timeoutMs : LONG_MS;
      return { ...task, boundAgentId, timeoutMs };
    });
    return { name: "start", run: (on) => on.startSession(aSession(command.sessionId, "", { ...command, tasks })) };
  });

interface Target extends TaskKey {
  readonly nth: number | undefined;
}

/** Both storages find the same, unless they differ already. */
async function find(on: Storage, { nth, ...task }: Target, ...statuses: readonly TaskStatus[]): Promise<AttemptKey> {
  const { namespace: name, sessionId: id } = task;
  const query = { namespace: name, sessionId: id, agentId: "", statuses, limit: 10, cursor: undefined };
  const { items } = nth === undefined ? { items: [] } : await on.listTasks(query);
  const found = items.length === 0 || nth === undefined ? await on.getTask(task) : items[nth % items.length];
  return { ...task, taskId: found?.taskId ?? task.taskId, attempt: found?.attempt ?? 0 };
}

/** The attempt that is right, or another. */
const shift = fc.constantFrom(0, 0, 0, 0, 0, 0, 1, -1);
const shifted = (attempt: number, by: number) => Math.max(0, attempt + by);

const lease = fc
  .record({
    target,
    shift,
    agentId,
    agentIncarnation: fc.constantFrom(1, 2),
    agentRevision: fc.constantFrom(3, 2 ** 40),
    delivery: fc.constantFrom(...Object.values(TaskDelivery)),
    leaseMs: fc.constantFrom(400, 1_000),
  })
  .map(({ target: wanted, shift: by, leaseMs, ...command }): Command => ({
    name: "lease",
    run: async (on) => {
      const { attempt, ...task } = await find(on, wanted, TaskStatus.READY);
      const ms = expires(task) ? leaseMs : LONG_MS;
      return on.leaseTask({ ...task, ...command, attempt: shifted(attempt + 1, by), leaseMs: ms });
    },
  }));

const again = fc.record({ target, agentId }).map(({ target: wanted, agentId: id }): Command => ({
  name: "lease again",
  run: async (on) => {
    const task = await find(on, wanted, TaskStatus.LEASED);
    return on.leaseTask({
      ...task,
      agentId: id,
      agentIncarnation: 1,
      agentRevision: 1,
      delivery: TaskDelivery.AUTO,
      leaseMs: 1,
    });
  },
}));

const renew = fc.record({ target, shift }).map(({ target: wanted, shift: by }): Command => ({
  name: "renew",
  run: async (on) => {
    const { attempt, ...task } = await find(on, wanted, TaskStatus.LEASED);
    return on.renewTask({ ...task, attempt: shifted(attempt, by), leaseMs: expires(task) ? 600 : LONG_MS });
  },
}));

const complete = fc.record({ target, shift, result }).map(({ target: wanted, shift: by, result: what }): Command => ({
  name: "complete",
  run: async (on) => {
    const { attempt, ...task } = await find(on, wanted, TaskStatus.LEASED);
    return on.completeTask({ ...task, attempt: shifted(attempt, by), result: what });
  },
}));

const fail = fc
  .record({
    target,
    shift,
    reason: fc.constantFrom("Broken", ""),
    error: text,
    permanent: fc.boolean(),
    jitter: fc.constantFrom(0, 0.123456789, 0.5, 0.999),
  })
  .map(({ target: wanted, shift: by, ...failure }): Command => ({
    name: "fail",
    run: async (on) => {
      const { attempt, ...task } = await find(on, wanted, TaskStatus.LEASED);
      return on.failTask({ ...task, ...failure, attempt: shifted(attempt, by) });
    },
  }));

const cancel = fc
  .record({ key, message: text })
  .map(({ key: task, message }): Command => ({ name: "cancel", run: (on) => on.cancelTask({ ...task, message }) }));

const retry = target.map((wanted): Command => ({
  name: "retry",
  run: async (on) => on.retryTask(await find(on, wanted, TaskStatus.FAILED)),
}));

const expire = fc
  .constantFrom(0, 0.25)
  .map((jitter): Command => ({ name: "expire", run: (on) => on.expireTasks({ jitter }) }));

const updateSession = fc
  .record({
    namespace,
    sessionId,
    patch: fc.record(
      { status: fc.constantFrom(...Object.values(SessionStatus)), result, error: text },
      { requiredKeys: [] },
    ),
  })
  .map(({ patch, ...command }): Command => ({
    name: "updateSession",
    run: (on) => on.updateSession(aSessionUpdate(command.sessionId, patch, command)),
  }));

const sweep = fc.constant<Command>({ name: "sweep", run: (on) => on.expireLeases({ stalledMs: 0 }) });

const register = fc
  .record({ namespace, agentId, maxConcurrentTasks: fc.constantFrom(1, 2), keepState: fc.boolean() })
  .map(({ agentId: id, ...registration }): Command => ({
    name: "register",
    run: (on) => on.registerAgent(aRegistration(id, { ...registration, initialState: State.IDLE })),
  }));

const report = fc
  .record({ namespace, agentId, state: fc.constantFrom(State.IDLE, State.ACTIVE, State.ERROR) })
  .map(({ agentId: id, state, ...where }): Command => ({
    name: "report",
    run: (on) => on.setState(aReport(id, state, where)),
  }));

const deregister = fc.record({ namespace, agentId }).map((agent): Command => ({
  name: "deregister",
  run: (on) => on.deregisterAgent({ ...agent, incarnation: 0, actor: "tester" }),
}));

const slot = fc.record({ key, agentId, attempt: fc.constantFrom(1, 1, 2) });
const reserve = fc
  .record({ slot, incarnation: fc.constantFrom(1, 1, 1, 2) })
  .map(({ slot: wanted, incarnation }): Command => ({
    name: "reserve",
    run: async (on) => {
      const { key: task, ...rest } = wanted;
      const outcome = await on.reserveSlot({ ...task, ...rest, incarnation });
      return outcome.kind === "full" ? { ...outcome, slots: sorted(outcome.slots) } : outcome;
    },
  }));
const release = slot.map(({ key: task, ...rest }): Command => ({
  name: "release",
  run: (on) => on.releaseSlot({ ...task, ...rest }),
}));

const workflowId = fc.constantFrom("v", "w");
const expectedRevision = fc.constantFrom(0, 0, 0, 1, 2);
const putWorkflow = fc
  .record({
    namespace,
    workflowId,
    displayName: text,
    description: text,
    version: text,
    tasks: definitions,
    expectedRevision,
  })
  .map((command): Command => ({ name: "putWorkflow", run: (on) => on.putWorkflow(command) }));
const deleteWorkflow = fc
  .record({ namespace, workflowId, expectedRevision })
  .map((command): Command => ({ name: "deleteWorkflow", run: (on) => on.deleteWorkflow(command) }));

const pass = fc.constantFrom(1, 100, 333, 500, 600, 1_600, 6_000);

/** A command, or how much time passes in milliseconds. */
export const step = fc.oneof(
  { weight: 3, arbitrary: start },
  { weight: 12, arbitrary: lease },
  { weight: 1, arbitrary: again },
  { weight: 2, arbitrary: renew },
  { weight: 6, arbitrary: complete },
  { weight: 4, arbitrary: fail },
  { weight: 1, arbitrary: cancel },
  { weight: 2, arbitrary: retry },
  { weight: 2, arbitrary: expire },
  { weight: 1, arbitrary: updateSession },
  { weight: 1, arbitrary: sweep },
  { weight: 1, arbitrary: register },
  { weight: 1, arbitrary: report },
  { weight: 1, arbitrary: deregister },
  { weight: 2, arbitrary: reserve },
  { weight: 1, arbitrary: release },
  { weight: 1, arbitrary: putWorkflow },
  { weight: 1, arbitrary: deleteWorkflow },
  { weight: 3, arbitrary: pass },
);

/** Where the order is not promised. */
export function sorted<T>(items: readonly T[]): readonly T[] {
  return [...items].sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
}
