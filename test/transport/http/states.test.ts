/** What becomes of the reports of agents that know no state machine. */
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterEach, describe, expect, it, vi } from "vitest";
import { AgentService } from "../../../gen/opscore/v1/agent_service_pb.js";
import { State } from "../../../gen/opscore/v1/common_pb.js";
import { StateEvent_Type, StateService } from "../../../gen/opscore/v1/state_service_pb.js";
import { createMemoryStorage } from "../../../src/storage/memory/index.js";
import type { SetState } from "../../../src/storage/storage.js";
import { FakeClock } from "../../helpers/fake-clock.js";
import { startServer } from "../../helpers/server.js";
import { aReport, register, send, stateOf, statePath } from "./harness.js";

const NOW = Date.UTC(2026, 5, 1);
const at = (ms: number): string => new Date(NOW + ms).toISOString();

/** A server with an agent `a`, and the means to report and to look on. */
async function setUp() {
  const clock = new FakeClock(NOW);
  const { url } = await startServer({}, { clock });
  const transport = createGrpcTransport({ baseUrl: url });
  const states = createClient(StateService, transport);
  await register(url, "a", { metadata: { team: "x" }, capabilities: ["write"] });
  return {
    url,
    clock,
    states,
    agents: createClient(AgentService, transport),
    report: async (state: string, time: string, more: object = {}) => {
      const { status } = await send(url, statePath("a"), { body: aReport("a", state, { timestamp: time, ...more }) });
      expect(status).toBe(202);
    },
    /** What happened to the agent, one word or two for each event. */
    history: async () => {
      const { events } = await states.getStateHistory({ agentId: "a" });
      return events.map(({ type, state }) => {
        const word = State[state?.state ?? 0];
        return type === StateEvent_Type.REGISTERED ? `REGISTERED ${state?.incarnation} ${word}` : word;
      });
    },
  };
}

describe("a report that was overtaken", () => {
  it("does not overwrite a newer one", async () => {
    const { url, report, history } = await setUp();
    await report("idle", at(-5), { details: { n: 2 } });
    await report("active", at(-6), { details: { n: 1 } });
    expect(await stateOf(url, "a")).toEqual({ agentId: "a", state: "idle", details: { n: 2 }, timestamp: at(-5) });
    await report("active", at(-5));
    expect(await history()).toEqual(["REGISTERED 1 UNKNOWN", "IDLE", "ACTIVE"]);
  });

  it("does not overwrite a newer one that said nothing new", async () => {
    const { url, report } = await setUp();
    await report("idle", at(-10));
    await report("idle", at(-5));
    await report("active", at(-6));
    expect(await stateOf(url, "a")).toMatchObject({ state: "idle" });
  });

  it("counts from its arrival when its time cannot be read", async () => {
    const { url, report } = await setUp();
    await report("active", "some time ago");
    expect(await stateOf(url, "a")).toMatchObject({ state: "active", timestamp: at(0) });
    await report("idle", at(-1));
    expect(await stateOf(url, "a")).toMatchObject({ state: "active" });
    await report("idle", at(0));
    expect(await stateOf(url, "a")).toMatchObject({ state: "idle" });
  });

  it("does not have to be overtaken by a clock that is fast", async () => {
    const { url, clock, report } = await setUp();
    await report("active", at(3_600_000));
    clock.advance(10);
    await report("idle", at(5));
    expect(await stateOf(url, "a")).toMatchObject({ state: "idle", timestamp: at(5) });
  });
});

describe("a report after FINISHED", () => {
  it("begins the next incarnation, which keeps what is known of the agent", async () => {
    const { url, agents, states, report, history } = await setUp();
    await agents.updateAgent({ agent: { agentId: "a", labels: { env: "test" } } });
    const { agent: before } = await agents.getAgent({ agentId: "a" });
    await report("finished", at(-9));
    await report("active", at(-8), { details: { again: true } });
    expect(await history()).toEqual(["REGISTERED 1 UNKNOWN", "FINISHED", "REGISTERED 2 UNKNOWN", "ACTIVE"]);
    expect(await stateOf(url, "a")).toMatchObject({ state: "active", details: { again: true }, timestamp: at(-8) });
    const { agent: after } = await agents.getAgent({ agentId: "a" });
    const { registerTime, updateTime, revision, state, incarnation } = after ?? {};
    expect(after).toEqual({ ...before, registerTime, updateTime, revision, state, incarnation });
    expect(incarnation).toBe(2n);
    expect((await states.getState({ agentId: "a" })).state?.incarnation).toBe(2n);
  });

  it("that is FINISHED again changes nothing, whatever its details", async () => {
    const { url, report, history } = await setUp();
    await report("finished", at(-9), { details: { n: 1 } });
    await report("finished", at(-8), { details: { n: 2 } });
    expect(await stateOf(url, "a")).toMatchObject({ state: "finished", details: { n: 1 } });
    expect(await history()).toEqual(["REGISTERED 1 UNKNOWN", "FINISHED"]);
  });

  it("that is late changes nothing", async () => {
    const { report, history } = await setUp();
    await report("finished", at(-9));
    await report("active", at(-10));
    expect(await history()).toEqual(["REGISTERED 1 UNKNOWN", "FINISHED"]);
  });

  it("begins one incarnation, however many reports come together", async () => {
    const { report, history } = await setUp();
    await report("finished", at(-9));
    await Promise.all(Array.from({ length: 20 }, () => report("idle", at(-8))));
    expect(await history()).toEqual(["REGISTERED 1 UNKNOWN", "FINISHED", "REGISTERED 2 UNKNOWN", "IDLE"]);
  });
});

describe("a word that is no state", () => {
  it.each([
    ["busy", "Busy", 'reported as "busy"'],
    ["waiting for input", "WaitingForInput", 'reported as "waiting for input"'],
    ["UNKNOWN", "UNKNOWN", 'reported as "UNKNOWN"'],
    ["2nd-try", "State2ndTry", 'reported as "2nd-try"'],
    ["忙", "State", 'reported as "忙"'],
    ["", "State", 'reported as ""'],
    ["\ud800\u0000", "State", 'reported as "\\ud800\\u0000"'],
    ["x".repeat(5_000), `X${"x".repeat(63)}`, `reported as "${"x".repeat(100)}"`],
  ])("%.20j leaves the state and becomes the reason %.20s", async (word, reason, message) => {
    const { states, report, url } = await setUp();
    await report("active", at(-9), { details: { n: 1 } });
    await report(word, at(-8), { details: { n: 2 } });
    const { state } = await states.getState({ agentId: "a" });
    expect(state).toMatchObject({ state: State.ACTIVE, reason, message, details: { n: 2 } });
    expect(await stateOf(url, "a")).toMatchObject({ state: "active", details: { n: 2 }, timestamp: at(-8) });
  });

  it("changes nothing when it is late, or when the agent has finished", async () => {
    const { report, history, states } = await setUp();
    await report("finished", at(-8));
    await report("busy", at(-7));
    expect(await history()).toEqual(["REGISTERED 1 UNKNOWN", "FINISHED"]);
    await report("idle", at(-6));
    await report("busy", at(-7));
    expect((await states.getState({ agentId: "a" })).state).toMatchObject({ state: State.IDLE, reason: "" });
  });

  it("never brings an older state back, whoever reports at the same time", async () => {
    const { report, history, states } = await setUp();
    await Promise.all([
      ...Array.from({ length: 10 }, (_, i) => report(`word-${i}`, at(-8))),
      ...Array.from({ length: 10 }, (_, i) => report(i % 2 === 0 ? "active" : "idle", at(-8))),
    ]);
    const { events } = await states.getStateHistory({ agentId: "a" });
    const words = events.filter(({ state }) => state?.reason !== "");
    for (const { state, previous } of words) expect(state?.state).toBe(previous?.state);
    expect(words).toHaveLength(10);
    expect((await history()).length).toBeGreaterThan(10);
  });
});

describe("what an agent reports about", () => {
  it("is read from its details", async () => {
    const { states, report } = await setUp();
    await report("active", at(-9), { details: { opscore_task_id: "t-1", opscore_session_id: "s-1" } });
    expect((await states.getState({ agentId: "a" })).state).toMatchObject({ taskId: "t-1", sessionId: "s-1" });
    await report("idle", at(-8), { details: { opscore_task_id: "no id", opscore_session_id: 7 } });
    expect((await states.getState({ agentId: "a" })).state).toMatchObject({ taskId: "", sessionId: "" });
  });
});

describe("a report of an agent that is not registered", () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  /** A server whose storage tells of each report that reaches it. */
  async function watchedServer() {
    const storage = createMemoryStorage();
    let told: (command: SetState) => void = () => undefined;
    const reached = new Promise<SetState>((resolve) => (told = resolve));
    const original = storage.setState.bind(storage);
    vi.spyOn(storage, "setState").mockImplementation((command) => {
      const outcome = original(command);
      told(command);
      return outcome;
    });
    return { reached, ...(await startServer({}, { storage })) };
  }

  it.each(["idle", "napping"])("%s is held for 5 seconds, then 404", async (word) => {
    const { url, reached } = await watchedServer();
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    let answered = false;
    const answer = send(url, statePath("nobody"), { body: aReport("nobody", word) }).finally(() => (answered = true));
    expect(await reached).toMatchObject({ holdMs: 5_000 });
    vi.advanceTimersByTime(4_999);
    await send(url, "/health");
    expect(answered).toBe(false);
    vi.advanceTimersByTime(1);
    expect(await answer).toMatchObject({ status: 404, text: '{"detail":"Agent not found: nobody"}' });
  });

  it.each([
    ["idle", "idle", ""],
    ["napping", "UNKNOWN", "Napping"],
  ])("%s is applied when it registers in time", async (word, read, reason) => {
    const { url, reached } = await watchedServer();
    const answer = send(url, statePath("late"), { body: aReport("late", word) });
    await reached;
    await register(url, "late");
    expect((await answer).status).toBe(202);
    expect(await stateOf(url, "late")).toMatchObject({ state: read });
    const states = createClient(StateService, createGrpcTransport({ baseUrl: url }));
    expect((await states.getState({ agentId: "late" })).state?.reason).toBe(reason);
  });

  it("napping is applied to whatever it starts as", async () => {
    const { url, reached } = await watchedServer();
    const answer = send(url, statePath("late"), { body: aReport("late", "napping") });
    await reached;
    const transport = createGrpcTransport({ baseUrl: url });
    await createClient(AgentService, transport).registerAgent({ agentId: "late", initialState: State.ACTIVE });
    expect((await answer).status).toBe(202);
    const { state } = await createClient(StateService, transport).getState({ agentId: "late" });
    expect(state).toMatchObject({ state: State.ACTIVE, reason: "Napping" });
  });
});
