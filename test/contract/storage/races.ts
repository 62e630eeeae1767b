import { describe, expect, it } from "vitest";
import { AgentChangeType, Liveness, SessionStatus, State } from "../../../src/storage/records.js";
import { ACTOR, aRegistration, aReport, aSession, aSessionUpdate, NAMESPACE } from "../../helpers/records.js";
import { attempt, present, times, useStorage, type StorageFactory } from "./harness.js";
import { LEASE_MS } from "./leases.js";
import { CALLERS, race, tally } from "./racing.js";

const KEY = { namespace: NAMESPACE, agentId: "a" };

/** Commands from many callers at once: each is atomic, so one order of them explains what all of them saw. */
export function racesContract(factory: StorageFactory): void {
  describe("races", () => {
    const subject = useStorage(factory);

    it("give every registration its own incarnation", async () => {
      const outcomes = await race(subject, (on) => on.registerAgent(aRegistration("a")));
      const incarnations = outcomes.map(({ value }) => present(value).agent.record.incarnation);
      expect([...incarnations].sort((a, b) => a - b)).toEqual(times(CALLERS, (index) => index + 1));
      expect(outcomes.filter(({ value }) => value?.created)).toHaveLength(1);
      expect(await subject.events()).toHaveLength(CALLERS);
    });

    it("show an agent that is being registered, or nothing, and never half of it", async () => {
      const ids = times(100, (index) => `agent-${index}`);
      const outcomes = await Promise.all(
        ids.map(async (agentId, index) => {
          const key = { namespace: NAMESPACE, agentId };
          // The reads of one replica overlap with the registration through the other.
          const reads = times(4, () => attempt<unknown>(() => subject.replica.getState(key)));
          if (index % 2 === 0) reads.push(...times(4, () => attempt<unknown>(() => subject.replica.getAgent(key))));
          await subject.storage.registerAgent(aRegistration(agentId));
          return Promise.all(reads);
        }),
      );
      expect(tally(outcomes.flat())).toEqual({ OK: 600 });
    });

    it("let one of many deregister", async () => {
      await subject.storage.registerAgent(aRegistration("a"));
      const outcomes = await race(subject, (on) => on.deregisterAgent({ ...KEY, incarnation: 0, actor: ACTOR }));
      expect(tally(outcomes)).toEqual({ OK: 1, AGENT_NOT_FOUND: CALLERS - 1 });
    });

    it("let one of many report at an expected revision", async () => {
      const { agent } = await subject.storage.registerAgent(aRegistration("a"));
      const expectedRevision = agent.state.revision;
      const outcomes = await race(subject, (on, caller) =>
        on.setState(aReport("a", State.IDLE, { expectedRevision, message: `caller ${caller}` })),
      );
      expect(tally(outcomes)).toEqual({ OK: 1, STATE_MISMATCH: CALLERS - 1 });
      const winner = present(outcomes.find(({ value }) => value !== undefined)?.value);
      expect(await subject.storage.getState(KEY)).toEqual(winner.state);
    });

    it("let one of many take an agent from IDLE to ACTIVE", async () => {
      await subject.storage.registerAgent(aRegistration("a", { initialState: State.IDLE }));
      const outcomes = await race(subject, (on, caller) =>
        on.setState(aReport("a", State.ACTIVE, { expectedStates: [State.IDLE], taskId: `task-${caller}` })),
      );
      expect(tally(outcomes)).toEqual({ OK: 1, STATE_MISMATCH: CALLERS - 1 });
    });

    it("let one of many report with one sequence", async () => {
      await subject.storage.registerAgent(aRegistration("a"));
      const outcomes = await race(subject, (on, caller) =>
        on.setState(aReport("a", State.IDLE, { sequence: 1, message: `caller ${caller}` })),
      );
      expect(tally(outcomes)).toEqual({ OK: 1, STALE_SEQUENCE: CALLERS - 1 });
    });

    it("take reports with growing sequences in their order, whichever arrive", async () => {
      await subject.storage.registerAgent(aRegistration("a"));
      await subject.changes();
      await race(subject, (on, caller) =>
        on.setState(aReport("a", State.IDLE, { sequence: caller + 1, message: `report ${caller + 1}` })),
      );
      const sequences = (await subject.changes()).map((change) =>
        change.kind === "agent" ? change.state.sequence : 0,
      );
      expect(sequences).toEqual([...sequences].sort((a, b) => a - b));
      expect(sequences.at(-1)).toBe(CALLERS);
    });

    it("log an unbroken chain of transitions", async () => {
      await subject.storage.registerAgent(aRegistration("a"));
      await race(subject, (on, caller) => on.setState(aReport("a", caller % 2 === 0 ? State.IDLE : State.ACTIVE)));
      const changes = await subject.changes();
      let before = changes[0]?.kind === "agent" ? changes[0].state : undefined;
      for (const change of changes.slice(1)) {
        if (change.kind !== "agent") throw new Error("expected only changes of agents");
        expect(change.previous).toEqual(before);
        before = change.state;
      }
      expect(await subject.storage.getState(KEY)).toEqual(before);
    });

    it("let one of many update data at an expected revision", async () => {
      const { agent } = await subject.storage.registerAgent(aRegistration("a"));
      const outcomes = await race(subject, (on, caller) =>
        on.updateAgent({
          ...KEY,
          patch: { version: `v${caller}` },
          expectedRevision: agent.record.revision,
          requestId: "",
          actor: ACTOR,
        }),
      );
      expect(tally(outcomes)).toEqual({ OK: 1, STATE_MISMATCH: CALLERS - 1 });
      expect(await subject.events()).toEqual(["REGISTERED a: UNKNOWN", "UPDATED a"]);
    });

    it("let one of many start a session", async () => {
      await subject.storage.registerAgent(aRegistration("a"));
      const outcomes = await race(subject, (on) => on.startSession(aSession("s", "a")));
      expect(tally(outcomes)).toEqual({ OK: 1, SESSION_ALREADY_EXISTS: CALLERS - 1 });
    });

    it("let a session end once", async () => {
      await subject.storage.registerAgent(aRegistration("a"));
      await subject.storage.startSession(aSession("s", "a"));
      const ends = [SessionStatus.COMPLETED, SessionStatus.FAILED, SessionStatus.CANCELLED];
      const outcomes = await race(subject, (on, caller) =>
        on.updateSession(aSessionUpdate("s", { status: present(ends[caller % ends.length]) })),
      );
      expect(tally(outcomes)).toEqual({ OK: 1, SESSION_ENDED: CALLERS - 1 });
    });

    it("leave an agent that renews while it expires in a state that the log explains", async () => {
      await subject.storage.registerAgent(aRegistration("a", { leaseTtlMs: LEASE_MS }));
      await subject.advance(LEASE_MS);
      await subject.changes();
      await race<unknown>(subject, (on, caller) =>
        caller % 4 < 2 ? on.expireLeases({ stalledMs: 0 }) : on.renewLease({ ...KEY, incarnation: 1 }),
      );
      expect(present(await subject.storage.getState(KEY)).liveness).toBe(Liveness.ALIVE);
      const events = await subject.events();
      expect([[], ["LIVENESS a: ALIVE>SUSPECT", "LIVENESS a: SUSPECT>ALIVE"]]).toContainEqual(events);
    });

    it("expire a lease once, however many sweep", async () => {
      await subject.storage.registerAgent(aRegistration("a", { leaseTtlMs: LEASE_MS }));
      await subject.advance(LEASE_MS);
      const outcomes = await race(subject, (on) => on.expireLeases({ stalledMs: 0 }));
      expect(outcomes.reduce((sum, { value }) => sum + present(value).suspected, 0)).toBe(1);
    });

    it("apply or fail every report that meets registrations and deregistrations", async () => {
      const outcomes = await race<unknown>(subject, (on, caller) => {
        if (caller % 3 === 0) return on.registerAgent(aRegistration("a"));
        if (caller % 3 === 1) return on.setState(aReport("a", State.IDLE, { holdMs: 200, message: `${caller}` }));
        return on.deregisterAgent({ ...KEY, incarnation: 0, actor: ACTOR });
      });
      const { OK, AGENT_NOT_FOUND = 0, ...others } = tally(outcomes);
      expect(others).toEqual({});
      expect(present(OK) + AGENT_NOT_FOUND).toBe(CALLERS);
      const changes = await subject.changes();
      let registered = false;
      for (const change of changes) {
        if (change.kind !== "agent") throw new Error("expected only changes of agents");
        if (change.type !== AgentChangeType.REGISTERED) expect(registered).toBe(true);
        registered = change.type !== AgentChangeType.DEREGISTERED;
      }
    });
  });
}
