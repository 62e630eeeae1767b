import { Redis } from "ioredis";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { State } from "../../../src/storage/records.js";
import { createRedisStorage, type RedisStorage } from "../../../src/storage/redis/index.js";
import type { Storage } from "../../../src/storage/storage.js";
import type { Awaitable } from "../../../src/lib/awaitable.js";
import { attempt, failureOf, reasonOf, times } from "../../contract/storage/harness.js";
import { Follower } from "../../contract/storage/journal.js";
import {
  ACTOR,
  anAgentQuery,
  aRegistration,
  aReport,
  aSession,
  aSessionQuery,
  aSessionUpdate,
  NAMESPACE,
} from "../../helpers/records.js";
import { RedisProcess } from "../../helpers/redis-process.js";
import { freshPrefix, StorageEvents } from "../../helpers/redis-storage.js";

const KEY = { namespace: NAMESPACE, agentId: "a" };
/** What a command may take while Redis is away. */
const AT_ONCE_MS = 1_000;

const COMMANDS: readonly (readonly [string, (on: Storage) => Awaitable<unknown>])[] = [
  ["registerAgent", (on) => on.registerAgent(aRegistration("a"))],
  ["deregisterAgent", (on) => on.deregisterAgent({ ...KEY, incarnation: 0, actor: ACTOR })],
  ["updateAgent", (on) => on.updateAgent({ ...KEY, patch: {}, expectedRevision: 0, requestId: "", actor: ACTOR })],
  ["getAgent", (on) => on.getAgent(KEY)],
  ["listAgents", (on) => on.listAgents(anAgentQuery())],
  ["renewLease", (on) => on.renewLease({ ...KEY, incarnation: 0 })],
  ["setState", (on) => on.setState(aReport("a", State.ACTIVE))],
  ["setState that may be held", (on) => on.setState(aReport("nobody", State.ACTIVE, { holdMs: 60_000 }))],
  ["getState", (on) => on.getState(KEY)],
  ["readHistory", (on) => on.readHistory({ ...KEY, afterRevision: 0, limit: 10 })],
  ["expireLeases", (on) => on.expireLeases({ stalledMs: 0 })],
  ["confirmExpiry", (on) => on.confirmExpiry(NAMESPACE)],
  ["startSession", (on) => on.startSession(aSession("s", "a"))],
  ["updateSession", (on) => on.updateSession(aSessionUpdate("s", { error: "x" }))],
  ["getSession", (on) => on.getSession({ namespace: NAMESPACE, sessionId: "s" })],
  ["listSessions", (on) => on.listSessions(aSessionQuery())],
  ["head", (on) => on.head()],
  ["tail", (on) => on.tail(new Follower())],
  ["snapshotAgents", (on) => on.snapshotAgents({ namespace: NAMESPACE, ids: undefined })],
];

describe("while Redis cannot serve", () => {
  let redis: RedisProcess;
  let client: Redis;
  let storage: RedisStorage;
  let events: StorageEvents;

  beforeEach(async () => {
    redis = await RedisProcess.start({ settings: { appendonly: "yes", appendfsync: "always" } });
    client = new Redis(redis.url, { retryStrategy: () => 20, maxRetriesPerRequest: null });
    client.on("error", () => undefined);
    events = new StorageEvents();
    storage = await createRedisStorage({ target: redis.target, prefix: freshPrefix(), onEvent: events.listener });
    await storage.registerAgent(aRegistration("a", { initialState: State.IDLE }));
    await events.next("following");
  });

  afterEach(async () => {
    redis.thaw();
    client.disconnect();
    await storage.close();
    await redis.remove();
  });

  /** Sends every command at the same time; all must fail alike, in time. */
  const expectAllUnavailable = async (): Promise<void> => {
    const began = performance.now();
    const outcomes = await Promise.all(
      COMMANDS.map(async ([name, send]) => [name, (await attempt(() => send(storage))).failure] as const),
    );
    expect(performance.now() - began).toBeLessThan(AT_ONCE_MS);
    for (const [name, failure] of outcomes) expect(failure, name).toMatchObject({ reason: "STORAGE_UNAVAILABLE" });
    for (const [name, failure] of outcomes) expect(failure?.retryAfterMs, name).toBeGreaterThan(0);
  };

  it("commands fail at once when it is gone, and work again when it is back", async () => {
    await redis.kill();
    await events.next("disconnected");
    await expectAllUnavailable();
    expect(storage.ready()).toBe(false);
    await redis.start();
    await events.ready(storage);
    expect((await storage.setState(aReport("a", State.ACTIVE))).changed).toBe(true);
  });

  it("commands fail in time when it stands still, and what was given up is not done later", async () => {
    const head = await storage.head();
    redis.freeze();
    await expectAllUnavailable();
    events.clear();
    redis.thaw();
    await events.next("connected");
    expect(await storage.head()).toEqual(head);
    expect((await storage.getState(KEY))?.state).toBe(State.IDLE);
  });

  it("commands fail when it is out of memory, reads do not, and nothing is done by halves", async () => {
    const before = await storage.getAgent(KEY);
    const head = await storage.head();
    await client.config("SET", "maxmemory", "1");
    const writes = COMMANDS.filter(([name]) => /register|^setState|startSession/.test(name));
    for (const [name, send] of writes) {
      if (name === "deregisterAgent") continue;
      expect((await failureOf(() => send(storage))).reason, name).toBe("STORAGE_UNAVAILABLE");
    }
    expect(await storage.getAgent(KEY)).toEqual(before);
    expect(await storage.head()).toEqual(head);
    await client.config("SET", "maxmemory", "0");
    expect((await storage.setState(aReport("a", State.ACTIVE))).state.revision).toBe(2);
  });

  it("commands fail when it may not write, and go on when it may", async () => {
    await client.replicaof("127.0.0.1", 1);
    expect(await reasonOf(() => storage.setState(aReport("a", State.ACTIVE)))).toBe("STORAGE_UNAVAILABLE");
    await client.replicaof("NO", "ONE");
    await events.next("log-lost");
    expect((await storage.setState(aReport("a", State.ACTIVE))).changed).toBe(true);
  });

  it("reports keep their order when it has forgotten the scripts", async () => {
    const states = [State.ACTIVE, State.IDLE];
    const outcomes: Promise<unknown>[] = [];
    for (const round of times(40, (each) => each)) {
      for (const index of times(25, (each) => each)) {
        const report = aReport("a", states[index % 2] ?? State.IDLE, { sequence: round * 25 + index + 1 });
        outcomes.push(reasonOf(() => storage.setState(report)));
      }
      if (round % 5 === 0) void client.script("FLUSH");
      // Several calls are on their way when the scripts are gone.
      await new Promise((resolve) => setImmediate(resolve));
    }
    // Out of order, one would be refused with STALE_SEQUENCE.
    expect(new Set(await Promise.all(outcomes))).toEqual(new Set([undefined]));
  });

  it("a held report outlives it: the outcome is there when it is back", async () => {
    const outcome = attempt(() => storage.setState(aReport("late", State.IDLE, { holdMs: 20_000 })));
    // Goes out behind the report.
    await storage.renewLease({ ...KEY, incarnation: 0 });
    await redis.kill();
    await redis.start();
    await events.ready(storage);
    await storage.registerAgent(aRegistration("late"));
    expect(await outcome).toMatchObject({ value: { changed: true, state: { state: State.IDLE } } });
  });

  it("a storage may be closed", async () => {
    redis.freeze();
    const began = performance.now();
    await storage.close();
    expect(performance.now() - began).toBeLessThan(AT_ONCE_MS);
    expect(await reasonOf(() => storage.getState(KEY))).toBe("SERVER_STOPPING");
  });
});
