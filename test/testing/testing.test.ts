import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import { State } from "../../gen/opscore/v1/common_pb.js";
import type { OpsCoreClient } from "../../src/client/index.js";
import { expectTransition, startTestServer, TransitionError, type Transition } from "../../src/testing/index.js";
import { freePort } from "../helpers/processes.js";

async function register(client: OpsCoreClient, initialState: State, agentId = "a"): Promise<void> {
  await client.agents.registerAgent({ agentId, initialState });
}

async function report(client: OpsCoreClient, ...states: readonly State[]): Promise<void> {
  for (const state of states) await client.states.setState({ agentId: "a", state });
}

/** How an expectation failed. */
async function failed(transition: Transition): Promise<TransitionError> {
  const error: unknown = await transition.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof TransitionError))
    throw new Error("the expectation did not fail as it should", { cause: error });
  return error;
}

test("what is done once the agent is watched is seen, however fast", async () => {
  await using server = await startTestServer();
  const { client } = server;
  await register(client, State.IDLE);
  const transition = expectTransition(client, "a", [State.ACTIVE, State.IDLE]);
  await transition.watching;
  await report(client, State.ACTIVE, State.IDLE, State.ERROR);
  expect((await transition).map(({ state }) => state)).toEqual([State.ACTIVE, State.IDLE]);
});

test("the agent need not exist, and may be in other states between", async () => {
  await using server = await startTestServer();
  const { client } = server;
  const transition = expectTransition(client, "a", [State.IDLE, State.ACTIVE, State.FINISHED]);
  await transition.watching;
  await register(client, State.UNKNOWN);
  await report(client, State.INITIALIZING, State.IDLE, State.ACTIVE, State.ERROR, State.FINISHED);
  expect((await transition).map(({ state }) => state)).toEqual([State.IDLE, State.ACTIVE, State.FINISHED]);
});

test("the state in which the agent is found counts", async () => {
  await using server = await startTestServer();
  await register(server.client, State.IDLE);
  expect(await expectTransition(server.client, "a", [State.IDLE])).toMatchObject([{ agentId: "a", state: State.IDLE }]);
});

test("a failure says what was seen, and what was not", async () => {
  await using server = await startTestServer();
  const { client } = server;
  await register(client, State.IDLE);
  const transition = expectTransition(client, "a", [State.IDLE, State.ACTIVE, State.FINISHED], { timeoutMs: 1_500 });
  await transition.watching;
  await client.states.setState({ agentId: "a", state: State.ACTIVE, message: "drafting" });
  await client.states.setState({ agentId: "a", state: State.ERROR });
  const error = await failed(transition);
  expect(error.message).toBe(
    [
      "agent a did not pass through IDLE → ACTIVE → FINISHED within 1500 ms",
      '  seen: IDLE (when the watch began), ACTIVE ("drafting"), ERROR',
      "  still missing: FINISHED",
    ].join("\n"),
  );
  expect(error.seen.map(({ state }) => state)).toEqual([State.IDLE, State.ACTIVE, State.ERROR]);
  expect(error.missing).toEqual([State.FINISHED]);
});

test("an agent that never registers", async () => {
  await using server = await startTestServer();
  const error = await failed(expectTransition(server.client, "a", [State.IDLE], { timeoutMs: 100 }));
  expect(error.message).toContain("seen: nothing, the agent is not registered");
});

test("an expectation may have all the time in the world", async () => {
  await using server = await startTestServer();
  const { client } = server;
  for (const timeoutMs of [2 ** 31, Infinity]) {
    const transition = expectTransition(client, "a", [State.IDLE], { timeoutMs });
    await transition.watching;
    await register(client, State.IDLE);
    expect(await transition).toHaveLength(1);
    await client.agents.deregisterAgent({ agentId: "a" });
  }
});

test("an agent that is removed is not waited for", async () => {
  await using server = await startTestServer();
  const { client } = server;
  await register(client, State.IDLE);
  const transition = expectTransition(client, "a", [State.ACTIVE]);
  await transition.watching;
  await client.agents.deregisterAgent({ agentId: "a" });
  expect((await failed(transition)).message).toContain("ACTIVE before it was removed");
});

test("what is not a transition is none", async () => {
  await using server = await startTestServer();
  const { client } = server;
  await register(client, State.IDLE);
  const transition = expectTransition(client, "a", [State.IDLE, State.IDLE], { timeoutMs: 1_500 });
  await transition.watching;
  await client.states.setState({ agentId: "a", state: State.IDLE, message: "still" });
  expect((await failed(transition)).seen).toHaveLength(1);
});

test("a watch that fails is the reason", async () => {
  await using server = await startTestServer({ settings: { apiKey: "sesame" }, client: { apiKey: "wrong" } });
  const transition = expectTransition(server.client, "a", [State.IDLE]);
  await expect(transition.watching).rejects.toThrow(TransitionError);
  expect((await failed(transition)).message).toContain("before the watch failed");
  expect((await failed(transition)).cause).toMatchObject({ rawMessage: expect.any(String) as string });
});

test("a test server is its own, knows its key, and is gone when it is closed", async () => {
  const one = await startTestServer({ settings: { apiKey: "sesame" } });
  await using other = await startTestServer();
  await register(one.client, State.IDLE);
  await one.client.agents.getAgent({ agentId: "a" });
  await expect(other.client.agents.getAgent({ agentId: "a" })).rejects.toThrow("not registered");
  await one.close();
  await one.close();
  await expect(fetch(`${one.baseUrl}/healthz`)).rejects.toThrow();
});

test("a test server that cannot be used is not left behind", async () => {
  const settings = { port: await freePort() };
  await expect(startTestServer({ settings, client: { defaultTimeoutMs: -1 } })).rejects.toThrow(RangeError);
  await using server = await startTestServer({ settings });
  await register(server.client, State.IDLE);
});

test("a server's settings and parts are the test's to choose", async () => {
  await using server = await startTestServer({ settings: { leaseSweepIntervalMs: 10 } });
  const { client } = server;
  await client.agents.registerAgent({ agentId: "a", leaseTtl: durationFromMs(100) });
  const { outcome } = await client.waitForState({ agentId: "a", states: [State.IDLE], failOnLost: true });
  expect(outcome).toBe(4);
});
