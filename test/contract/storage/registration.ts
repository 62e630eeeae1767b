import { describe, expect, it } from "vitest";
import { AgentChangeType, Liveness, State } from "../../../src/storage/records.js";
import { stateName } from "../../../src/storage/state-machine.js";
import { ACTOR, aProfile, aRegistration, aReport, NAMESPACE } from "../../helpers/records.js";
import { STATES } from "./events.js";
import { failureOf, present, useStorage, type StorageFactory } from "./harness.js";

const KEY = { namespace: NAMESPACE, agentId: "a" };
const FULL = aProfile({
  displayName: "Agent A",
  version: "1.2.3",
  capabilities: ["plan", "write"],
  contactEndpoint: "https://a.example/run",
  labels: { env: "prod", tier: "" },
  metadata: { nested: { list: [1, null, true, "x"] } },
  leaseTtlMs: 30_000,
});

/** RegisterAgent and DeregisterAgent. */
export function registrationContract(factory: StorageFactory): void {
  describe("registration", () => {
    const subject = useStorage(factory);

    it("stores an agent with everything it said", async () => {
      const { agent, created } = await subject.storage.registerAgent({ ...aRegistration("a"), profile: FULL });

      expect(created).toBe(true);
      expect(agent.record).toMatchObject({ ...FULL, ...KEY, incarnation: 1 });
      expect(agent.record.updateTime).toBe(agent.record.registerTime);
      expect(agent.state).toMatchObject({
        agentId: "a",
        state: State.UNKNOWN,
        liveness: Liveness.ALIVE,
        reason: "",
        message: "",
        details: undefined,
        sessionId: "",
        taskId: "",
        incarnation: 1,
        sequence: 0,
        reportTime: undefined,
        actor: ACTOR,
        cause: AgentChangeType.REGISTERED,
        commitTime: agent.record.registerTime,
        revision: agent.record.revision,
      });
      expect(await subject.replica.getAgent(KEY)).toEqual(agent);
      expect(await subject.replica.getState(KEY)).toEqual(agent.state);
    });

    it("logs a first registration without a previous state", async () => {
      const { agent } = await subject.storage.registerAgent({ ...aRegistration("a"), profile: FULL });
      const [change, ...rest] = await subject.changes();

      expect(rest).toEqual([]);
      expect(change).toMatchObject({
        kind: "agent",
        namespace: NAMESPACE,
        type: AgentChangeType.REGISTERED,
        state: agent.state,
        previous: undefined,
        scope: { labels: FULL.labels, capabilities: FULL.capabilities },
        previousScope: undefined,
        agent: { record: agent.record, state: agent.state },
      });
    });

    it.each(STATES)("starts in the initial state %i", async (initialState) => {
      const { agent } = await subject.storage.registerAgent(aRegistration("a", { initialState }));
      expect(agent.state.state).toBe(initialState);
      expect(await subject.events()).toEqual([`REGISTERED a: ${stateName(initialState)}`]);
    });

    it("gives a registered agent its next incarnation and forgets its state", async () => {
      await subject.storage.registerAgent(aRegistration("a", { labels: { env: "dev" } }));
      const report = aReport("a", State.ACTIVE, { message: "busy", sequence: 9, sessionId: "s", details: { a: 1 } });
      const { state: before } = await subject.storage.setState(report);
      await subject.changes();

      const again = aRegistration("a", { labels: { env: "prod" }, initialState: State.IDLE, actor: "other" });
      const { agent, created } = await subject.replica.registerAgent(again);

      expect(created).toBe(false);
      expect(agent.record).toMatchObject({ incarnation: 2, labels: { env: "prod" } });
      expect(agent.state).toMatchObject({
        state: State.IDLE,
        message: "",
        details: undefined,
        sessionId: "",
        incarnation: 2,
        sequence: 0,
        actor: "other",
      });
      const changes = await subject.changes();
      expect(changes).toMatchObject([
        {
          type: AgentChangeType.REGISTERED,
          state: agent.state,
          previous: before,
          scope: { labels: { env: "prod" } },
          previousScope: { labels: { env: "dev" } },
        },
      ]);
    });

    it("counts sequences of each incarnation from the start", async () => {
      await subject.storage.registerAgent(aRegistration("a"));
      await subject.storage.setState(aReport("a", State.IDLE, { sequence: 5 }));
      await subject.storage.registerAgent(aRegistration("a"));
      const { state } = await subject.storage.setState(aReport("a", State.IDLE, { sequence: 1 }));
      expect(state).toMatchObject({ sequence: 1, incarnation: 2 });
    });

    it("answers undefined for an agent that is not registered", async () => {
      expect(await subject.storage.getAgent(KEY)).toBeUndefined();
      expect(await subject.storage.getState(KEY)).toBeUndefined();
      expect(await subject.events()).toEqual([]);
    });
  });

  describe("deregistration", () => {
    const subject = useStorage(factory);

    it("removes the agent and logs its last state", async () => {
      await subject.storage.registerAgent(aRegistration("a", { labels: { env: "prod" } }));
      const { state: last } = await subject.storage.setState(
        aReport("a", State.ACTIVE, { message: "busy", sequence: 3 }),
      );
      await subject.changes();

      const removed = await subject.storage.deregisterAgent({ ...KEY, incarnation: 1, actor: "operator" });

      expect(removed.state).toMatchObject({
        state: State.ACTIVE,
        message: "busy",
        sequence: 3,
        cause: AgentChangeType.DEREGISTERED,
        actor: "operator",
      });
      expect(removed.state.revision).toBeGreaterThan(last.revision);
      expect(removed.record.labels).toEqual({ env: "prod" });
      expect(await subject.replica.getAgent(KEY)).toBeUndefined();
      expect(await subject.replica.getState(KEY)).toBeUndefined();
      const changes = await subject.changes();
      expect(changes).toMatchObject([
        {
          type: AgentChangeType.DEREGISTERED,
          state: removed.state,
          previous: last,
          scope: { labels: { env: "prod" } },
        },
      ]);
    });

    it.each([
      ["STALE_INCARNATION", 1],
      ["UNKNOWN_INCARNATION", 3],
    ] as const)("refuses with %s and leaves the agent alone", async (reason, incarnation) => {
      await subject.storage.registerAgent(aRegistration("a"));
      await subject.storage.registerAgent(aRegistration("a"));
      await subject.changes();
      const failure = await failureOf(() => subject.storage.deregisterAgent({ ...KEY, incarnation, actor: ACTOR }));
      expect(failure.reason).toBe(reason);
      expect(failure.metadata).toEqual({ incarnation: String(incarnation), current: "2" });
      expect(await subject.storage.getAgent(KEY)).toBeDefined();
      expect(await subject.events()).toEqual([]);
    });

    it("fails for an agent that is not registered, also the second time", async () => {
      await subject.storage.registerAgent(aRegistration("a"));
      await subject.storage.deregisterAgent({ ...KEY, incarnation: 0, actor: ACTOR });
      const failure = await failureOf(() => subject.storage.deregisterAgent({ ...KEY, incarnation: 0, actor: ACTOR }));
      expect(failure).toMatchObject({ reason: "AGENT_NOT_FOUND", metadata: { agent_id: "a" } });
    });

    it("remembers the incarnation for one that comes back, as a new registration", async () => {
      await subject.storage.registerAgent(aRegistration("a"));
      await subject.storage.registerAgent(aRegistration("a"));
      await subject.storage.deregisterAgent({ ...KEY, incarnation: 0, actor: ACTOR });
      await subject.changes();
      const { agent, created } = await subject.storage.registerAgent(aRegistration("a"));
      expect(created).toBe(true);
      expect(agent.record.incarnation).toBe(3);
      expect(present((await subject.changes())[0])).toMatchObject({ previous: undefined, previousScope: undefined });
    });

    it("fails every command on the removed agent", async () => {
      await subject.storage.registerAgent(aRegistration("a"));
      await subject.storage.deregisterAgent({ ...KEY, incarnation: 0, actor: ACTOR });
      await subject.changes();
      const update = { ...KEY, patch: {}, expectedRevision: 0, requestId: "", actor: ACTOR };
      expect(await failureOf(() => subject.storage.setState(aReport("a", State.IDLE)))).toMatchObject({
        reason: "AGENT_NOT_FOUND",
      });
      expect(await failureOf(() => subject.storage.updateAgent(update))).toMatchObject({ reason: "AGENT_NOT_FOUND" });
      expect(await failureOf(() => subject.storage.renewLease({ ...KEY, incarnation: 0 }))).toMatchObject({
        reason: "AGENT_NOT_FOUND",
      });
      expect(await subject.events()).toEqual([]);
    });
  });
}
