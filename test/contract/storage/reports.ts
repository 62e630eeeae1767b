import { describe, expect, it } from "vitest";
import { AgentChangeType, Liveness, State, type ReportContent } from "../../../src/storage/records.js";
import { isLegalTransition, stateName } from "../../../src/storage/state-machine.js";
import { aRegistration, aReport, NAMESPACE } from "../../helpers/records.js";
import { STATES } from "./events.js";
import { failureOf, useStorage, type StorageFactory } from "./harness.js";

const KEY = { namespace: NAMESPACE, agentId: "a" };

const CONTENT: Omit<ReportContent, "state"> = {
  reason: "Working",
  message: "on it",
  details: { progress: 0.5, steps: ["a", { b: null }] },
  sessionId: "s-1",
  taskId: "t-1",
};

/** One difference each. */
const DIFFERENCES: readonly Partial<ReportContent>[] = [
  { reason: "Done" },
  { reason: "" },
  { message: "still on it" },
  { details: { progress: 0.6, steps: ["a", { b: null }] } },
  { details: { progress: 0.5, steps: ["a", { b: 0 }] } },
  { details: { progress: 0.5 } },
  { details: undefined },
  { sessionId: "s-2" },
  { sessionId: "" },
  { taskId: "t-2" },
];

const SAME: readonly Partial<ReportContent>[] = [{}, { details: { steps: ["a", { b: null }], progress: 0.5 } }];

/** What SetState stores, and which transitions it takes. */
export function reportsContract(factory: StorageFactory): void {
  describe("transitions", () => {
    const subject = useStorage(factory);
    const pairs = STATES.flatMap((from) =>
      STATES.map((to) => ({ from, to, label: `${stateName(from)} to ${stateName(to)}` })),
    );
    const legal = pairs.filter(({ from, to }) => isLegalTransition(from, to));
    const illegal = pairs.filter(({ from, to }) => !isLegalTransition(from, to));

    it.each(legal)("takes $label with new content", async ({ from, to }) => {
      const { agent } = await subject.storage.registerAgent(aRegistration("a", { initialState: from }));
      await subject.changes();
      const { state, changed } = await subject.storage.setState(aReport("a", to, { message: "new" }));
      expect(changed).toBe(true);
      expect(state).toMatchObject({ state: to, message: "new", cause: AgentChangeType.TRANSITION });
      expect(await subject.replica.getState(KEY)).toEqual(state);
      const changes = await subject.changes();
      expect(changes).toMatchObject([{ type: AgentChangeType.TRANSITION, state, previous: agent.state }]);
    });

    it.each(illegal)("refuses $label with new content", async ({ from, to }) => {
      const { agent } = await subject.storage.registerAgent(aRegistration("a", { initialState: from }));
      await subject.changes();
      const failure = await failureOf(() => subject.storage.setState(aReport("a", to, { message: "new" })));
      expect(failure.reason).toBe("ILLEGAL_TRANSITION");
      expect(failure.metadata).toEqual({ from: stateName(from), to: stateName(to) });
      expect(await subject.storage.getState(KEY)).toEqual(agent.state);
      expect(await subject.events()).toEqual([]);
    });

    it.each(pairs)("judges $label with no other content", async ({ from, to }) => {
      await subject.storage.registerAgent(aRegistration("a", { initialState: from }));
      await subject.changes();
      const report = () => subject.storage.setState(aReport("a", to));
      if (from === to) {
        expect(await report()).toMatchObject({ changed: false, state: { state: from } });
        expect(await subject.events()).toEqual([]);
      } else if (isLegalTransition(from, to)) {
        expect(await report()).toMatchObject({ changed: true, state: { state: to } });
        expect(await subject.events()).toEqual([`TRANSITION a: ${stateName(from)}>${stateName(to)}`]);
      } else {
        expect(await failureOf(report)).toMatchObject({ reason: "ILLEGAL_TRANSITION" });
        expect(await subject.events()).toEqual([]);
      }
    });

    it("leaves FINISHED by a new registration", async () => {
      await subject.storage.registerAgent(aRegistration("a", { initialState: State.FINISHED }));
      await subject.storage.registerAgent(aRegistration("a"));
      const { state } = await subject.storage.setState(aReport("a", State.IDLE));
      expect(state).toMatchObject({ state: State.IDLE, incarnation: 2 });
    });
  });

  describe("reports", () => {
    const subject = useStorage(factory);

    it("stores everything a report says", async () => {
      const { agent } = await subject.storage.registerAgent(aRegistration("a"));
      const stamp = { reportTime: 1_234.5, sequence: 7, incarnation: 1, actor: "someone" };
      const { state } = await subject.storage.setState(aReport("a", State.ACTIVE, { ...CONTENT, ...stamp }));
      expect(state).toMatchObject({
        ...CONTENT,
        ...stamp,
        state: State.ACTIVE,
        liveness: Liveness.ALIVE,
        agentId: "a",
      });
      expect(state.revision).toBeGreaterThan(agent.state.revision);
      expect(await subject.replica.getState(KEY)).toEqual(state);
      expect((await subject.replica.getAgent(KEY))?.state).toEqual(state);
    });

    it("leaves the agent's data and its revision alone", async () => {
      const { agent } = await subject.storage.registerAgent(aRegistration("a", { version: "1" }));
      await subject.storage.setState(aReport("a", State.IDLE));
      expect((await subject.storage.getAgent(KEY))?.record).toEqual(agent.record);
    });

    it.each(DIFFERENCES)("takes %o as news", async (difference) => {
      await subject.storage.registerAgent(aRegistration("a"));
      await subject.storage.setState(aReport("a", State.ACTIVE, CONTENT));
      await subject.changes();
      const report = aReport("a", State.ACTIVE, { ...CONTENT, ...difference });
      const { state, changed } = await subject.storage.setState(report);
      expect(changed).toBe(true);
      expect(state).toMatchObject({ ...CONTENT, ...difference });
      expect(await subject.events()).toEqual(["TRANSITION a: ACTIVE>ACTIVE"]);
    });

    it.each(SAME)("takes %o as nothing new", async (same) => {
      await subject.storage.registerAgent(aRegistration("a"));
      const { state: before } = await subject.storage.setState(aReport("a", State.ACTIVE, CONTENT));
      await subject.changes();
      const report = aReport("a", State.ACTIVE, { ...CONTENT, ...same, reportTime: 99, actor: "another" });
      expect(await subject.storage.setState(report)).toEqual({ state: before, changed: false });
      expect(await subject.events()).toEqual([]);
    });

    it("keeps the answers of one agent in revision order", async () => {
      await subject.storage.registerAgent(aRegistration("a"));
      let last = 0;
      for (const state of [State.IDLE, State.ACTIVE, State.IDLE, State.ERROR, State.INITIALIZING, State.FINISHED]) {
        const { state: record } = await subject.storage.setState(aReport("a", state));
        expect(record.revision).toBeGreaterThan(last);
        last = record.revision;
      }
      expect(await subject.events()).toEqual([
        "REGISTERED a: UNKNOWN",
        "TRANSITION a: UNKNOWN>IDLE",
        "TRANSITION a: IDLE>ACTIVE",
        "TRANSITION a: ACTIVE>IDLE",
        "TRANSITION a: IDLE>ERROR",
        "TRANSITION a: ERROR>INITIALIZING",
        "TRANSITION a: INITIALIZING>FINISHED",
      ]);
    });

    it("fails at once for an agent that is not registered when it may not be held", async () => {
      const failure = await failureOf(() => subject.storage.setState(aReport("a", State.IDLE)));
      expect(failure).toMatchObject({ reason: "AGENT_NOT_FOUND", metadata: { agent_id: "a" } });
      expect(await subject.events()).toEqual([]);
    });
  });
}
