/** What callers and watchers of a server get while its Redis misbehaves, and afterwards. `docs/operations.md` promises it. */
import { Code, ConnectError, createClient, type Client } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { durationMs } from "@bufbuild/protobuf/wkt";
import { Redis } from "ioredis";
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { RetryInfoSchema } from "../../../gen/google/rpc/error_details_pb.js";
import { Health, HealthCheckResponse_ServingStatus as Status } from "../../../gen/health/v1/health_pb.js";
import { AgentService } from "../../../gen/opscore/v1/agent_service_pb.js";
import { State } from "../../../gen/opscore/v1/common_pb.js";
import { SessionService } from "../../../gen/opscore/v1/session_service_pb.js";
import { StateService, WaitOutcome } from "../../../gen/opscore/v1/state_service_pb.js";
import type { Config } from "../../../src/config/index.js";
import { openSession } from "../../helpers/raw-watch.js";
import { RedisProcess } from "../../helpers/redis-process.js";
import { RedisProxy } from "../../helpers/redis-proxy.js";
import { freshPrefix } from "../../helpers/redis-storage.js";
import { startServer } from "../../helpers/server.js";
import { CheckedWatch } from "../../helpers/state-watch.js";

/** What a call may take while Redis is away: a second, and something for a machine that is busy. */
const AT_ONCE_MS = 1_500;
/** What is not expected to be over sooner, because Redis takes it. */
const FROZEN_MS = 5_000;

let redis: RedisProcess;
let proxy: RedisProxy;
let admin: Redis;

beforeEach(async () => {
  redis = await RedisProcess.start({ settings: { appendonly: "yes", appendfsync: "always" } });
  proxy = await RedisProxy.start(redis.port);
  admin = new Redis(redis.url, { retryStrategy: () => 20, maxRetriesPerRequest: null });
  admin.on("error", () => undefined);
});

afterEach(async () => {
  redis.thaw();
  admin.disconnect();
  await proxy.close();
  await redis.remove();
});

/** A server, its callers, a watch of everything and a watch of its health. */
class Deployment {
  readonly agents: Client<typeof AgentService>;
  readonly states: Client<typeof StateService>;
  readonly sessions: Client<typeof SessionService>;
  readonly watch = new CheckedWatch();
  private readonly health: AsyncIterator<Status, undefined>;
  private commits = 0;

  private constructor(readonly url: string) {
    const transport = createGrpcTransport({ baseUrl: url });
    this.agents = createClient(AgentService, transport);
    this.states = createClient(StateService, transport);
    this.sessions = createClient(SessionService, transport);
    const leaving = new AbortController();
    onTestFinished(() => leaving.abort());
    const stream = createClient(Health, transport).watch({}, { signal: leaving.signal });
    this.health = (async function* () {
      for await (const { status } of stream) yield status;
      return undefined;
    })();
  }

  static async start(settings: Partial<Config> = {}): Promise<Deployment> {
    const { url } = await startServer({
      ...{ storageType: "redis", redisUrl: proxy.url, redisPrefix: freshPrefix(), logLevel: "warn" },
      ...settings,
    });
    const deployment = new Deployment(url);
    expect(await deployment.nextHealth()).toBe(Status.SERVING);
    await deployment.agents.registerAgent({ agentId: "a", initialState: State.IDLE });
    deployment.watch.open(openSession(url));
    await deployment.watch.synced();
    return deployment;
  }

  /** Commits a change of agent `a`. @returns what names it */
  async commit(): Promise<string> {
    this.commits += 1;
    const message = `commit ${this.commits}`;
    const { state } = await this.states.setState({ agentId: "a", state: this.nextState(), message });
    expect(state?.message).toBe(message);
    return message;
  }

  /** The watcher knows what was committed last. */
  async arrived(message: string): Promise<void> {
    await this.watch.until(({ states }) => states.get("a")?.message === message);
  }

  async nextHealth(): Promise<Status | undefined> {
    const next = await this.health.next();
    return next.done === true ? undefined : next.value;
  }

  async readiness(): Promise<{ readonly status: number; readonly trouble?: string }> {
    const response = await fetch(`${this.url}/readyz`);
    const { trouble } = (await response.json()) as { trouble?: string };
    return { status: response.status, ...(trouble !== undefined && { trouble }) };
  }

  async metric(name: string): Promise<string | undefined> {
    const text = await (await fetch(`${this.url}/metrics`)).text();
    return new RegExp(`^${name.replace(/[{}]/g, "\\$&")} (\\S+)$`, "m").exec(text)?.[1];
  }

  /** Calls of every kind; all must fail alike, in time. */
  async expectUnavailable(): Promise<void> {
    const began = performance.now();
    const key = { agentId: "a" };
    const calls = {
      register: this.agents.registerAgent(key),
      heartbeat: this.agents.heartbeat(key),
      getAgent: this.agents.getAgent(key),
      list: this.agents.listAgents({}),
      set: this.states.setState({ ...key, state: this.nextState(), message: "lost" }),
      get: this.states.getState(key),
      history: this.states.getStateHistory(key),
      start: this.sessions.startSession(key),
      sessions: this.sessions.listSessions({}),
    };
    const failures = await Promise.all(
      Object.entries(calls).map(async ([name, call]) => [name, await failureOf(call)] as const),
    );
    for (const [name, error] of failures) {
      expect(error.code, name).toBe(Code.Unavailable);
      const [info] = error.findDetails(RetryInfoSchema);
      expect(info?.retryDelay === undefined ? 0 : durationMs(info.retryDelay), name).toBeGreaterThan(0);
    }
    expect(performance.now() - began).toBeLessThan(AT_ONCE_MS);
  }

  private nextState(): State {
    return this.commits % 2 === 0 ? State.IDLE : State.ACTIVE;
  }
}

async function failureOf(call: Promise<unknown>): Promise<ConnectError> {
  const thrown: unknown = await call.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (!(thrown instanceof ConnectError)) throw new Error(`that was no failure of a call: ${String(thrown)}`);
  return thrown;
}

describe("while Redis is gone", () => {
  it("every call fails at once with a time to come back, watches and waits stay open, and all of it works again", async () => {
    const deployment = await Deployment.start();
    const { watch } = deployment;
    const wait = deployment.states.waitForState({ agentId: "later", states: [State.ERROR] });
    // The wait asks Redis three times before it has begun: for the agent, for where the log ends, and for the agent again. Each of
    // these questions is asked behind one of its own.
    for (let question = 0; question < 3; question += 1) {
      expect((await failureOf(deployment.states.getState({ agentId: "later" }))).code).toBe(Code.NotFound);
    }
    await deployment.arrived(await deployment.commit());

    await redis.kill();
    expect(await deployment.nextHealth()).toBe(Status.NOT_SERVING);
    expect(await deployment.readiness()).toEqual({ status: 503, trouble: "Redis cannot be reached" });
    await deployment.expectUnavailable();
    expect(watch.isOpen).toBe(true);
    expect(await deployment.metric("opscore_ready")).toBe("0");
    expect(await deployment.metric("opscore_redis_following")).toBe("0");

    await redis.start();
    expect(await deployment.nextHealth()).toBe(Status.SERVING);
    expect(await deployment.readiness()).toEqual({ status: 200 });
    await deployment.arrived(await deployment.commit());
    expect(watch.isOpen).toBe(true);
    expect(await deployment.metric("opscore_ready")).toBe("1");
    expect(await deployment.metric("opscore_redis_following")).toBe("1");
    await deployment.agents.registerAgent({ agentId: "later", initialState: State.ERROR });
    expect((await wait).outcome).toBe(WaitOutcome.REACHED);
  });

  it("watches that are opened, or were behind, begin when it is back", async () => {
    const deployment = await Deployment.start();
    await redis.kill();
    expect(await deployment.nextHealth()).toBe(Status.NOT_SERVING);
    const late = new CheckedWatch();
    late.open(openSession(deployment.url));
    const session = openSession(deployment.url);
    const resumed = new CheckedWatch();
    resumed.token = deployment.watch.token;
    resumed.open(session);
    await redis.start();
    const message = await commitWhenItWorks(deployment);
    for (const each of [late, resumed]) await each.until(({ states }) => states.get("a")?.message === message);
  });
});

/** Redis is back when it answers the first of these. */
async function commitWhenItWorks(deployment: Deployment): Promise<string> {
  for (;;) {
    const message = await deployment.commit().catch((error: unknown) => {
      if (error instanceof ConnectError && error.code === Code.Unavailable) return undefined;
      throw error;
    });
    if (message !== undefined) return message;
  }
}

describe("while Redis stands still", () => {
  it("calls fail in time, and watches go on without a gap when it moves again", { timeout: 60_000 }, async () => {
    const deployment = await Deployment.start();
    const before = await deployment.commit();
    await deployment.arrived(before);
    redis.freeze();
    const frozenAt = performance.now();
    await deployment.expectUnavailable();
    expect(await deployment.nextHealth()).toBe(Status.NOT_SERVING);
    expect((await deployment.readiness()).status).toBe(503);
    while (performance.now() - frozenAt < FROZEN_MS) await failureOf(deployment.commit());
    redis.thaw();
    expect(await deployment.nextHealth()).toBe(Status.SERVING);
    // What was given up was not done later: the next commit follows the last one that was answered.
    const after = await deployment.commit();
    await deployment.arrived(after);
    expect(deployment.watch.resyncs).toBe(0);
    expect(deployment.watch.events.map(({ state }) => state?.message)).toEqual([before, after]);
  });
});

describe("over a slow network", () => {
  it("everything takes longer and works", async () => {
    const deployment = await Deployment.start();
    proxy.slowDown(100);
    const began = performance.now();
    const messages: string[] = [];
    for (let i = 0; i < 5; i += 1) messages.push(await deployment.commit());
    expect(performance.now() - began).toBeGreaterThan(5 * 200);
    await deployment.arrived(messages.at(-1) ?? "");
    expect(deployment.watch.events.map(({ state }) => state?.message)).toEqual(messages);
    expect((await deployment.readiness()).status).toBe(200);
  });

  it("that takes longer than a call may, calls fail in time", async () => {
    const deployment = await Deployment.start({ redisCommandTimeoutMs: 200 });
    proxy.slowDown(400);
    await deployment.expectUnavailable();
    proxy.slowDown(0);
    const message = await commitWhenItWorks(deployment);
    await deployment.arrived(message);
  });

  it("that breaks again and again under load, nothing acknowledged is lost and watches have no gap", async () => {
    const deployment = await Deployment.start();
    const acknowledged: string[] = [];
    let cuts = 0;
    while (acknowledged.length < 300) {
      const commits = Array.from({ length: 10 }, () => deployment.commit());
      if (acknowledged.length > cuts * 30) {
        cuts += 1;
        proxy.cut();
      }
      for (const outcome of await Promise.allSettled(commits)) {
        if (outcome.status === "fulfilled") acknowledged.push(outcome.value);
      }
    }
    expect(cuts).toBeGreaterThan(5);
    await deployment.arrived(await commitWhenItWorks(deployment));
    const { watch } = deployment;
    expect(watch.resyncs).toBe(0);
    const seen = watch.events.map(({ state }) => state?.message ?? "");
    expect(seen).toEqual(expect.arrayContaining(acknowledged));
    expect(new Set(seen).size).toBe(seen.length);
  });
});

describe("while Redis has no memory left", () => {
  it("writes fail, reads and watches do not, and the server stays ready", async () => {
    const deployment = await Deployment.start();
    const before = await deployment.commit();
    await admin.config("SET", "maxmemory", "1");
    const failure = await failureOf(deployment.commit());
    expect(failure.code).toBe(Code.Unavailable);
    expect(failure.findDetails(RetryInfoSchema)).toHaveLength(1);
    expect((await deployment.states.getState({ agentId: "a" })).state?.message).toBe(before);
    expect((await deployment.readiness()).status).toBe(200);
    await admin.config("SET", "maxmemory", "0");
    await deployment.arrived(await deployment.commit());
    expect(deployment.watch.resyncs).toBe(0);
  });
});

describe("when Redis forgets", () => {
  it("everything, watches are told RESYNC and hold nothing any more; agents register anew", async () => {
    const deployment = await Deployment.start();
    await deployment.arrived(await deployment.commit());
    await admin.flushall();
    await deployment.watch.until(({ resyncs, states }) => resyncs === 1 && states.size === 0);
    expect((await failureOf(deployment.states.getState({ agentId: "a" }))).code).toBe(Code.NotFound);
    await deployment.agents.registerAgent({ agentId: "a", initialState: State.IDLE });
    await deployment.arrived(await deployment.commit());
    expect(Number(await deployment.metric('opscore_redis_log_losses_total{reason="epoch"}'))).toBeGreaterThan(0);
  });

  it("the scripts, nobody notices", async () => {
    const deployment = await Deployment.start();
    const messages: string[] = [];
    for (let i = 0; i < 20; i += 1) {
      if (i % 5 === 0) await admin.script("FLUSH");
      messages.push(await deployment.commit());
    }
    await deployment.arrived(messages.at(-1) ?? "");
    expect(deployment.watch.events.map(({ state }) => state?.message)).toEqual(messages);
  });
});
