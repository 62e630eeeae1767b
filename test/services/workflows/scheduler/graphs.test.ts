/** Random graphs through scheduler and storage, with a clock that the test moves, against what a small model expects of them. */
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Scheduler } from "../../../../src/services/workflows/scheduler/scheduler.js";
import { createMemoryStorage } from "../../../../src/storage/memory/index.js";
import { SessionStatus, TaskStatus, type TaskPlan, type TaskRecord } from "../../../../src/storage/records.js";
import type { Storage } from "../../../../src/storage/storage.js";
import { systemClock } from "../../../../src/lib/clock.js";
import { isEnded } from "../../../../src/storage/state-machine.js";
import { aTask } from "../../../helpers/tasks.js";
import { aSession, NAMESPACE } from "../../../helpers/records.js";
import { checkLog, Fleet, type Deed, type FleetAgent } from "./fleet.js";

const SKILLS = ["plan", "write"] as const;
const LEASE_MS = 30_000;
const MAX_ATTEMPTS = 3;

const graphs = fc
  .array(
    fc.record({
      capability: fc.constantFrom(...SKILLS),
      bound: fc.integer({ min: 0, max: 9 }),
      dependsOn: fc.array(fc.nat(9), { maxLength: 3 }),
      priority: fc.integer({ min: -2, max: 2 }),
      startDelayMs: fc.constantFrom(0, 0, 0, 5_000),
      maxAttempts: fc.integer({ min: 1, max: MAX_ATTEMPTS }),
      deeds: fc.array(fc.constantFrom<Deed[]>("complete", "complete", "complete", "fail", "vanish"), {
        minLength: MAX_ATTEMPTS,
        maxLength: MAX_ATTEMPTS,
      }),
    }),
    { minLength: 1, maxLength: 10 },
  )
  .map((specs) => specs.map((spec, index) => ({ ...spec, dependsOn: earlier(spec.dependsOn, index) })));
type Graph = typeof graphs extends fc.Arbitrary<infer T> ? T : never;

const fleets = fc
  .array(fc.record({ capabilities: fc.subarray([...SKILLS]), maxConcurrentTasks: fc.integer({ min: 1, max: 3 }) }), {
    maxLength: 4,
  })
  .map((agents): FleetAgent[] =>
    // Somebody can do everything, so that nothing waits for ever.
    [...agents, { capabilities: [...SKILLS], maxConcurrentTasks: 1 }].map((agent, index) => ({
      ...agent,
      agentId: `agent-${index}`,
    })),
  );

describe("a scheduler and its storage", () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance", "Date"] }));
  afterEach(() => void vi.useRealTimers());

  it("run any graph to the end that its attempts lead to", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(graphs, { minLength: 1, maxLength: 3 }), fleets, async (all, agents) => {
        const storage: Storage = createMemoryStorage({ clock: systemClock });
        const sessions = new Map(all.map((graph, index) => [`s${index}`, graph]));
        const conduct = ({ sessionId, taskId, attempt }: TaskRecord): Deed =>
          sessions.get(sessionId)?.[Number(taskId)]?.deeds[attempt - 1] ?? "complete";
        const fleet = new Fleet(storage, agents, conduct);
        const failures: unknown[] = [];
        const scheduler = new Scheduler(storage, {
          clock: systemClock,
          deliver: () => undefined,
          recall: () => undefined,
          onFailure: (thrown) => failures.push(thrown),
        });
        await scheduler.start();
        await fleet.start();
        for (const [sessionId, graph] of sessions) {
          await storage.startSession(aSession(sessionId, "", { tasks: plansOf(graph, agents) }));
        }
        const allEnded = async (): Promise<boolean> => {
          for (const sessionId of sessions.keys()) {
            const session = await storage.getSession({ namespace: NAMESPACE, sessionId });
            if (session === undefined || !isEnded(session.status)) return false;
          }
          return true;
        };
        // Every wait there is, of leases, backoffs and delays, ends within one lease.
        const rounds = 10 * MAX_ATTEMPTS * 3 * 10;
        for (let round = 0; round < rounds && !(await allEnded()); round += 1) {
          await settled(storage.head.bind(storage));
          await vi.advanceTimersByTimeAsync(LEASE_MS / 10);
          await storage.expireTasks({ jitter: 0 });
        }
        await settled(storage.head.bind(storage));
        await fleet.stop();
        await scheduler.stop();
        expect(failures).toEqual([]);
        expect(checkLog(fleet.changes, agents)).toEqual([]);
        for (const [sessionId, graph] of sessions) {
          const { tasks, status } = expected(graph);
          const listed = await storage.listTasks({
            namespace: NAMESPACE,
            sessionId,
            agentId: "",
            statuses: [],
            limit: 100,
            cursor: undefined,
          });
          expect(listed.items.map((task) => task.status)).toEqual(tasks);
          expect((await storage.getSession({ namespace: NAMESPACE, sessionId }))?.status).toBe(status);
        }
        await storage.close();
      }),
      { numRuns: 150 },
    );
  });
});

/** Lets everything happen that needs no time: until a few turns of the event loop have brought no commit. */
async function settled(head: () => unknown): Promise<void> {
  let quiet = 0;
  for (let before = JSON.stringify(await head()); quiet < 5;) {
    await new Promise((resolve) => setImmediate(resolve));
    const now = JSON.stringify(await head());
    quiet = now === before ? quiet + 1 : 0;
    before = now;
  }
}

function plansOf(graph: Graph, agents: readonly FleetAgent[]): TaskPlan[] {
  return graph.map(({ capability, bound, dependsOn, priority, startDelayMs, maxAttempts }, index) => {
    const boundAgentId = agents[bound]?.agentId ?? "";
    return aTask(String(index), {
      capability: boundAgentId === "" ? capability : "",
      boundAgentId,
      dependsOn: dependsOn.map(String),
      priority,
      startDelayMs,
      timeoutMs: 10 * LEASE_MS,
      retry: { maxAttempts, initialBackoffMs: 1_000, maxBackoffMs: 5_000, multiplier: 2 },
    });
  });
}

/** What becomes of a graph, by nothing but its dependencies and what its attempts do. */
function expected(graph: Graph): { tasks: TaskStatus[]; status: SessionStatus } {
  const tasks: TaskStatus[] = [];
  for (const { dependsOn, deeds, maxAttempts } of graph) {
    const isReached = dependsOn.every((index) => tasks[index] === TaskStatus.COMPLETED);
    const isDone = deeds.slice(0, maxAttempts).includes("complete");
    tasks.push(!isReached ? TaskStatus.PENDING : isDone ? TaskStatus.COMPLETED : TaskStatus.FAILED);
  }
  const isWhole = tasks.every((status) => status === TaskStatus.COMPLETED);
  return { tasks, status: isWhole ? SessionStatus.COMPLETED : SessionStatus.FAILED };
}

function earlier(indexes: readonly number[], index: number): number[] {
  return index === 0 ? [] : [...new Set(indexes.map((each) => each % index))];
}
