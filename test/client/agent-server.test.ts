/** The Agent helper over real sockets against the real server. */
import { describe, expect, test, vi } from "vitest";
import { State } from "../../gen/opscore/v1/common_pb.js";
import { StateEvent_Type } from "../../gen/opscore/v1/state_service_pb.js";
import { Agent, createOpsCoreClient, type OpsCoreClient, type StateWatch } from "../../src/client/index.js";
import { Proxy } from "./helpers/proxy.js";
import { RestartableServer } from "./helpers/restartable-server.js";
import { startServer } from "../helpers/server.js";

const SOON = { reconnect: { initialBackoffMs: 1, maxBackoffMs: 20 } };

/** The messages of an agent's states, in order, until one of them is the last that is expected. */
async function messagesUntil(watch: StateWatch, last: string): Promise<string[]> {
  const messages: string[] = [];
  for await (const item of watch) {
    const state = item.type === "event" ? item.event.state : item.type === "snapshot" ? item.state : undefined;
    if (state !== undefined) messages.push(state.message);
    if (state?.message === last) break;
  }
  return messages;
}

function told(agent: Agent, event: "connected" | "disconnected" | "superseded"): Promise<void> {
  return new Promise((resolve) => {
    const stop = agent.on(event, () => {
      stop();
      resolve();
    });
  });
}

describe.each([
  ["grpc", "2"],
  ["connect", "1.1"],
] as const)("over %s, HTTP/%s", (transport, httpVersion) => {
  async function start(): Promise<{ client: OpsCoreClient; direct: OpsCoreClient; proxy: Proxy }> {
    const { url } = await startServer();
    const proxy = await Proxy.start(url);
    const client = createOpsCoreClient({ baseUrl: proxy.url, transport, httpVersion, retry: { maxAttempts: 1 } });
    return { client, direct: createOpsCoreClient({ baseUrl: url }), proxy };
  }

  test("reports that were made while the line was cut arrive in order, once", async () => {
    const { client, direct, proxy } = await start();
    const agent = await Agent.start({ client, agentId: "a", ...SOON });
    const watch = direct.watchState({ agentIds: ["a"] });
    await watch.next();
    const disconnected = told(agent, "disconnected");
    proxy.sever();
    for (let page = 0; page < 50; page++) void agent.active({ message: `page ${page}` });
    await disconnected;
    expect(agent).toMatchObject({ status: "disconnected", unsent: 50 });
    proxy.mend();
    const messages = await messagesUntil(watch, "page 49");
    expect(messages).toEqual(Array.from({ length: 50 }, (_, page) => `page ${page}`));
    expect(await agent.stop({ deregister: true })).toEqual({ unsent: 0 });
    client.close();
    direct.close();
  });

  test("a line that is cut again and again loses and repeats no report", async () => {
    const { client, direct, proxy } = await start();
    const agent = await Agent.start({ client, agentId: "a", ...SOON });
    const watch = direct.watchState({ agentIds: ["a"] });
    await watch.next();
    const collected = messagesUntil(watch, "report 99");
    for (let report = 0; report < 100; report++) {
      const sent = agent.active({ message: `report ${report}` });
      if (report % 10 === 3) proxy.cut();
      if (report % 4 === 0) await sent;
    }
    expect(await collected).toEqual(Array.from({ length: 100 }, (_, report) => `report ${report}`));
    await agent.stop();
    client.close();
    direct.close();
  });
});

test("a server that is restarted without its memory knows the agent again, and what it does", async () => {
  const server = await RestartableServer.start();
  const client = createOpsCoreClient({ baseUrl: server.url, retry: { maxAttempts: 1 } });
  const agent = await Agent.start({ client, agentId: "a", displayName: "The writer", leaseTtlMs: 150, ...SOON });
  await agent.active({ message: "page 7", sessionId: "s" });
  const disconnected = told(agent, "disconnected");
  await server.stop();
  await disconnected;
  await server.start();
  await using direct = createOpsCoreClient({ baseUrl: server.url });
  await messagesUntil(direct.watchState({ agentIds: ["a"] }), "page 7");
  const { agent: known } = await direct.agents.getAgent({ agentId: "a" });
  expect(known).toMatchObject({
    displayName: "The writer",
    state: { state: State.ACTIVE, message: "page 7", sessionId: "s" },
  });
  await agent.idle({ message: "done" });
  await agent.stop({ deregister: true });
  client.close();
});

test("an agent stays alive for as long as it runs, and no longer", async () => {
  const { url } = await startServer({ leaseSweepIntervalMs: 10 });
  const client = createOpsCoreClient({ baseUrl: url });
  const watch = client.watchState({ agentIds: ["a"] });
  const agent = await Agent.start({ client, agentId: "a", leaseTtlMs: 1_500 });
  await agent.idle();
  const liveness: StateEvent_Type[] = [];
  const lost = (async () => {
    for await (const item of watch) {
      if (item.type !== "event" || item.event.type !== StateEvent_Type.LIVENESS) continue;
      liveness.push(item.event.type);
      if (liveness.length === 2) break;
    }
  })();
  // More than one lease goes by.
  for (let beat = 0; beat < 4; beat++) await heartbeat(client);
  expect(liveness).toEqual([]);
  await agent.stop();
  await lost;
  client.close();
});

/** Resolves when the next heartbeat was answered. */
function heartbeat(client: OpsCoreClient): Promise<void> {
  const answered = vi.spyOn(client.agents, "heartbeat");
  return new Promise((resolve) => {
    answered.mockImplementationOnce(async (...call) => {
      answered.mockRestore();
      const answer = await client.agents.heartbeat(...call);
      resolve();
      return answer;
    });
  });
}

test("a second process under the same id ends the first", async () => {
  const { url } = await startServer();
  const client = createOpsCoreClient({ baseUrl: url });
  const first = await Agent.start({ client, agentId: "a", leaseTtlMs: 100 });
  await first.idle();
  const superseded = told(first, "superseded");
  const second = await Agent.start({ client, agentId: "a" });
  await superseded;
  expect(first.status).toBe("superseded");
  await second.active();
  expect((await client.states.getState({ agentId: "a" })).state).toMatchObject({
    state: State.ACTIVE,
    incarnation: 2n,
  });
  await second.stop({ deregister: true });
  client.close();
});
