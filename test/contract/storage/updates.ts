import { describe, expect, it } from "vitest";
import { AgentChangeType, State, TaskDelivery, type AgentProfile } from "../../../src/storage/records.js";
import type { UpdateAgent } from "../../../src/storage/storage.js";
import { ACTOR, aProfile, aRegistration, aReport, NAMESPACE } from "../../helpers/records.js";
import { failureOf, present, useStorage, type StorageFactory } from "./harness.js";

const KEY = { namespace: NAMESPACE, agentId: "a" };

const BEFORE = aProfile({
  displayName: "before",
  version: "1",
  capabilities: ["old"],
  contactEndpoint: "https://before.example",
  labels: { env: "dev" },
  metadata: { a: 1 },
  leaseTtlMs: 60_000,
});

/** One new value for each field. */
const PATCHES: readonly Partial<AgentProfile>[] = [
  { displayName: "after" },
  { displayName: "" },
  { version: "2" },
  { capabilities: ["new", "old"] },
  { capabilities: [] },
  { contactEndpoint: "" },
  { labels: { env: "dev", tier: "web" } },
  { labels: {} },
  { metadata: { a: 2 } },
  { metadata: undefined },
  { leaseTtlMs: 90_000 },
  { leaseTtlMs: 0 },
];

function anUpdate(patch: Partial<AgentProfile>, update: Partial<UpdateAgent> = {}): UpdateAgent {
  return { ...KEY, patch, expectedRevision: 0, requestId: "", actor: ACTOR, ...update };
}

/** UpdateAgent, and RegisterAgent with `keepState`. */
export function updatesContract(factory: StorageFactory): void {
  describe("updates", () => {
    const subject = useStorage(factory);

    it.each(PATCHES)("changes %o and nothing else", async (patch) => {
      const { agent: before } = await subject.storage.registerAgent({ ...aRegistration("a"), profile: BEFORE });
      await subject.changes();

      const agent = await subject.storage.updateAgent(anUpdate(patch));

      expect(agent.record).toMatchObject({ ...BEFORE, ...patch, incarnation: 1 });
      expect(agent.record.revision).toBeGreaterThan(before.record.revision);
      expect(agent.record.registerTime).toBe(before.record.registerTime);
      expect(agent.state).toEqual(before.state);
      expect((await subject.replica.getAgent(KEY))?.record).toEqual(agent.record);
      const [change, ...rest] = await subject.changes();
      expect(rest).toEqual([]);
      expect(change).toMatchObject({
        type: AgentChangeType.UPDATED,
        state: before.state,
        scope: { labels: agent.record.labels, capabilities: agent.record.capabilities },
        previousScope: { labels: BEFORE.labels, capabilities: BEFORE.capabilities },
        agent: { record: agent.record, state: before.state },
      });
    });

    it.each([{}, { displayName: "before" }, { metadata: { a: 1 } }, { labels: { env: "dev" }, capabilities: ["old"] }])(
      "makes no event of %o, which says nothing new",
      async (patch) => {
        const { agent: before } = await subject.storage.registerAgent({ ...aRegistration("a"), profile: BEFORE });
        await subject.changes();
        const agent = await subject.storage.updateAgent(anUpdate(patch));
        expect(agent.record).toEqual(before.record);
        expect(await subject.events()).toEqual([]);
      },
    );

    it("changes only the record that the caller has read", async () => {
      const { agent } = await subject.storage.registerAgent(aRegistration("a"));
      const { revision } = agent.record;
      // A report changes the state, not the data: it does not get in the way.
      await subject.storage.setState(aReport("a", State.IDLE));
      const first = await subject.storage.updateAgent(anUpdate({ version: "2" }, { expectedRevision: revision }));
      await subject.changes();

      const second = anUpdate({ version: "3" }, { expectedRevision: revision });
      const failure = await failureOf(() => subject.replica.updateAgent(second));
      const current = first.record.revision;
      expect(failure).toMatchObject({
        reason: "STATE_MISMATCH",
        message: `the data of agent a is at revision ${current}, not ${revision}`,
      });
      // Nothing of the state, which was not compared.
      expect(failure.metadata).toEqual({ revision: String(current) });
      expect(await subject.events()).toEqual([]);
    });

    it("fails for an agent that is not registered", async () => {
      const failure = await failureOf(() => subject.storage.updateAgent(anUpdate({ version: "2" })));
      expect(failure).toMatchObject({ reason: "AGENT_NOT_FOUND", metadata: { agent_id: "a" } });
    });
  });

  describe("registration that keeps the state", () => {
    const subject = useStorage(factory);

    it("registers an agent that is not there", async () => {
      const registration = aRegistration("a", { keepState: true, initialState: State.IDLE });
      const { agent, created } = await subject.storage.registerAgent(registration);
      expect(created).toBe(true);
      expect(agent.state.state).toBe(State.IDLE);
      expect(await subject.events()).toEqual(["REGISTERED a: IDLE"]);
    });

    it("changes the data of one that is there, but neither state, incarnation nor lease", async () => {
      await subject.storage.registerAgent(aRegistration("a", { leaseTtlMs: 60_000 }));
      const { state } = await subject.storage.setState(aReport("a", State.ACTIVE, { sequence: 4 }));
      await subject.changes();

      const again = { keepState: true, initialState: State.IDLE, version: "2", labels: { env: "prod" } };
      const { agent, created } = await subject.storage.registerAgent(aRegistration("a", again));

      expect(created).toBe(false);
      expect(agent.record).toMatchObject({ version: "2", labels: { env: "prod" }, incarnation: 1, leaseTtlMs: 60_000 });
      expect(agent.state).toEqual(state);
      expect(agent.leaseExpireTime).toBeDefined();
      expect(await subject.events()).toEqual(["UPDATED a"]);
      const stale = await failureOf(() => subject.storage.setState(aReport("a", State.IDLE, { sequence: 4 })));
      expect(stale.reason).toBe("STALE_SEQUENCE");
    });

    it("leaves how the agent lives and works to the agent, and its labels unless it has some", async () => {
      const own = {
        leaseTtlMs: 60_000,
        maxConcurrentTasks: 4,
        taskDelivery: TaskDelivery.STREAM,
        labels: { env: "prod" },
      };
      const told = { displayName: "A", version: "1", capabilities: ["write"], metadata: { by: "itself" } };
      await subject.storage.registerAgent(aRegistration("a", { ...own, ...told }));
      const announced = { displayName: "B", version: "2", capabilities: ["read"], contactEndpoint: "http://a.example" };
      const foreign = { leaseTtlMs: 1_000, maxConcurrentTasks: 9, taskDelivery: TaskDelivery.AGENTKIT };
      await subject.replica.registerAgent(aRegistration("a", { keepState: true, ...foreign, ...announced }));
      const { record } = present(await subject.storage.getAgent(KEY));
      expect(record).toMatchObject({ ...own, ...announced, incarnation: 1, metadata: undefined });

      const labels = { team: "b" };
      await subject.replica.registerAgent(aRegistration("a", { keepState: true, ...foreign, ...announced, labels }));
      expect(present(await subject.storage.getAgent(KEY)).record).toMatchObject({ ...own, ...announced, labels });
      expect(await subject.events()).toEqual(["REGISTERED a: UNKNOWN", "UPDATED a", "UPDATED a"]);
    });

    it("makes no event when it says nothing new", async () => {
      await subject.storage.registerAgent(aRegistration("a", { version: "1" }));
      await subject.changes();
      await subject.storage.registerAgent(aRegistration("a", { version: "1", keepState: true }));
      expect(await subject.events()).toEqual([]);
      expect(present(await subject.storage.getAgent(KEY)).record.incarnation).toBe(1);
    });
  });
}
