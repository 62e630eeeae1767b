/** The memory storage and the Redis storage with one partition are the same storage: to the last field of every answer. */
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Awaitable } from "../../../src/lib/awaitable.js";
import { EVERYTHING } from "../../../src/lib/selector.js";
import {
  Liveness,
  SessionStatus,
  State,
  TaskDelivery,
  type AgentProfile,
  type AgentScope,
  type Change,
} from "../../../src/storage/records.js";
import { createMemoryStorage } from "../../../src/storage/memory/index.js";
import { createRedisStorage } from "../../../src/storage/redis/index.js";
import type { AgentKey, Position, Storage } from "../../../src/storage/storage.js";
import { attempt, type Outcome } from "../../contract/storage/harness.js";
import { FakeClock } from "../../helpers/fake-clock.js";
import { RedisProcess } from "../../helpers/redis-process.js";
import { freshPrefix } from "../../helpers/redis-storage.js";

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

interface Command {
  readonly name: string;
  readonly run: (on: Storage) => Awaitable<unknown>;
}

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

  it("is the memory storage to the last field", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 80, size: "max" }), async (steps) => {
        const clock = new FakeClock();
        const time = () => clock.now();
        const memory = createMemoryStorage({ clock, ...LIMITS });
        const { target } = redis;
        const other = await createRedisStorage({ target, prefix: freshPrefix(), partitions: 1, time, ...LIMITS });
        try {
          await new Twins(memory, other, clock).play(steps);
        } finally {
          await other.close();
        }
      }),
      { numRuns: RUNS },
    );
  });
});

class Twins {
  private positions: readonly [Position, Position] | undefined;

  constructor(
    private readonly memory: Storage,
    private readonly redis: Storage,
    private readonly clock: FakeClock,
  ) {}

  async play(steps: readonly (Command | number)[]): Promise<void> {
    this.positions = [await this.memory.head(), await this.redis.head()];
    for (const each of steps) {
      if (typeof each === "number") this.clock.advance(each);
      else await this.expectSame(each.name, each.run);
      await this.expectSameLog();
      await this.expectSameReads();
    }
  }

  private async expectSame(name: string, run: (on: Storage) => Awaitable<unknown>): Promise<void> {
    const expected = plain(await attempt(() => run(this.memory)));
    expect(plain(await attempt(() => run(this.redis))), name).toEqual(expected);
  }

  private async expectSameLog(): Promise<void> {
    if (this.positions === undefined) throw new Error("the log is read from where it began");
    const [fromMemory, fromRedis] = this.positions;
    const expected = await this.memory.readLog(fromMemory, 1_000);
    const found = await this.redis.readLog(fromRedis, 1_000);
    if (expected.lost !== undefined || found.lost !== undefined) throw new Error("a log was lost");
    expect(found.changes.map(bare)).toEqual(expected.changes.map(bare));
    expect(found.position.revisions).toEqual(expected.position.revisions);
    this.positions = [expected.position, found.position];
  }

  private async expectSameReads(): Promise<void> {
    for (const name of ["default", "other"]) {
      for (const id of ["a", "b", "c"]) {
        const key = { namespace: name, agentId: id };
        await this.expectSame("getAgent", (on) => on.getAgent(key));
        await this.expectSame("readHistory", (on) => on.readHistory({ ...key, afterRevision: 3, limit: 3 }));
      }
      const filter = { states: [State.IDLE, State.ACTIVE], liveness: [Liveness.ALIVE], capabilities: ["plan"] };
      const list = { namespace: name, selector: EVERYTHING, limit: 10, cursor: undefined };
      await this.expectSame("listAgents", (on) =>
        on.listAgents({ ...list, states: [], liveness: [], capabilities: [] }),
      );
      await this.expectSame("listAgents", (on) => on.listAgents({ ...list, ...filter }));
      const sessions = { namespace: name, agentId: "", workflowId: "", statuses: [], limit: 10, cursor: undefined };
      await this.expectSame("listSessions", (on) => on.listSessions(sessions));
      await this.expectSame("listSessions", (on) => on.listSessions({ ...sessions, agentId: "a" }));
    }
  }
}

/** A change whose scopes are nothing but scopes: some storages have the whole record at hand. */
function bare(change: Change): unknown {
  if (change.kind !== "agent") return change;
  return { ...change, scope: bareScope(change.scope), previousScope: bareScope(change.previousScope) };
}

function bareScope(scope: AgentScope | undefined): AgentScope | undefined {
  return scope && { labels: scope.labels, capabilities: scope.capabilities };
}

function plain(outcome: Outcome<unknown>): unknown {
  const { failure } = outcome;
  if (failure === undefined) return outcome;
  return { reason: failure.reason, message: failure.message, metadata: failure.metadata };
}
