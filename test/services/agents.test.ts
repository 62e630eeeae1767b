import { beforeEach, describe, expect, test } from "vitest";
import { Liveness, State, type Agent, TaskDelivery } from "../../gen/opscore/v1/common_pb.js";
import { createHarness, failure, type Harness } from "./harness.js";

let h: Harness;
beforeEach(() => {
  h = createHarness();
});

async function register(agentId: string, request: object = {}): Promise<Agent> {
  const { agent } = await h.agents.registerAgent({ agentId, ...request });
  if (agent === undefined) throw new Error("no agent in the answer");
  return agent;
}

describe("RegisterAgent", () => {
  test("answers with the agent as it was given", async () => {
    const { agent, created } = await h.agents.registerAgent({
      agentId: "a",
      displayName: "Agent A",
      version: "1.2.3",
      capabilities: ["write", "read", "write"],
      contactEndpoint: "https://agent.example/run",
      labels: { env: "prod" },
      metadata: { owner: { team: "ops" }, weights: [1, 2.5, null, true] },
      leaseTtl: { seconds: 30n, nanos: 500_000_000 },
      initialState: State.INITIALIZING,
    });
    expect(created).toBe(true);
    expect(agent).toMatchObject({
      agentId: "a",
      displayName: "Agent A",
      version: "1.2.3",
      capabilities: ["read", "write"],
      contactEndpoint: "https://agent.example/run",
      labels: { env: "prod" },
      metadata: { owner: { team: "ops" }, weights: [1, 2.5, null, true] },
      leaseTtl: { seconds: 30n, nanos: 500_000_000 },
      incarnation: 1n,
      state: { agentId: "a", state: State.INITIALIZING, liveness: Liveness.ALIVE, incarnation: 1n, actor: "tester" },
    });
    const now = h.clock.now() / 1000;
    expect(agent?.registerTime?.seconds).toBe(BigInt(now));
    expect(agent?.leaseExpireTime).toMatchObject({ seconds: BigInt(now + 30), nanos: 500_000_000 });
  });

  test("starts UNKNOWN, without a lease, when nothing else is said", async () => {
    const agent = await register("a");
    expect(agent.state?.state).toBe(State.UNKNOWN);
    expect(agent.leaseTtl).toBeUndefined();
    expect(agent.leaseExpireTime).toBeUndefined();
  });

  test("gives the next incarnation to an id that is registered", async () => {
    await register("a", { initialState: State.IDLE });
    const { agent, created } = await h.agents.registerAgent({ agentId: "a" });
    expect(created).toBe(false);
    expect(agent).toMatchObject({ incarnation: 2n, state: { state: State.UNKNOWN, incarnation: 2n } });
  });

  test("leaves incarnation and state alone with keep_state", async () => {
    await register("a", { initialState: State.IDLE });
    const agent = await register("a", { keepState: true, displayName: "renamed", initialState: State.ERROR });
    expect(agent).toMatchObject({ incarnation: 1n, displayName: "renamed", state: { state: State.IDLE } });
  });

  test("leaves to the agent what is its own affair when a third party announces it with keep_state", async () => {
    const own = { labels: { env: "prod" }, taskDelivery: TaskDelivery.STREAM, maxConcurrentTasks: 3 };
    await register("a", { ...own, leaseTtl: { seconds: 30n } });
    const foreign = { taskDelivery: TaskDelivery.AGENTKIT, maxConcurrentTasks: 1, leaseTtl: { seconds: 1n } };
    const agent = await register("a", { keepState: true, displayName: "A", ...foreign });
    expect(agent).toMatchObject({ ...own, displayName: "A", leaseTtl: { seconds: 30n } });
    expect(await register("a", { keepState: true, labels: { env: "test" } })).toMatchObject({
      labels: { env: "test" },
    });
    const first = await register("b", { keepState: true, ...foreign });
    expect(first).toMatchObject(foreign);
  });

  test("makes an id that nobody chose", async () => {
    const first = await register("");
    const second = await register("");
    expect(first.agentId).toMatch(/^[0-9a-f-]{36}$/);
    expect(second.agentId > first.agentId).toBe(true);
  });

  test("makes the same id again when the call is repeated", async () => {
    const first = await h.agents.registerAgent({ requestId: "r1", displayName: "A" });
    const again = await h.agents.registerAgent({ requestId: "r1", displayName: "A" });
    const other = await h.agents.registerAgent({ requestId: "r2" });
    const elsewhere = await h.as({ namespace: "other" }).agents.registerAgent({ requestId: "r1" });
    expect(again).toEqual(first);
    expect(first.agent?.agentId).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(other.agent?.agentId).not.toBe(first.agent?.agentId);
    expect(elsewhere.agent?.agentId).not.toBe(first.agent?.agentId);
  });

  test("keeps namespaces apart", async () => {
    await register("a");
    const other = h.as({ namespace: "other" });
    await failure("AGENT_NOT_FOUND", () => other.agents.getAgent({ agentId: "a" }));
    expect((await other.agents.registerAgent({ agentId: "a" })).created).toBe(true);
  });
});

describe("GetAgent", () => {
  test("answers what RegisterAgent answered", async () => {
    const agent = await register("a", { labels: { env: "prod" }, capabilities: ["x"] });
    expect((await h.agents.getAgent({ agentId: "a" })).agent).toEqual(agent);
  });

  test("fails for an unknown agent", async () => {
    const error = await failure("AGENT_NOT_FOUND", () => h.agents.getAgent({ agentId: "nobody" }));
    expect(error.metadata).toEqual({ agent_id: "nobody" });
  });
});

describe("DeregisterAgent", () => {
  test("answers with the agent as it was", async () => {
    const registered = await register("a", { initialState: State.ACTIVE });
    const { agent } = await h.agents.deregisterAgent({ agentId: "a", incarnation: 1n });
    expect(agent).toMatchObject({ agentId: "a", state: { state: State.ACTIVE } });
    expect(agent?.state?.revision).toBeGreaterThan(registered.state?.revision ?? 0n);
    await failure("AGENT_NOT_FOUND", () => h.agents.getAgent({ agentId: "a" }));
  });

  test("fails for an unknown agent and for another incarnation", async () => {
    await failure("AGENT_NOT_FOUND", () => h.agents.deregisterAgent({ agentId: "a" }));
    await register("a");
    await register("a");
    await failure("STALE_INCARNATION", () => h.agents.deregisterAgent({ agentId: "a", incarnation: 1n }));
    await failure("UNKNOWN_INCARNATION", () => h.agents.deregisterAgent({ agentId: "a", incarnation: 3n }));
  });
});

describe("UpdateAgent", () => {
  const full = {
    displayName: "Agent A",
    version: "1",
    capabilities: ["x"],
    contactEndpoint: "http://a.example",
    labels: { env: "prod" },
    metadata: { k: 1 },
    leaseTtl: { seconds: 30n },
  };

  test("changes what is set when there is no mask", async () => {
    await register("a", full);
    const { agent } = await h.agents.updateAgent({ agent: { agentId: "a", version: "2", labels: { env: "test" } } });
    expect(agent).toMatchObject({ ...full, version: "2", labels: { env: "test" } });
    const emptyMask = await h.agents.updateAgent({ agent: { agentId: "a", version: "3" }, updateMask: { paths: [] } });
    expect(emptyMask.agent).toMatchObject({ ...full, version: "3", labels: { env: "test" } });
  });

  test.each([
    ["display_name", { displayName: "" }],
    ["version", { version: "" }],
    ["capabilities", { capabilities: [] }],
    ["contact_endpoint", { contactEndpoint: "" }],
    ["labels", { labels: {} }],
    ["metadata", { metadata: undefined }],
    ["lease_ttl", { leaseTtl: undefined, leaseExpireTime: undefined }],
  ])("clears %s when the mask names it and the agent does not set it", async (path, cleared) => {
    const before = await register("a", full);
    const { agent } = await h.agents.updateAgent({ agent: { agentId: "a" }, updateMask: { paths: [path] } });
    expect(agent).toEqual({ ...before, ...cleared, updateTime: agent?.updateTime, revision: agent?.revision });
  });

  test("neither reads nor judges what the mask leaves out", async () => {
    await register("a", full);
    const { agent } = await h.agents.updateAgent({
      agent: { agentId: "a", displayName: "new", contactEndpoint: "not a URL", version: "9", incarnation: -1n },
      updateMask: { paths: ["display_name", "display_name"] },
    });
    expect(agent).toMatchObject({ ...full, displayName: "new" });
  });

  test("changes nothing when nothing is set", async () => {
    const before = await register("a", full);
    expect((await h.agents.updateAgent({ agent: { agentId: "a" } })).agent).toEqual(before);
    expect((await h.agents.updateAgent({ agent: { agentId: "a" }, updateMask: {} })).agent).toEqual(before);
  });

  test("compares the revision", async () => {
    const { revision } = await register("a");
    const change = (expectedRevision: bigint, version: string) =>
      h.agents.updateAgent({ agent: { agentId: "a", version }, expectedRevision });
    await change(revision, "2");
    const error = await failure("STATE_MISMATCH", () => change(revision, "3"));
    expect(error.metadata).toHaveProperty("revision");
  });

  test("is safe to repeat with a request id", async () => {
    const { revision } = await register("a");
    const change = () =>
      h.agents.updateAgent({ agent: { agentId: "a", version: "2" }, expectedRevision: revision, requestId: "r" });
    expect(await change()).toEqual(await change());
  });

  test("fails for an unknown agent", async () => {
    await failure("AGENT_NOT_FOUND", () => h.agents.updateAgent({ agent: { agentId: "a", version: "2" } }));
  });
});

describe("Heartbeat", () => {
  test("answers with the lease and what is left of it", async () => {
    await register("a", { leaseTtl: { seconds: 30n } });
    h.clock.advance(20_000);
    const { lease } = await h.agents.heartbeat({ agentId: "a", incarnation: 1n });
    expect(lease).toMatchObject({ ttl: { seconds: 30n, nanos: 0 }, remaining: { seconds: 30n, nanos: 0 } });
  });

  test("answers without a lease for an agent that has none", async () => {
    await register("a");
    expect((await h.agents.heartbeat({ agentId: "a" })).lease).toBeUndefined();
  });

  test("fails for an unknown agent and for another incarnation", async () => {
    await failure("AGENT_NOT_FOUND", () => h.agents.heartbeat({ agentId: "a" }));
    await register("a");
    await register("a");
    const error = await failure("STALE_INCARNATION", () => h.agents.heartbeat({ agentId: "a", incarnation: 1n }));
    expect(error.metadata).toEqual({ incarnation: "1", current: "2" });
    await failure("UNKNOWN_INCARNATION", () => h.agents.heartbeat({ agentId: "a", incarnation: 9n }));
  });
});

describe("ListAgents", () => {
  const idsOf = ({ agents }: { agents: Agent[] }) => agents.map(({ agentId }) => agentId);

  beforeEach(async () => {
    await register("a", { labels: { env: "prod" }, capabilities: ["read"], initialState: State.IDLE });
    await register("b", { labels: { env: "test" }, capabilities: ["read", "write"], initialState: State.ACTIVE });
    await register("c", { labels: { env: "prod", tier: "db" }, capabilities: ["write"], initialState: State.IDLE });
  });

  test.each([
    ["nothing", {}, ["a", "b", "c"]],
    ["a label", { labelSelector: "env=prod" }, ["a", "c"]],
    ["a selector with several parts", { labelSelector: "env in (prod,test), !tier" }, ["a", "b"]],
    ["capabilities, all of them", { capabilities: ["write", "read"] }, ["b"]],
    ["states, any of them", { states: [State.ACTIVE, State.ERROR] }, ["b"]],
    ["liveness", { liveness: [Liveness.LOST] }, []],
    ["all at once", { labelSelector: "env=prod", capabilities: ["write"], states: [State.IDLE] }, ["c"]],
  ])("filters by %s", async (_what, filter, expected) => {
    expect(idsOf(await h.agents.listAgents(filter))).toEqual(expected);
  });

  test("walks the pages to the end", async () => {
    for (let i = 0; i < 9; i++) await register(`more-${i}`, { labels: { env: "prod" } });
    const seen: string[] = [];
    let pageToken = "";
    let pages = 0;
    do {
      const page = await h.agents.listAgents({ labelSelector: "env=prod", pageSize: 4, pageToken });
      expect(page.agents.length).toBeLessThanOrEqual(4);
      seen.push(...idsOf(page));
      pageToken = page.nextPageToken;
      pages += 1;
    } while (pageToken !== "");
    expect(seen).toEqual(["a", "c", ...Array.from({ length: 9 }, (_, i) => `more-${i}`)]);
    expect(pages).toBeGreaterThanOrEqual(3);
  });

  test("goes on with a page token however the same filter is written", async () => {
    const { nextPageToken: pageToken } = await h.agents.listAgents({
      labelSelector: "env in (prod, test)",
      capabilities: ["read"],
      states: [State.IDLE, State.ACTIVE],
      pageSize: 1,
    });
    const next = await h.agents.listAgents({
      labelSelector: "env in (test,prod)",
      capabilities: ["read", "read"],
      states: [State.ACTIVE, State.IDLE],
      pageSize: 2,
      pageToken,
    });
    expect(idsOf(next)).toEqual(["b"]);
  });

  test("refuses a page token of another query", async () => {
    const { nextPageToken: pageToken } = await h.agents.listAgents({ labelSelector: "env=prod", pageSize: 1 });
    expect(pageToken).not.toBe("");
    const refused = [
      { labelSelector: "env=test", pageToken },
      { labelSelector: "env=prod", capabilities: ["read"], pageToken },
      { labelSelector: "env=prod", states: [State.IDLE], pageToken },
      { labelSelector: "env=prod", liveness: [Liveness.ALIVE], pageToken },
    ];
    for (const request of refused) await failure("INVALID_PAGE_TOKEN", () => h.agents.listAgents(request));
    await failure("INVALID_PAGE_TOKEN", () =>
      h.as({ namespace: "other" }).agents.listAgents({ labelSelector: "env=prod", pageToken }),
    );
    await failure("INVALID_PAGE_TOKEN", () => h.sessions.listSessions({ pageToken }));
  });
});

describe("ConfirmExpiry", () => {
  test("makes LOST what the brake held", async () => {
    for (let i = 0; i < 25; i++) await register(`a${i}`, { leaseTtl: { seconds: 1n } });
    for (let i = 0; i < 20; i++) {
      h.clock.advance(200);
      await h.storage.expireLeases({ stalledMs: 0 });
    }
    const suspects = await h.agents.listAgents({ liveness: [Liveness.SUSPECT] });
    expect(suspects.agents).toHaveLength(25);
    expect((await h.as({ namespace: "other" }).agents.confirmExpiry({})).lostCount).toBe(0);
    expect((await h.agents.confirmExpiry({})).lostCount).toBe(25);
    expect((await h.agents.listAgents({ liveness: [Liveness.LOST] })).agents).toHaveLength(25);
  });
});
