/** Waits over real sockets against the real server: its rules, restarts, cut lines. */
import { Code } from "@connectrpc/connect";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { describe, expect, test, vi } from "vitest";
import { Liveness, State } from "../../gen/opscore/v1/common_pb.js";
import { StateEvent_Type, WaitOutcome, type WaitForStateResponse } from "../../gen/opscore/v1/state_service_pb.js";
import { createOpsCoreClient, errorReason, fieldViolations, lastKnownState } from "../../src/client/index.js";
import type { Storage } from "../../src/storage/storage.js";
import { startServer } from "../helpers/server.js";
import { rejection } from "./helpers/failures.js";
import { Proxy } from "./helpers/proxy.js";
import { RestartableServer } from "./helpers/restartable-server.js";

const LANES = [
  ["grpc", "2"],
  ["connect", "2"],
  ["connect", "1.1"],
  ["grpc-web", "2"],
  ["grpc-web", "1.1"],
] as const;

/** Resolves when a wait has reached the storage, from where on it misses nothing. The wait goes on as `end`. */
async function begun<T>(
  { storage }: { readonly storage: Storage },
  end: Promise<T>,
): Promise<{ readonly end: Promise<T> }> {
  const readHistory = storage.readHistory.bind(storage);
  await new Promise<void>((resolve) => {
    vi.spyOn(storage, "readHistory").mockImplementationOnce((query) => {
      resolve();
      return readHistory(query);
    });
  });
  return { end };
}

describe.each(LANES)("over %s, HTTP/%s", (transport, httpVersion) => {
  async function start() {
    const { url, server } = await startServer();
    const proxy = await Proxy.start(url);
    const client = createOpsCoreClient({ baseUrl: proxy.url, transport, httpVersion });
    const direct = createOpsCoreClient({ baseUrl: url });
    return { server, proxy, client, direct };
  }

  test("for an agent that does not exist yet", async () => {
    const { client, direct } = await start();
    const waiting = client.waitForState({ agentId: "a", states: [State.IDLE] });
    await direct.agents.registerAgent({ agentId: "a" });
    await direct.states.setState({ agentId: "a", state: State.IDLE });
    expect(await waiting).toMatchObject({ outcome: WaitOutcome.REACHED, state: { state: State.IDLE } });
    client.close();
    direct.close();
  });

  test("a state that was passed through while the line was cut is not missed", async () => {
    const { server, client, direct, proxy } = await start();
    await direct.agents.registerAgent({ agentId: "a", initialState: State.ACTIVE });
    const waiting = await begun(server, client.waitForState({ agentId: "a", states: [State.IDLE] }));
    proxy.sever();
    await direct.states.setState({ agentId: "a", state: State.IDLE, message: "for a moment" });
    await direct.states.setState({ agentId: "a", state: State.ACTIVE });
    proxy.mend();
    expect(await waiting.end).toMatchObject({ outcome: WaitOutcome.REACHED, state: { message: "for a moment" } });
    client.close();
    direct.close();
  });

  test("a wait that is aborted ends", async () => {
    const { server, client } = await start();
    const controller = new AbortController();
    const { signal } = controller;
    const waiting = await begun(
      server,
      rejection(client.waitForState({ agentId: "a", states: [State.IDLE] }, { signal })),
    );
    controller.abort();
    expect((await waiting.end).code).toBe(Code.Canceled);
    client.close();
  });
});

test("time that runs out says what was known last", async () => {
  const { url } = await startServer();
  await using client = createOpsCoreClient({ baseUrl: url });
  await client.agents.registerAgent({ agentId: "a", initialState: State.ACTIVE });
  const late = await rejection(client.waitForState({ agentId: "a", states: [State.IDLE] }, { timeoutMs: 1_500 }));
  expect(late.code).toBe(Code.DeadlineExceeded);
  expect(errorReason(late)).toBe("WAIT_TIMED_OUT");
  expect(lastKnownState(late)).toMatchObject({ state: State.ACTIVE });
});

describe("a server that comes back without its memory", () => {
  async function start() {
    const server = await RestartableServer.start();
    const client = createOpsCoreClient({ baseUrl: server.url });
    await client.agents.registerAgent({ agentId: "a", initialState: State.IDLE });
    // The log goes further than the new one will, so that its revisions are no use.
    for (let turn = 0; turn < 10; turn++) {
      await client.states.setState({ agentId: "a", state: turn % 2 === 0 ? State.ACTIVE : State.ERROR });
    }
    return { server, client };
  }

  test("what the agent did since is found, also what it does no more", async () => {
    const { server, client } = await start();
    const waiting = await begun(server, client.waitForState({ agentId: "a", states: [State.FINISHED] }));
    await server.restart();
    await using direct = createOpsCoreClient({ baseUrl: server.url });
    await direct.agents.registerAgent({ agentId: "a", initialState: State.INITIALIZING });
    await direct.states.setState({ agentId: "a", state: State.FINISHED, message: "at last" });
    await direct.agents.registerAgent({ agentId: "a" });
    expect(await waiting.end).toMatchObject({ outcome: WaitOutcome.REACHED, state: { message: "at last" } });
    client.close();
  });

  test("the agent may come back later still", async () => {
    const { server, client } = await start();
    const waiting = await begun(server, client.waitForState({ agentId: "a", states: [State.FINISHED] }));
    await server.restart();
    await using direct = createOpsCoreClient({ baseUrl: server.url });
    const registered = watchFor(direct, "a");
    await direct.agents.registerAgent({ agentId: "a" });
    await registered;
    await direct.states.setState({ agentId: "a", state: State.FINISHED });
    expect(await waiting.end).toMatchObject({ outcome: WaitOutcome.REACHED });
    client.close();
  });

  async function watchFor(client: ReturnType<typeof createOpsCoreClient>, agentId: string): Promise<void> {
    for await (const item of client.watchState({ agentIds: [agentId] })) {
      if (item.type === "snapshot" || (item.type === "event" && item.event.type === StateEvent_Type.REGISTERED)) return;
    }
  }
});

test("an earlier life of an agent that was removed does not count", async () => {
  const { url } = await startServer();
  await using client = createOpsCoreClient({ baseUrl: url });
  await client.agents.registerAgent({ agentId: "a", initialState: State.IDLE });
  await client.agents.deregisterAgent({ agentId: "a" });
  const condition = { agentId: "a", states: [State.IDLE] };
  expect(errorReason(await rejection(client.waitForState(condition, { timeoutMs: 30 })))).toBe("WAIT_TIMED_OUT");
  const waiting = client.waitForState(condition);
  await client.agents.registerAgent({ agentId: "a", initialState: State.IDLE, displayName: "again" });
  expect(await waiting).toMatchObject({ outcome: WaitOutcome.REACHED, state: { incarnation: 2n } });
});

test("what is not acceptable is refused by name", async () => {
  const { url } = await startServer();
  await using client = createOpsCoreClient({ baseUrl: url });
  const error = await rejection(client.waitForState({ agentId: "a", states: [] }));
  expect(fieldViolations(error).map(({ field }) => field)).toEqual(["states"]);
  expect(fieldViolations(await rejection(client.waitForState({ agentId: "a b", states: [State.IDLE] })))).toHaveLength(
    1,
  );
});

/** The client judges the state that it finds; it must judge it as the server would. */
describe("the rule for the current state is the server's", () => {
  const STATES = [State.UNKNOWN, State.IDLE, State.ERROR];
  const SETS = [[], [State.IDLE], [State.ERROR], [State.IDLE, State.ERROR]];

  test("for every state, every pair of conditions", async () => {
    const { url } = await startServer();
    await using client = createOpsCoreClient({ baseUrl: url });
    const timeoutMs = 3_000;
    for (const state of STATES) await client.agents.registerAgent({ agentId: `agent-${state}`, initialState: state });
    const conditions = STATES.flatMap((state) =>
      SETS.slice(1).flatMap((states) => SETS.map((failStates) => ({ agentId: `agent-${state}`, states, failStates }))),
    );
    const [ours, theirs] = await Promise.all([
      Promise.allSettled(conditions.map((condition) => client.waitForState(condition, { timeoutMs }))),
      Promise.allSettled(
        conditions.map((condition) => client.states.waitForState({ ...condition, timeout: durationFromMs(timeoutMs) })),
      ),
    ]);
    expect(ours.map(outcomeOf)).toEqual(theirs.map(outcomeOf));
  });

  test("for an agent that is lost", async () => {
    const { url } = await startServer({ leaseSweepIntervalMs: 10 });
    await using client = createOpsCoreClient({ baseUrl: url });
    await client.agents.registerAgent({ agentId: "a", leaseTtl: durationFromMs(100) });
    const condition = { agentId: "a", states: [State.IDLE], failOnLost: true };
    const became = await client.waitForState(condition);
    const was = await client.waitForState(condition);
    const theirs = await client.states.waitForState(condition);
    expect([became, was, theirs].map(({ outcome }) => outcome)).toEqual(Array(3).fill(WaitOutcome.LOST));
    expect(was.state?.liveness).toBe(Liveness.LOST);
  });

  function outcomeOf(answer: PromiseSettledResult<WaitForStateResponse>): unknown {
    return answer.status === "fulfilled" ? answer.value.outcome : errorReason(answer.reason);
  }
});
