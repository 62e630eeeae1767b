/** Two servers on one Redis, each a process of its own: what is true of one must be true of both. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { State } from "../../gen/opscore/v1/common_pb.js";
import { StateEvent_Type, WaitOutcome } from "../../gen/opscore/v1/state_service_pb.js";
import { openSession } from "../helpers/raw-watch.js";
import { RedisProcess } from "../helpers/redis-process.js";
import { freshPrefix } from "../helpers/redis-storage.js";
import { ServerProcess } from "../helpers/server-process.js";
import { CheckedWatch } from "../helpers/state-watch.js";
import { clientsOf, historyOf, Load, registerAgents } from "./load.js";

const AGENTS = 20;

let redis: RedisProcess;

beforeAll(async () => {
  redis = await RedisProcess.start();
});

afterAll(() => redis.remove());

async function startTwo(more: Readonly<Record<string, string>> = {}): Promise<readonly [ServerProcess, ServerProcess]> {
  const settings = {
    ...{ OPSCORE_STORAGE_TYPE: "redis", REDIS_URL: redis.url, OPSCORE_REDIS_PREFIX: freshPrefix() },
    ...more,
  };
  return Promise.all([ServerProcess.start(settings), ServerProcess.start(settings)]);
}

describe("what is committed on one replica", () => {
  it("10,000 times is seen on the other in order, without a gap, and once", { timeout: 120_000 }, async () => {
    const [one, other] = await startTwo();
    const here = clientsOf(one.url);
    const ids = await registerAgents(here, AGENTS);
    const watch = new CheckedWatch();
    watch.open(openSession(other.url));
    await watch.synced();
    const load = new Load(ids, () => here.states);
    for (let sent = 0; sent < 10_000; sent += 500) {
      for (let i = 0; i < 500; i += 1) load.commit();
      await load.reached(sent + 500);
    }
    await load.stop();
    expect(load.refused).toBe(0);
    await watch.until(({ events }) => events.length >= 10_000);
    expect(watch.events).toHaveLength(10_000);
    expect(watch.resyncs).toBe(0);
    // CheckedWatch has held each event against the one before; what is left is that they are the right ones.
    const seen = watch.events.map(({ state }) => state?.message);
    expect(new Set(seen).size).toBe(10_000);
    expect(new Set(seen)).toEqual(new Set(load.acknowledged.keys()));
    for (const agentId of ids) {
      const own = watch.events.filter(({ state }) => state?.agentId === agentId).map(({ state }) => state?.revision);
      expect(own).toEqual([...own].sort((a, b) => Number((a ?? 0n) - (b ?? 0n))));
      expect((await historyOf(clientsOf(other.url), agentId)).slice(1).map(({ revision }) => revision)).toEqual(own);
    }
  });

  it("ends waits, releases held reports, fences and resumes watches on the other", async () => {
    const [one, other] = await startTwo();
    const [here, there] = [clientsOf(one.url), clientsOf(other.url)];
    const wait = there.states.waitForState({ agentId: "a", states: [State.ACTIVE] });
    const held = there.states.setState({ agentId: "a", state: State.IDLE });
    const watch = new CheckedWatch();
    watch.open(openSession(other.url));
    await watch.synced();

    await here.agents.registerAgent({ agentId: "a" });
    expect((await held).state?.state).toBe(State.IDLE);
    await here.states.setState({ agentId: "a", state: State.ACTIVE });
    expect((await wait).outcome).toBe(WaitOutcome.REACHED);
    expect((await there.agents.getAgent({ agentId: "a" })).agent?.state?.state).toBe(State.ACTIVE);

    await watch.until(({ events }) => events.length === 3);
    watch.close();
    // The same token, on the replica that did not give it.
    await there.agents.registerAgent({ agentId: "a" });
    const stale = here.states.setState({ agentId: "a", state: State.ERROR, incarnation: 1n });
    await expect(stale).rejects.toThrow(/incarnation/);
    await here.states.setState({ agentId: "a", state: State.IDLE, message: "last" });
    watch.open(openSession(one.url));
    await watch.until(({ states }) => states.get("a")?.message === "last");
    expect(watch.resyncs).toBe(0);
    expect(watch.events.map(({ type }) => type)).toEqual([
      ...[StateEvent_Type.REGISTERED, StateEvent_Type.TRANSITION, StateEvent_Type.TRANSITION],
      ...[StateEvent_Type.REGISTERED, StateEvent_Type.TRANSITION],
    ]);
  });

  it("agents whose leases run out are SUSPECT once and LOST once, whoever sweeps", { timeout: 60_000 }, async () => {
    const [one, other] = await startTwo({ OPSCORE_LEASE_SWEEP_INTERVAL: "20ms" });
    const [here, there] = [clientsOf(one.url), clientsOf(other.url)];
    const watches = [one, other].map(({ url }) => {
      const watch = new CheckedWatch();
      watch.open(openSession(url));
      return watch;
    });
    await Promise.all(watches.map((watch) => watch.synced()));
    // Enough agents stay alive for the brake to stay off.
    const short = Array.from({ length: 100 }, (_, i) => `short-${i}`);
    const long = Array.from({ length: 150 }, (_, i) => `long-${i}`);
    await Promise.all(long.map((agentId) => here.agents.registerAgent({ agentId, leaseTtl: { seconds: 3600n } })));
    await Promise.all(
      short.map((agentId, i) =>
        (i % 2 === 0 ? here : there).agents.registerAgent({ agentId, leaseTtl: { seconds: 1n } }),
      ),
    );
    for (const watch of watches) {
      const liveness = () => watch.events.filter(({ type }) => type === StateEvent_Type.LIVENESS);
      await watch.until(() => liveness().length >= 200);
      const told = liveness().map(({ state }) => `${state?.agentId} ${state?.liveness}`);
      expect(told).toHaveLength(200);
      expect(new Set(told).size).toBe(200);
      expect(new Set(liveness().map(({ state }) => state?.agentId))).toEqual(new Set(short));
    }
    // The log is the judge: what both watched is in it once.
    for (const agentId of short) expect(await historyOf(there, agentId)).toHaveLength(3);
  });
});

describe("a replica that is killed under 1,000 commits a second with 100 watchers", () => {
  const WATCHERS = 100;
  const CONNECTIONS = 10;

  it("loses nothing that was acknowledged, and its watchers go on on the other", { timeout: 120_000 }, async () => {
    const [one, other] = await startTwo({ OPSCORE_HISTORY_MAX_ENTRIES: "10000" });
    const ids = await registerAgents(clientsOf(one.url), AGENTS);
    let resumed = 0;
    const spares = Array.from({ length: CONNECTIONS }, () => openSession(other.url));
    const watches = Array.from({ length: CONNECTIONS }, () => openSession(one.url)).flatMap((session, i) =>
      Array.from({ length: WATCHERS / CONNECTIONS }, () => {
        const watch = new CheckedWatch((ended) => {
          const spare = spares[i];
          if (resumed === WATCHERS || spare === undefined) return;
          resumed += 1;
          ended.open(spare);
        });
        watch.open(session);
        return watch;
      }),
    );
    await Promise.all(watches.map((watch) => watch.synced()));

    let clients = clientsOf(one.url);
    const load = new Load(ids, () => clients.states);
    load.start(1000);
    await load.reached(1500);
    expect(resumed).toBe(0);
    const killed = one.kill();
    clients = clientsOf(other.url);
    await killed;
    await load.reached(3000);
    await load.stop();

    const survivors = clientsOf(other.url);
    const histories = await Promise.all(ids.map((agentId) => historyOf(survivors, agentId)));
    const committed = histories.flatMap((history) => history.filter(({ message }) => message.startsWith("change")));
    const inLog = new Map(committed.map((state) => [state.message, state]));
    expect(inLog.size).toBe(committed.length);
    for (const [message, { revision }] of load.acknowledged) expect(inLog.get(message)?.revision).toBe(revision);

    const expected = new Map(
      histories.map((history) => [history[0]?.agentId, history.slice(1).map(({ revision }) => revision)]),
    );
    for (const watch of watches) {
      await watch.until(({ events }) => events.length >= committed.length);
      expect(watch.resyncs).toBe(0);
      for (const [agentId, revisions] of expected) {
        const own = watch.events.filter(({ state }) => state?.agentId === agentId);
        expect(own.map(({ state }) => state?.revision)).toEqual(revisions);
      }
    }
    expect(resumed).toBe(WATCHERS);
  });
});
