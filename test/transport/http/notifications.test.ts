/** What notifications do, and who may send them. */
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { describe, expect, it } from "vitest";
import { AgentService } from "../../../gen/opscore/v1/agent_service_pb.js";
import { State, TaskDelivery } from "../../../gen/opscore/v1/common_pb.js";
import { createMemoryStorage } from "../../../src/storage/memory/index.js";
import { startServer } from "../../helpers/server.js";
import { FakeClock } from "../../helpers/fake-clock.js";
import { aNotification, aReport, NOTIFY, send, signed, stateOf, statePath } from "./harness.js";

const agentsAt = (url: string) => createClient(AgentService, createGrpcTransport({ baseUrl: url }));
const notify = (url: string, body: object) => send(url, NOTIFY, { body });

describe("REGISTER", () => {
  it("makes an agent of what AgentKit tells, whose tasks go by AgentKit", async () => {
    const { url } = await startServer();
    await notify(url, aNotification("a", { capabilities: ["b", "a"], metadata: { team: "x" } }));
    const { agent } = await agentsAt(url).getAgent({ agentId: "a" });
    expect(agent).toMatchObject({
      displayName: "An agent",
      version: "1.0",
      capabilities: ["a", "b"],
      contactEndpoint: "http://agent.test:9000/",
      metadata: { team: "x" },
      labels: {},
      taskDelivery: TaskDelivery.AGENTKIT,
      incarnation: 1n,
      state: { state: State.UNKNOWN },
    });
    expect(agent?.leaseTtl).toBeUndefined();
  });

  it("again changes the data and leaves what the agent reported", async () => {
    const { url } = await startServer();
    await notify(url, aNotification("a", { capabilities: ["a"], metadata: { team: "x" } }));
    await send(url, statePath("a"), { body: aReport("a", "active", { details: { n: 1 } }) });
    await notify(url, aNotification("a", { version: "2.0", metadata: null }));
    expect(await stateOf(url, "a")).toMatchObject({ state: "active", details: { n: 1 } });
    const { agent } = await agentsAt(url).getAgent({ agentId: "a" });
    expect(agent).toMatchObject({ version: "2.0", capabilities: [], incarnation: 1n });
    expect(agent?.metadata).toBeUndefined();
  });

  it("leaves what an agent that registered itself says of itself", async () => {
    const { url } = await startServer();
    const agents = agentsAt(url);
    const own = {
      labels: { env: "test" },
      leaseTtl: { seconds: 60n },
      taskDelivery: TaskDelivery.STREAM,
      maxConcurrentTasks: 3,
    };
    await agents.registerAgent({ agentId: "a", initialState: State.IDLE, ...own });
    await notify(url, aNotification("a"));
    const { agent } = await agents.getAgent({ agentId: "a" });
    expect(agent).toMatchObject({ ...own, displayName: "An agent", incarnation: 1n, state: { state: State.IDLE } });
  });
});

describe("DEREGISTER", () => {
  it("removes the agent", async () => {
    const { url } = await startServer();
    await notify(url, aNotification("a"));
    await notify(url, aNotification("a", {}, "deregister"));
    await expect(agentsAt(url).getAgent({ agentId: "a" })).rejects.toMatchObject({ code: 5 });
    expect((await send(url, statePath("a"))).status).toBe(404);
  });
});

describe("with a secret", () => {
  const SECRET = "whsec";
  const NOW = Date.UTC(2027, 0, 15);
  const body = JSON.stringify(aNotification("a"));
  const now = String(NOW / 1000);
  const setUp = (settings = {}, storage = createMemoryStorage()) =>
    startServer({ webhookSecret: SECRET, apiKey: "k", ...settings }, { storage, clock: new FakeClock(NOW) });
  const post = (url: string, headers: Record<string, string>, sent: string = body) =>
    send(url, NOTIFY, { body: sent, headers }).then(({ status, text }) => [status, text]);
  const detail = (text: string): string => JSON.stringify({ detail: text });
  const OK = '{"status":"success","message":"Agent a registered successfully."}';

  it("a signature is all that is needed", async () => {
    const { url } = await setUp();
    expect(await post(url, signed(SECRET, now, body))).toEqual([200, OK]);
    const names = { "X-AgentKit-Timestamp": "2027-01-15T00:00:00.000000+00:00" };
    const other = signed(SECRET, names["X-AgentKit-Timestamp"], body);
    expect(await post(url, { ...names, "X-AGENTKIT-SIGNATURE": other["x-agentkit-signature"] ?? "" })).toEqual([
      200,
      OK,
    ]);
  });

  it.each([
    ["no signature", {}, "x-agentkit-signature and x-agentkit-timestamp are wanted"],
    ["the key instead", { authorization: "Bearer k" }, "x-agentkit-signature and x-agentkit-timestamp are wanted"],
    ["another secret", signed("other", now, body), "the signature is not the right one"],
    ["another body", signed(SECRET, now, `${body} `), "the signature is not the right one"],
    [
      "an old time",
      signed(SECRET, String(NOW / 1000 - 301), body),
      "the signature was made more than 5 minutes ago, or ahead of now",
    ],
  ])("%s is 401, before the body is looked at", async (_, headers, text) => {
    const { url } = await setUp({ webhookInsecure: true });
    const answer = await post(url, headers);
    expect(answer).toEqual([401, detail(text)]);
    expect((await send(url, NOTIFY, { body: "{", headers })).status).toBe(401);
    expect((await send(url, statePath("a"), { headers: { authorization: "Bearer k" } })).status).toBe(404);
  });

  it("a signature is taken once, by whichever replica", async () => {
    const storage = createMemoryStorage();
    const replicas = [await setUp({}, storage), await setUp({}, storage)];
    const headers = signed(SECRET, now, body);
    const answers = await Promise.all(replicas.map(({ url }) => post(url, headers)));
    expect(answers.map(([status]) => status).sort()).toEqual([200, 401]);
    for (const { url } of replicas) {
      expect(await post(url, headers)).toEqual([401, detail("the signature was used before")]);
    }
  });

  it("one that deregisters cannot be played again after the agent has come back", async () => {
    const { url } = await setUp();
    await post(url, signed(SECRET, now, body));
    const farewell = JSON.stringify(aNotification("a", {}, "DEREGISTER"));
    const headers = signed(SECRET, now, farewell);
    expect((await post(url, headers, farewell))[0]).toBe(200);
    await post(url, signed(SECRET, `${now}.5`, body));
    expect((await post(url, headers, farewell))[0]).toBe(401);
    expect((await send(url, statePath("a"), { headers: { authorization: "Bearer k" } })).status).toBe(200);
  });

  it("one whose body is refused can be corrected and sent again", async () => {
    const { url } = await setUp();
    const wrong = JSON.stringify(aNotification(""));
    const headers = signed(SECRET, now, wrong);
    expect((await post(url, headers, wrong))[0]).toBe(400);
    expect((await post(url, headers, wrong))[0]).toBe(400);
  });

  it("a namespace that is not signed is not looked at", async () => {
    const { url } = await setUp();
    const headers = { ...signed(SECRET, now, body), "opscore-namespace": "elsewhere" };
    expect(await post(url, headers)).toEqual([200, OK]);
    expect((await send(url, statePath("a"), { headers: { authorization: "Bearer k" } })).status).toBe(200);
  });

  it("of which a server that cannot remember says 503 or 429, and does nothing", async () => {
    const { url } = await setUp({}, createMemoryStorage({ maxClaims: 0 }));
    const answer = await send(url, NOTIFY, { body, headers: signed(SECRET, now, body) });
    expect([answer.status, answer.headers.get("retry-after")]).toEqual([429, "1"]);
    expect((await send(url, statePath("a"), { headers: { authorization: "Bearer k" } })).status).toBe(404);
  });
});

describe("without a secret", () => {
  it("a notification needs the key, unless everybody may send them", async () => {
    const closed = await startServer({ apiKey: "k" });
    expect((await notify(closed.url, aNotification("a"))).status).toBe(401);
    const open = await startServer({ apiKey: "k", webhookInsecure: true });
    expect((await notify(open.url, aNotification("a"))).status).toBe(200);
    expect((await send(open.url, statePath("a"), { body: aReport("a", "idle") })).status).toBe(401);
  });

  it("signatures are not looked at", async () => {
    const { url } = await startServer();
    const answer = await send(url, NOTIFY, { body: aNotification("a"), headers: signed("any", "1", "thing") });
    expect(answer.status).toBe(200);
  });
});
