import { describe, expect, it } from "vitest";
import { AgentChangeType, LEASE_ACTOR, Liveness, State } from "../../../src/storage/records.js";
import { ACTOR, aRegistration, aReport, NAMESPACE } from "../../helpers/records.js";
import { failureOf, present, useStorage, type StorageFactory, type Subject } from "./harness.js";

const KEY = { namespace: NAMESPACE, agentId: "a" };

/** Long enough that a storage with a real clock has time for the commands between two moments. */
export const LEASE_MS = 600;
const GRACE_MS = LEASE_MS / 2;

const NOTHING = { suspected: 0, lost: 0, braked: 0 };

function sweep({ storage }: Subject) {
  return storage.expireLeases({ stalledMs: 0 });
}

async function livenessOf({ storage }: Subject): Promise<Liveness> {
  return present(await storage.getState(KEY)).liveness;
}

async function makeSuspect(subject: Subject): Promise<void> {
  await subject.storage.registerAgent(aRegistration("a", { leaseTtlMs: LEASE_MS }));
  await subject.storage.setState(aReport("a", State.ACTIVE, { message: "busy", sequence: 3 }));
  await subject.advance(LEASE_MS);
  await sweep(subject);
}

async function makeLost(subject: Subject): Promise<void> {
  await makeSuspect(subject);
  await subject.advance(GRACE_MS);
  await sweep(subject);
}

/** Leases of single agents; `brake.ts` has what happens to many at once. */
export function leasesContract(factory: StorageFactory): void {
  describe("expiry", () => {
    const subject = useStorage(factory);

    it("makes an agent SUSPECT at the end of its lease and LOST half a lease later", async () => {
      await subject.storage.registerAgent(aRegistration("a", { leaseTtlMs: LEASE_MS }));
      expect(await sweep(subject)).toEqual(NOTHING);
      await subject.advance(LEASE_MS);
      expect(await sweep(subject)).toEqual({ ...NOTHING, suspected: 1 });
      expect(await sweep(subject)).toEqual(NOTHING);
      await subject.advance(GRACE_MS);
      expect(await sweep(subject)).toEqual({ ...NOTHING, lost: 1 });
      await subject.advance(2 * LEASE_MS);
      expect(await sweep(subject)).toEqual(NOTHING);
      expect(await subject.events()).toEqual([
        "REGISTERED a: UNKNOWN",
        "LIVENESS a: ALIVE>SUSPECT",
        "LIVENESS a: SUSPECT>LOST",
      ]);
    });

    it("keeps what the agent said and says who observed", async () => {
      await makeLost(subject);
      expect(await subject.storage.getState(KEY)).toMatchObject({
        state: State.ACTIVE,
        message: "busy",
        sequence: 3,
        liveness: Liveness.LOST,
        actor: LEASE_ACTOR,
        cause: AgentChangeType.LIVENESS,
        incarnation: 1,
      });
    });

    it("never expires an agent without a lease", async () => {
      const { agent } = await subject.storage.registerAgent(aRegistration("a"));
      expect(agent.leaseExpireTime).toBeUndefined();
      await subject.advance(3 * LEASE_MS);
      expect(await sweep(subject)).toEqual(NOTHING);
      expect(await subject.storage.renewLease({ ...KEY, incarnation: 0 })).toEqual({ leaseTtlMs: 0, remainingMs: 0 });
    });

    it("tells when the lease runs out", async () => {
      const { agent } = await subject.storage.registerAgent(aRegistration("a", { leaseTtlMs: LEASE_MS }));
      const registeredAt = agent.record.registerTime;
      expect(present(agent.leaseExpireTime) - registeredAt).toBeGreaterThanOrEqual(LEASE_MS - 50);
      expect(present(agent.leaseExpireTime) - registeredAt).toBeLessThanOrEqual(LEASE_MS + 50);
      await subject.advance(GRACE_MS);
      await subject.storage.renewLease({ ...KEY, incarnation: 1 });
      const renewed = present(await subject.storage.getAgent(KEY));
      expect(present(renewed.leaseExpireTime)).toBeGreaterThanOrEqual(present(agent.leaseExpireTime) + GRACE_MS - 50);
    });

    it("spares an agent that has FINISHED, which has no more lease", async () => {
      await subject.storage.registerAgent(aRegistration("a", { leaseTtlMs: LEASE_MS }));
      await subject.storage.setState(aReport("a", State.FINISHED));
      await subject.advance(3 * LEASE_MS);
      expect(await sweep(subject)).toEqual(NOTHING);
      expect(present(await subject.storage.getAgent(KEY)).leaseExpireTime).toBeUndefined();
      expect(await subject.storage.renewLease({ ...KEY, incarnation: 0 })).toEqual({ leaseTtlMs: 0, remainingMs: 0 });
      expect(await livenessOf(subject)).toBe(Liveness.ALIVE);
    });

    it("spares an agent that was deregistered", async () => {
      await subject.storage.registerAgent(aRegistration("a", { leaseTtlMs: LEASE_MS }));
      await subject.storage.deregisterAgent({ ...KEY, incarnation: 0, actor: ACTOR });
      await subject.advance(3 * LEASE_MS);
      expect(await sweep(subject)).toEqual(NOTHING);
    });
  });

  describe("renewal", () => {
    const subject = useStorage(factory);

    it("by heartbeat makes no event and lasts a whole lease", async () => {
      await subject.storage.registerAgent(aRegistration("a", { leaseTtlMs: LEASE_MS }));
      await subject.changes();
      await subject.advance(GRACE_MS);
      const { leaseTtlMs, remainingMs } = await subject.replica.renewLease({ ...KEY, incarnation: 1 });
      expect(leaseTtlMs).toBe(LEASE_MS);
      expect(remainingMs).toBeLessThanOrEqual(LEASE_MS);
      expect(remainingMs).toBeGreaterThan(LEASE_MS - 100);
      await subject.advance(GRACE_MS + 1);
      expect(await sweep(subject)).toEqual(NOTHING);
      expect(await subject.events()).toEqual([]);
      await subject.advance(GRACE_MS);
      expect(await sweep(subject)).toMatchObject({ suspected: 1 });
    });

    it.each([
      ["that changes something", State.IDLE, ["TRANSITION a: UNKNOWN>IDLE"]],
      ["that changes nothing", State.UNKNOWN, []],
    ])("by a report %s lasts a whole lease", async (_which, state, events) => {
      await subject.storage.registerAgent(aRegistration("a", { leaseTtlMs: LEASE_MS }));
      await subject.changes();
      await subject.advance(GRACE_MS);
      await subject.storage.setState(aReport("a", state));
      await subject.advance(GRACE_MS + 1);
      expect(await sweep(subject)).toEqual(NOTHING);
      expect(await subject.events()).toEqual(events);
    });

    it("wins over an expiry that comes late", async () => {
      await subject.storage.registerAgent(aRegistration("a", { leaseTtlMs: LEASE_MS }));
      await subject.changes();
      await subject.advance(2 * LEASE_MS);
      await subject.storage.renewLease({ ...KEY, incarnation: 1 });
      expect(await sweep(subject)).toEqual(NOTHING);
      expect(await subject.events()).toEqual([]);
    });

    it("is refused to other incarnations, and renews nothing", async () => {
      await subject.storage.registerAgent(aRegistration("a", { leaseTtlMs: LEASE_MS }));
      await subject.storage.registerAgent(aRegistration("a", { leaseTtlMs: LEASE_MS }));
      await subject.advance(LEASE_MS);
      const zombie = await failureOf(() => subject.storage.renewLease({ ...KEY, incarnation: 1 }));
      expect(zombie).toMatchObject({ reason: "STALE_INCARNATION", metadata: { incarnation: "1", current: "2" } });
      const stranger = await failureOf(() => subject.storage.renewLease({ ...KEY, incarnation: 3 }));
      expect(stranger).toMatchObject({ reason: "UNKNOWN_INCARNATION", metadata: { incarnation: "3", current: "2" } });
      expect(await sweep(subject)).toMatchObject({ suspected: 1 });
    });

    it("is refused where there is no agent", async () => {
      const failure = await failureOf(() => subject.storage.renewLease({ ...KEY, incarnation: 0 }));
      expect(failure).toMatchObject({ reason: "AGENT_NOT_FOUND", metadata: { agent_id: "a" } });
    });

    it("is not what a refused report does", async () => {
      await subject.storage.registerAgent(aRegistration("a", { leaseTtlMs: LEASE_MS, initialState: State.IDLE }));
      await subject.advance(GRACE_MS);
      expect((await failureOf(() => subject.storage.setState(aReport("a", State.UNKNOWN)))).reason).toBe(
        "ILLEGAL_TRANSITION",
      );
      await subject.advance(GRACE_MS);
      expect(await sweep(subject)).toMatchObject({ suspected: 1 });
    });
  });

  describe.each([
    ["SUSPECT", makeSuspect],
    ["LOST", makeLost],
  ] as const)("an agent that is %s", (before, given) => {
    const subject = useStorage(factory);

    it("becomes ALIVE by a heartbeat", async () => {
      await given(subject);
      await subject.changes();
      await subject.storage.renewLease({ ...KEY, incarnation: 1 });
      expect(await subject.changes()).toMatchObject([
        { type: AgentChangeType.LIVENESS, state: { liveness: Liveness.ALIVE, actor: LEASE_ACTOR, message: "busy" } },
      ]);
      await subject.advance(LEASE_MS);
      expect(await sweep(subject)).toMatchObject({ suspected: 1 });
    });

    it("becomes ALIVE by a report that changes nothing else", async () => {
      await given(subject);
      await subject.changes();
      const { state, changed } = await subject.storage.setState(aReport("a", State.ACTIVE, { message: "busy" }));
      expect(changed).toBe(false);
      expect(state).toMatchObject({ liveness: Liveness.ALIVE, cause: AgentChangeType.LIVENESS });
      expect(await subject.events()).toEqual([`LIVENESS a: ${before}>ALIVE`]);
    });

    it("becomes ALIVE with the transition of a report", async () => {
      await given(subject);
      await subject.changes();
      const { state } = await subject.storage.setState(aReport("a", State.IDLE));
      expect(state.liveness).toBe(Liveness.ALIVE);
      expect(await subject.events()).toEqual([`TRANSITION a: ACTIVE>IDLE ${before}>ALIVE`]);
      await subject.advance(LEASE_MS);
      expect(await sweep(subject)).toMatchObject({ suspected: 1 });
    });

    it("becomes ALIVE by registering again", async () => {
      await given(subject);
      await subject.storage.registerAgent(aRegistration("a", { leaseTtlMs: LEASE_MS }));
      expect(await livenessOf(subject)).toBe(Liveness.ALIVE);
      expect(await sweep(subject)).toEqual(NOTHING);
      await subject.advance(LEASE_MS);
      expect(await sweep(subject)).toMatchObject({ suspected: 1 });
    });

    it("becomes ALIVE when its lease is taken away", async () => {
      await given(subject);
      await subject.changes();
      const update = { ...KEY, patch: { leaseTtlMs: 0 }, expectedRevision: 0, requestId: "", actor: ACTOR };
      await subject.storage.updateAgent(update);
      expect(await subject.events()).toEqual(["UPDATED a", `LIVENESS a: ${before}>ALIVE`]);
    });

    it("stays so when its lease is changed, which is no sign of life", async () => {
      await given(subject);
      await subject.changes();
      const update = { ...KEY, patch: { leaseTtlMs: 5 * LEASE_MS }, expectedRevision: 0, requestId: "", actor: ACTOR };
      await subject.storage.updateAgent(update);
      expect(await subject.events()).toEqual(["UPDATED a"]);
      await subject.storage.renewLease({ ...KEY, incarnation: 1 });
      await subject.advance(2 * LEASE_MS);
      expect(await sweep(subject)).toEqual(NOTHING);
    });

    it("gets no fresh lease by a change of it", async () => {
      await given(subject);
      const update = { ...KEY, patch: { leaseTtlMs: 2 * LEASE_MS }, expectedRevision: 0, requestId: "", actor: ACTOR };
      await subject.storage.updateAgent(update);
      await subject.changes();
      await subject.advance(2 * LEASE_MS);
      await sweep(subject);
      await subject.advance(2 * LEASE_MS);
      await sweep(subject);
      expect(await livenessOf(subject)).toBe(Liveness.LOST);
      expect(await subject.events()).toEqual(before === "LOST" ? [] : ["LIVENESS a: SUSPECT>LOST"]);
    });

    it("stays so when its zombie tries to renew", async () => {
      await given(subject);
      expect((await failureOf(() => subject.storage.renewLease({ ...KEY, incarnation: 9 }))).reason).toBe(
        "UNKNOWN_INCARNATION",
      );
      expect(await livenessOf(subject)).not.toBe(Liveness.ALIVE);
    });
  });

  describe("a changed lease", () => {
    const subject = useStorage(factory);
    const setLease = (leaseTtlMs: number) =>
      subject.storage.updateAgent({ ...KEY, patch: { leaseTtlMs }, expectedRevision: 0, requestId: "", actor: ACTOR });

    it.each([
      ["given to an agent without one", 0, LEASE_MS],
      ["made shorter", 5 * LEASE_MS, LEASE_MS],
    ])("%s runs from now", async (_which, before, after) => {
      await subject.storage.registerAgent(aRegistration("a", { leaseTtlMs: before }));
      await setLease(after);
      expect(await sweep(subject)).toEqual(NOTHING);
      await subject.advance(LEASE_MS);
      expect(await sweep(subject)).toMatchObject({ suspected: 1 });
    });

    it.each([
      ["made longer", 5 * LEASE_MS],
      ["taken away", 0],
    ])("%s does not run out as before", async (_which, after) => {
      await subject.storage.registerAgent(aRegistration("a", { leaseTtlMs: LEASE_MS }));
      await setLease(after);
      await subject.advance(2 * LEASE_MS);
      expect(await sweep(subject)).toEqual(NOTHING);
    });
  });
}
