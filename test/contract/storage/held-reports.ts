import { describe, expect, it } from "vitest";
import { State } from "../../../src/storage/records.js";
import { ACTOR, aRegistration, aReport, NAMESPACE } from "../../helpers/records.js";
import { attempt, failureOf, present, times, useStorage, type StorageFactory } from "./harness.js";

const KEY = { namespace: NAMESPACE, agentId: "a" };

/** Far longer than a case takes: such a report ends by being applied. */
const LONG = 60_000;
/** Such a report ends by running out of time. */
const SHORT = 25;

const PER_AGENT = 5;
const IN_ALL = 12;

/** Reports that arrive before their agent is registered. */
export function heldReportsContract(factory: StorageFactory): void {
  describe("held reports", () => {
    const subject = useStorage(factory);

    it("are applied when the registration commits", async () => {
      const outcome = attempt(() =>
        subject.storage.setState(aReport("a", State.IDLE, { holdMs: LONG, message: "early" })),
      );
      const { agent, created } = await subject.storage.registerAgent(aRegistration("a"));
      const { value } = await outcome;
      expect(created).toBe(true);
      expect(value).toMatchObject({ changed: true, state: { state: State.IDLE, message: "early", incarnation: 1 } });
      expect(agent.state).toEqual(value?.state);
      expect(await subject.events()).toEqual(["REGISTERED a: UNKNOWN", "TRANSITION a: UNKNOWN>IDLE"]);
    });

    it("are applied when the registration commits on another replica", async () => {
      const outcome = attempt(() => subject.replica.setState(aReport("a", State.IDLE, { holdMs: LONG })));
      await subject.storage.registerAgent(aRegistration("a"));
      expect(await outcome).toMatchObject({ value: { changed: true } });
      expect(present(await subject.storage.getState(KEY)).state).toBe(State.IDLE);
    });

    it("are applied in arrival order, each as a commit of its own", async () => {
      const path = [State.INITIALIZING, State.IDLE, State.ACTIVE, State.IDLE];
      const outcomes = path.map((state) =>
        attempt(() => subject.storage.setState(aReport("a", state, { holdMs: LONG }))),
      );
      const { agent } = await subject.storage.registerAgent(aRegistration("a"));
      const revisions = (await Promise.all(outcomes)).map(({ value }) => present(value).state.revision);
      expect(revisions).toEqual([...revisions].sort((a, b) => a - b));
      expect(agent.state.revision).toBe(revisions.at(-1));
      expect(await subject.events()).toEqual([
        "REGISTERED a: UNKNOWN",
        "TRANSITION a: UNKNOWN>INITIALIZING",
        "TRANSITION a: INITIALIZING>IDLE",
        "TRANSITION a: IDLE>ACTIVE",
        "TRANSITION a: ACTIVE>IDLE",
      ]);
    });

    it("fail alone when they are refused", async () => {
      const held = [
        aReport("a", State.ACTIVE, { holdMs: LONG, sequence: 2 }),
        aReport("a", State.UNKNOWN, { holdMs: LONG }),
        aReport("a", State.IDLE, { holdMs: LONG, sequence: 1 }),
        aReport("a", State.IDLE, { holdMs: LONG, incarnation: 9 }),
        aReport("a", State.ERROR, { holdMs: LONG, expectedStates: [State.IDLE] }),
        aReport("a", State.IDLE, { holdMs: LONG, incarnation: 1, sequence: 3 }),
      ];
      const outcomes = held.map((report) => attempt(() => subject.storage.setState(report)));
      await subject.storage.registerAgent(aRegistration("a"));
      const reasons = (await Promise.all(outcomes)).map(({ failure }) => failure?.reason);
      expect(reasons).toEqual([
        undefined,
        "ILLEGAL_TRANSITION",
        "STALE_SEQUENCE",
        "UNKNOWN_INCARNATION",
        "STATE_MISMATCH",
        undefined,
      ]);
      expect(await subject.events()).toEqual([
        "REGISTERED a: UNKNOWN",
        "TRANSITION a: UNKNOWN>ACTIVE",
        "TRANSITION a: ACTIVE>IDLE",
      ]);
    });

    it("fail when nobody registers in time, and are not applied later", async () => {
      const report = aReport("a", State.IDLE, { holdMs: SHORT });
      const failure = await failureOf(() => subject.storage.setState(report));
      expect(failure).toMatchObject({ reason: "AGENT_NOT_FOUND", metadata: { agent_id: "a" } });
      const { agent } = await subject.storage.registerAgent(aRegistration("a"));
      expect(agent.state.state).toBe(State.UNKNOWN);
      expect(await subject.events()).toEqual(["REGISTERED a: UNKNOWN"]);
    });

    it("wait for their own agent", async () => {
      const outcome = attempt(() => subject.storage.setState(aReport("a", State.IDLE, { holdMs: LONG })));
      await subject.storage.registerAgent(aRegistration("b"));
      await subject.storage.registerAgent(aRegistration("a", { namespace: "other" }));
      expect([...(await subject.events())].sort()).toEqual(["REGISTERED a: UNKNOWN", "REGISTERED b: UNKNOWN"]);
      await subject.storage.registerAgent(aRegistration("a"));
      expect(await outcome).toMatchObject({ value: { changed: true } });
    });

    it("are held for an agent that was deregistered", async () => {
      await subject.storage.registerAgent(aRegistration("a"));
      await subject.storage.deregisterAgent({ ...KEY, incarnation: 0, actor: ACTOR });
      const outcome = attempt(() => subject.storage.setState(aReport("a", State.IDLE, { holdMs: LONG })));
      await subject.storage.registerAgent(aRegistration("a"));
      expect(await outcome).toMatchObject({ value: { state: { state: State.IDLE, incarnation: 2 } } });
    });

    it("are applied by a registration that keeps the state, where it is the first", async () => {
      const outcome = attempt(() => subject.storage.setState(aReport("a", State.IDLE, { holdMs: LONG })));
      const { agent } = await subject.storage.registerAgent(aRegistration("a", { keepState: true }));
      expect(agent.state.state).toBe(State.IDLE);
      expect(await outcome).toMatchObject({ value: { changed: true } });
    });

    it("say nothing new when they say what the registration said", async () => {
      const outcome = attempt(() => subject.storage.setState(aReport("a", State.IDLE, { holdMs: LONG })));
      await subject.storage.registerAgent(aRegistration("a", { initialState: State.IDLE }));
      expect(await outcome).toMatchObject({ value: { changed: false } });
      expect(await subject.events()).toEqual(["REGISTERED a: IDLE"]);
    });

    it("are joined by a repeat of the same request", async () => {
      const report = aReport("a", State.IDLE, { holdMs: LONG, requestId: "r", sequence: 1 });
      const outcomes = [
        attempt(() => subject.storage.setState(report)),
        attempt(() => subject.storage.setState(report)),
      ];
      await subject.storage.registerAgent(aRegistration("a"));
      outcomes.push(attempt(() => subject.storage.setState(report)));
      const [first, ...others] = await Promise.all(outcomes);
      expect(first).toMatchObject({ value: { changed: true } });
      for (const other of others) expect(other).toEqual(first);
      expect(await subject.events()).toEqual(["REGISTERED a: UNKNOWN", "TRANSITION a: UNKNOWN>IDLE"]);
    });

    it("fail with SERVER_STOPPING when the storage closes", async () => {
      const outcome = attempt(() => subject.replica.setState(aReport("a", State.IDLE, { holdMs: LONG })));
      await subject.replica.close();
      expect((await outcome).failure?.reason).toBe("SERVER_STOPPING");
    });
  });

  describe("the registration race", () => {
    const subject = useStorage(factory);

    it("ends with 40 of 40 agents IDLE, whichever came first", async () => {
      const ids = times(40, (index) => `agent-${index}`);
      const early = ids.filter((_, index) => index % 2 === 0);
      const late = ids.filter((_, index) => index % 2 === 1);
      const report = (id: string) => attempt(() => subject.storage.setState(aReport(id, State.IDLE, { holdMs: LONG })));
      const register = (id: string) => attempt(() => subject.replica.registerAgent(aRegistration(id)));

      const reported = early.map(report);
      const registered = ids.map(register);
      reported.push(...late.map(report));

      for (const outcome of await Promise.all(reported)) expect(outcome).toMatchObject({ value: { changed: true } });
      for (const outcome of await Promise.all(registered)) expect(outcome).toMatchObject({ value: { created: true } });
      for (const agentId of ids) {
        expect(await subject.storage.getState({ namespace: NAMESPACE, agentId })).toMatchObject({ state: State.IDLE });
      }
      const events = await subject.events();
      for (const id of ids) {
        const own = events.filter((event) => event.includes(` ${id}:`));
        expect(own).toEqual([`REGISTERED ${id}: UNKNOWN`, `TRANSITION ${id}: UNKNOWN>IDLE`]);
      }
    });
  });

  describe("limits of held reports", () => {
    const subject = useStorage(factory, { maxHeldReportsPerAgent: PER_AGENT, maxHeldReports: IN_ALL });
    const hold = (agentId: string) =>
      attempt(() => subject.storage.setState(aReport(agentId, State.IDLE, { holdMs: LONG })));

    it("refuse one too many for an agent", async () => {
      const held = times(PER_AGENT, () => hold("a"));
      const failure = present((await hold("a")).failure);
      expect(failure).toMatchObject({ reason: "TOO_MANY", metadata: { limit: String(PER_AGENT) } });
      expect(failure.retryAfterMs).toBeGreaterThan(0);
      const other = hold("b");
      await subject.storage.registerAgent(aRegistration("a"));
      await subject.storage.registerAgent(aRegistration("b"));
      for (const outcome of await Promise.all([...held, other])) expect(outcome.failure).toBeUndefined();
    });

    it("refuse one too many in all, and have room again after", async () => {
      const held = times(IN_ALL, (index) => hold(`agent-${index}`));
      expect((await hold("one-more")).failure).toMatchObject({
        reason: "TOO_MANY",
        metadata: { limit: String(IN_ALL) },
      });
      await subject.storage.registerAgent(aRegistration("agent-0"));
      const fits = hold("one-more");
      for (const index of times(IN_ALL, (each) => each)) {
        await subject.storage.registerAgent(aRegistration(`agent-${index}`));
      }
      await subject.storage.registerAgent(aRegistration("one-more"));
      for (const outcome of await Promise.all([...held, fits])) expect(outcome.failure).toBeUndefined();
    });

    it("count no report whose time ran out", async () => {
      for (let round = 0; round < 2 * PER_AGENT; round += 1) {
        const report = aReport("a", State.IDLE, { holdMs: 1 });
        expect((await failureOf(() => subject.storage.setState(report))).reason).toBe("AGENT_NOT_FOUND");
      }
      const outcome = hold("a");
      await subject.storage.registerAgent(aRegistration("a"));
      expect((await outcome).failure).toBeUndefined();
    });
  });
}
