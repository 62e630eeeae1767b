import { describe, expect, it } from "vitest";
import { createMemoryStorage } from "../../../src/storage/memory/index.js";
import { State, type StateRecord } from "../../../src/storage/records.js";
import { FakeClock } from "../../helpers/fake-clock.js";
import { ACTOR, aRegistration, aReport, aSession, aSessionUpdate, NAMESPACE } from "../../helpers/records.js";

const KEY = { namespace: NAMESPACE, agentId: "a" };

function fieldsOf(record: object | undefined): string[] {
  return Object.keys(record ?? {});
}

describe("records of the memory storage", () => {
  it("have the same fields in the same order, whatever made them", async () => {
    const clock = new FakeClock();
    const storage = createMemoryStorage({ clock });
    storage.registerAgent(aRegistration("a", { leaseTtlMs: 1_000 }));
    await storage.setState(aReport("a", State.IDLE, { message: "x", details: { a: 1 }, reportTime: 1, sequence: 1 }));
    clock.advance(1_000);
    storage.expireLeases({ stalledMs: 0 });
    storage.deregisterAgent({ ...KEY, incarnation: 0, actor: ACTOR });
    const entries = storage.readHistory({ ...KEY, afterRevision: 0, limit: 10 })?.entries ?? [];
    const shapes = new Set(entries.map((record) => fieldsOf(record).join()));
    expect(new Set(entries.map(({ cause }) => cause)).size).toBe(4);
    expect(shapes.size).toBe(1);
  });

  it("have the same fields in agents and sessions too", () => {
    const storage = createMemoryStorage({ clock: new FakeClock() });
    const { agent } = storage.registerAgent(aRegistration("a"));
    const update = { ...KEY, patch: { version: "2" }, expectedRevision: 0, requestId: "", actor: ACTOR };
    expect(fieldsOf(storage.updateAgent(update).record)).toEqual(fieldsOf(agent.record));
    const session = storage.startSession(aSession("s", "a"));
    expect(fieldsOf(storage.updateSession(aSessionUpdate("s", { error: "x" })))).toEqual(fieldsOf(session));
  });

  it("share one copy of the agent's id", async () => {
    const storage = createMemoryStorage({ clock: new FakeClock() });
    storage.registerAgent(aRegistration("a"));
    await storage.setState(aReport("a", State.IDLE));
    const state: StateRecord | undefined = storage.getState(KEY);
    expect(state?.agentId).toBe("a");
    expect(storage.getAgent(KEY)?.state).toBe(state);
  });

  it("tell about how large they are", async () => {
    const storage = createMemoryStorage({ clock: new FakeClock() });
    storage.registerAgent(aRegistration("a"));
    const small = await storage.setState(aReport("a", State.IDLE));
    const message = await storage.setState(aReport("a", State.IDLE, { message: "x".repeat(1_000) }));
    const details = await storage.setState(aReport("a", State.IDLE, { details: { text: "x".repeat(50_000) } }));
    expect(small.state.size).toBeLessThan(200);
    expect(message.state.size - small.state.size).toBe(1_000);
    expect(details.state.size - small.state.size).toBeGreaterThan(50_000);
    const { agent } = storage.registerAgent(
      aRegistration("b", { labels: { k: "v".repeat(255) }, metadata: { a: "b" } }),
    );
    expect(agent.record.size).toBeGreaterThan(255);
  });
});

describe("bytes of held reports", () => {
  it("are bounded in all", async () => {
    const storage = createMemoryStorage({ clock: new FakeClock(), maxHeldBytes: 10_000 });
    const report = (agentId: string) =>
      aReport(agentId, State.IDLE, { holdMs: 60_000, details: { text: "x".repeat(4_000) } });
    const hold = (agentId: string) => Promise.resolve(storage.setState(report(agentId)));
    const held = [hold("a"), hold("b")];
    expect(() => storage.setState(report("c"))).toThrow("bytes of reports wait");
    storage.registerAgent(aRegistration("a"));
    held.push(hold("c"));
    storage.registerAgent(aRegistration("b"));
    storage.registerAgent(aRegistration("c"));
    for (const outcome of await Promise.all(held)) expect(outcome.changed).toBe(true);
  });
});
