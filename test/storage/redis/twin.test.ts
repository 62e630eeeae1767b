/** The memory storage and the Redis storage with one partition are the same storage: to the last field of every answer. */
import fc from "fast-check";
import { afterAll, beforeAll, describe, it } from "vitest";
import { EVERYTHING } from "../../../src/lib/selector.js";
import { Liveness, SessionStatus, State, TaskDelivery, type AgentProfile } from "../../../src/storage/records.js";
import type { AgentKey } from "../../../src/storage/storage.js";
import { RedisProcess } from "../../helpers/redis-process.js";
import { playOnTwins, type Command, type Twins } from "./twins.js";

const RUNS = 60;
const LIMITS = {
  historyLimit: 5,
  historyAgeMs: 5_000,
  maxHeldReportsPerAgent: 2,
  maxEndedSessions: 2,
  maxTombstones: 2,
};

const namespace = fc.constantFrom("default", "other");
const agentId = fc.constantFrom("a", "b", "c");
const sessionId = fc.constantFrom("s", "t", "u");
const requestId = fc.constantFrom("", "", "", "r1", "r2");
const actor = fc.constantFrom("tester", "someone else", 'quote " and \\ backslash');
const text = fc.oneof(
  fc.constantFrom("", "busy"),
  fc.string({ maxLength: 5 }),
  fc.string({ unit: "grapheme", maxLength: 5 }),
);
const data = fc.oneof(
  fc.constant(undefined),
  fc.constant({}),
  fc.constant({ b: [1, null, { c: "x" }], a: 0.5 }),
  fc.constant({ a: 0.5, b: [1, null, { c: "x" }] }),
);
const small = fc.integer({ min: 0, max: 6 });
const state = fc.constantFrom(...Object.values(State));

const profileFields = {
  displayName: text,
  version: fc.constantFrom("", "1", "2"),
  capabilities: fc.constantFrom([], ["plan"], ["plan", "write"]),
  contactEndpoint: fc.constantFrom("", "https://a.example"),
  labels: fc.constantFrom({}, { env: "prod" }, { env: "dev", tier: "" }, { tier: "", env: "dev" }),
  metadata: data,
  maxConcurrentTasks: fc.constantFrom(1, 5),
  taskDelivery: fc.constantFrom(...Object.values(TaskDelivery)),
};

/** Only one agent has a lease: what the order of two that run out at the same moment is, is not promised. */
const leaseOf = (key: AgentKey, leaseTtlMs: number): number =>
  key.namespace === "default" && key.agentId === "a" ? leaseTtlMs : 0;
const lease = fc.constantFrom(0, 1_000, 1_501);

const register = fc
  .record({
    namespace,
    agentId,
    profile: fc.record(profileFields),
    lease,
    initialState: state,
    keepState: fc.boolean(),
    requestId,
    actor,
  })
  .map(({ profile, lease: ttl, ...command }): Command => {
    const leaseTtlMs = leaseOf(command, ttl);
    return { name: "register", run: (on) => on.registerAgent({ ...command, profile: { ...profile, leaseTtlMs } }) };
  });

const update = fc
  .record({
    namespace,
    agentId,
    patch: fc.record(profileFields, { requiredKeys: [] }),
    lease: fc.option(lease, { nil: undefined }),
    expectedRevision: small,
    requestId,
    actor,
  })
  .map(({ patch, lease: ttl, ...command }): Command => {
    const whole: Partial<AgentProfile> = ttl === undefined ? patch : { ...patch, leaseTtlMs: leaseOf(command, ttl) };
    return { name: "update", run: (on) => on.updateAgent({ ...command, patch: whole }) };
  });

const report = fc
  .record({
    namespace,
    agentId,
    state,
    reason: fc.constantFrom("", "Working"),
    message: text,
    details: data,
    sessionId: fc.constantFrom("", "s"),
    taskId: fc.constantFrom("", "t"),
    incarnation: fc.constantFrom(0, 0, 0, 1, 2),
    sequence: fc.constantFrom(0, 0, 1, 2, 3, 4),
    reportTime: fc.constantFrom(undefined, -1.5, 1_234.5, 1_234.25, 9e12),
    discardIfOlder: fc.boolean(),
    expectedStates: fc.oneof(fc.constant([]), fc.uniqueArray(state, { maxLength: 3 })),
    expectedRevision: fc.constantFrom(0, 0, 0, 1, 2, 3),
    requestId,
    actor,
  })
  .map((command): Command => ({ name: "report", run: (on) => on.setState({ ...command, holdMs: 0 }) }));

const deregister = fc
  .record({ namespace, agentId, incarnation: fc.constantFrom(0, 0, 1, 2), actor })
  .map((command): Command => ({ name: "deregister", run: (on) => on.deregisterAgent(command) }));

const renew = fc
  .record({ namespace, agentId, incarnation: fc.constantFrom(0, 1, 2) })
  .map((command): Command => ({ name: "renew", run: (on) => on.renewLease(command) }));

const startSession = fc
  .record({ namespace, sessionId, agentId, workflowId: fc.constantFrom("", "w"), metadata: data, requestId, actor })
  .map((command): Command => ({ name: "startSession", run: (on) => on.startSession({ ...command, tasks: [] }) }));

const updateSession = fc
  .record({
    namespace,
    sessionId,
    patch: fc.record(
      { status: fc.constantFrom(...Object.values(SessionStatus)), metadata: data, result: data, error: text },
      { requiredKeys: [] },
    ),
    expectedRevision: fc.constantFrom(0, 0, 0, 1, 5),
    requestId,
    actor,
  })
  .map((command): Command => ({ name: "updateSession", run: (on) => on.updateSession(command) }));

const sweep = fc.constant<Command>({ name: "sweep", run: (on) => on.expireLeases({ stalledMs: 0 }) });
const confirm = namespace.map((name): Command => ({ name: "confirm", run: (on) => on.confirmExpiry(name) }));

/** Time passes for both. */
const pass = fc.constantFrom(1, 249, 500, 501, 1_000, 1_600, 6_000);

const step = fc.oneof(
  register,
  update,
  report,
  report,
  report,
  deregister,
  renew,
  startSession,
  updateSession,
  sweep,
  sweep,
  confirm,
  pass,
  pass,
);

describe("Redis with one partition", () => {
  let redis: RedisProcess;

  beforeAll(async () => {
    redis = await RedisProcess.start();
  });
  afterAll(() => redis.remove());

  it("is the memory storage to the last field", { timeout: 120_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 80, size: "max" }), (steps) =>
        playOnTwins(redis.target, LIMITS, steps, readAgentsAndSessions),
      ),
      { numRuns: RUNS },
    );
  });
});

async function readAgentsAndSessions(twins: Twins): Promise<void> {
  for (const name of ["default", "other"]) {
    for (const id of ["a", "b", "c"]) {
      const key = { namespace: name, agentId: id };
      await twins.expectSame("getAgent", (on) => on.getAgent(key));
      await twins.expectSame("readHistory", (on) => on.readHistory({ ...key, afterRevision: 3, limit: 3 }));
    }
    const filter = { states: [State.IDLE, State.ACTIVE], liveness: [Liveness.ALIVE], capabilities: ["plan"] };
    const list = { namespace: name, selector: EVERYTHING, limit: 10, cursor: undefined };
    await twins.expectSame("listAgents", (on) =>
      on.listAgents({ ...list, states: [], liveness: [], capabilities: [] }),
    );
    await twins.expectSame("listAgents", (on) => on.listAgents({ ...list, ...filter }));
    const sessions = { namespace: name, agentId: "", workflowId: "", statuses: [], limit: 10, cursor: undefined };
    await twins.expectSame("listSessions", (on) => on.listSessions(sessions));
    await twins.expectSame("listSessions", (on) => on.listSessions({ ...sessions, agentId: "a" }));
  }
}
