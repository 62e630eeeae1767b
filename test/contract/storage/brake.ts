import { describe, expect, it } from "vitest";
import { Liveness, State } from "../../../src/storage/records.js";
import { BRAKE_MIN_AGENTS } from "../../../src/storage/storage.js";
import { ACTOR, aRegistration, aReport, NAMESPACE } from "../../helpers/records.js";
import { present, times, useStorage, type StorageFactory, type Subject } from "./harness.js";
import { LEASE_MS } from "./leases.js";

const GRACE_MS = LEASE_MS / 2;
const NOTHING = { suspected: 0, lost: 0, braked: 0 };

function sweep({ storage }: Subject, stalledMs = 0) {
  return storage.expireLeases({ stalledMs });
}

/** Registers agents with leases. */
async function give(
  subject: Subject,
  ids: readonly string[],
  leaseTtlMs = LEASE_MS,
  namespace = NAMESPACE,
): Promise<void> {
  await Promise.all(ids.map(async (id) => subject.storage.registerAgent(aRegistration(id, { leaseTtlMs, namespace }))));
}

async function renew(subject: Subject, ids: readonly string[]): Promise<void> {
  await Promise.all(
    ids.map(async (agentId) => subject.storage.renewLease({ namespace: NAMESPACE, agentId, incarnation: 0 })),
  );
}

async function countLiveness(
  subject: Subject,
  ids: readonly string[],
  namespace = NAMESPACE,
): Promise<Map<Liveness, number>> {
  const counts = new Map<Liveness, number>();
  for (const agentId of ids) {
    const { liveness } = present(await subject.storage.getState({ namespace, agentId }));
    counts.set(liveness, (counts.get(liveness) ?? 0) + 1);
  }
  return counts;
}

/** Lets the victims miss their lease and the time after it, while the others renew. Ends just before the deciding sweep. */
async function silence(subject: Subject, victims: readonly string[], others: readonly string[]): Promise<void> {
  await subject.advance(LEASE_MS);
  await renew(subject, others);
  expect(await sweep(subject)).toEqual({ ...NOTHING, suspected: victims.length });
  await subject.advance(GRACE_MS);
}

const named = (prefix: string, count: number) => times(count, (index) => `${prefix}-${index}`);

/** The brake on mass expiry, and what happens after the server itself has stalled. */
export function brakeContract(factory: StorageFactory): void {
  describe("mass expiry", () => {
    const subject = useStorage(factory);

    it.each([
      // [leased, silent, braked]: at least BRAKE_MIN_AGENTS and more than half.
      [1, 1, false],
      [BRAKE_MIN_AGENTS - 1, BRAKE_MIN_AGENTS - 1, false],
      [BRAKE_MIN_AGENTS, BRAKE_MIN_AGENTS, true],
      [2 * BRAKE_MIN_AGENTS - 1, BRAKE_MIN_AGENTS, true],
      [2 * BRAKE_MIN_AGENTS, BRAKE_MIN_AGENTS, false],
      [2 * BRAKE_MIN_AGENTS, BRAKE_MIN_AGENTS + 1, true],
      [60, 30, false],
      [60, 31, true],
    ])("of %i leased agents, %i silent: braked %s", async (leased, silent, braked) => {
      const victims = named("victim", silent);
      const others = named("other", leased - silent);
      await give(subject, [...victims, ...others]);
      await silence(subject, victims, others);
      const expected = braked ? { ...NOTHING, braked: silent } : { ...NOTHING, lost: silent };
      expect(await sweep(subject)).toEqual(expected);
      const fate = braked ? Liveness.SUSPECT : Liveness.LOST;
      expect(await countLiveness(subject, victims)).toEqual(new Map([[fate, silent]]));
      if (others.length > 0) {
        expect(await countLiveness(subject, others)).toEqual(new Map([[Liveness.ALIVE, others.length]]));
      }
    });

    it("counts only leases that still run: neither agents that are LOST, nor FINISHED, nor without a lease", async () => {
      const gone = named("gone", BRAKE_MIN_AGENTS - 1);
      const finished = named("finished", 20);
      const free = named("free", 20);
      await give(subject, gone);
      await give(subject, free, 0);
      await give(subject, finished);
      for (const id of finished) await subject.storage.setState(aReport(id, State.FINISHED));
      await silence(subject, gone, []);
      expect(await sweep(subject)).toEqual({ ...NOTHING, lost: gone.length });

      const victims = named("victim", BRAKE_MIN_AGENTS);
      const others = named("other", BRAKE_MIN_AGENTS - 1);
      await give(subject, [...victims, ...others]);
      await silence(subject, victims, others);
      expect(await sweep(subject)).toEqual({ ...NOTHING, braked: victims.length });
    });

    it("keeps braking sweep after sweep, and those who renew are ALIVE again", async () => {
      const victims = named("victim", 30);
      await give(subject, victims);
      await silence(subject, victims, []);
      expect(await sweep(subject)).toEqual({ ...NOTHING, braked: 30 });
      expect(await sweep(subject)).toEqual({ ...NOTHING, braked: 30 });
      await renew(subject, victims.slice(0, 5));
      expect(await sweep(subject)).toEqual({ ...NOTHING, braked: 25 });
      expect(await countLiveness(subject, victims)).toEqual(
        new Map([
          [Liveness.ALIVE, 5],
          [Liveness.SUSPECT, 25],
        ]),
      );
    });

    it("lets the rest be LOST when so many renew that it is no mass any more", async () => {
      const victims = named("victim", 40);
      await give(subject, victims);
      await silence(subject, victims, []);
      expect(await sweep(subject)).toEqual({ ...NOTHING, braked: 40 });
      await renew(subject, victims.slice(0, 20));
      expect(await sweep(subject)).toEqual({ ...NOTHING, lost: 20 });
    });

    it("lets an operator confirm, namespace by namespace", async () => {
      const here = named("here", 25);
      const there = named("there", 10);
      await give(subject, here);
      await give(subject, there, LEASE_MS, "other");
      await subject.advance(LEASE_MS);
      await sweep(subject);
      await subject.advance(GRACE_MS);
      expect(await sweep(subject)).toEqual({ ...NOTHING, braked: 35 });
      await subject.changes();

      expect(await subject.replica.confirmExpiry(NAMESPACE)).toBe(25);
      expect(await countLiveness(subject, here)).toEqual(new Map([[Liveness.LOST, 25]]));
      expect(await countLiveness(subject, there, "other")).toEqual(new Map([[Liveness.SUSPECT, 10]]));
      expect(await subject.events()).toHaveLength(25);
      expect(await subject.storage.confirmExpiry(NAMESPACE)).toBe(0);
      // Ten are fewer than the brake wants.
      expect(await sweep(subject)).toEqual({ ...NOTHING, lost: 10 });
    });

    it("lets an operator confirm only what is past its time", async () => {
      const victims = named("victim", 30);
      const suspects = named("suspect", 5);
      await give(subject, victims);
      await give(subject, suspects, 2 * LEASE_MS);
      await silence(subject, victims, []);
      await sweep(subject);
      await subject.advance(GRACE_MS);
      await sweep(subject);
      expect(await subject.storage.confirmExpiry(NAMESPACE)).toBe(30);
      expect(await countLiveness(subject, suspects)).toEqual(new Map([[Liveness.SUSPECT, 5]]));
    });

    it("holds no agent that was deregistered, has finished or has registered again", async () => {
      const victims = named("victim", 30);
      await give(subject, victims);
      await silence(subject, victims, []);
      expect(await sweep(subject)).toEqual({ ...NOTHING, braked: 30 });
      const agent = { namespace: NAMESPACE, incarnation: 0, actor: ACTOR };
      await subject.storage.deregisterAgent({ ...agent, agentId: "victim-0" });
      await subject.storage.setState(aReport("victim-1", State.FINISHED));
      await give(subject, ["victim-2"]);
      await subject.changes();
      expect(await sweep(subject)).toEqual({ ...NOTHING, braked: 27 });
      expect(await subject.storage.confirmExpiry(NAMESPACE)).toBe(27);
      const events = await subject.events();
      expect(events).toHaveLength(27);
      for (const id of ["victim-0", "victim-1", "victim-2"]) expect(events.join()).not.toContain(`${id}:`);
    });

    it("confirms nothing where nothing is braked", async () => {
      await give(subject, ["a"]);
      await subject.advance(LEASE_MS);
      await sweep(subject);
      expect(await subject.storage.confirmExpiry(NAMESPACE)).toBe(0);
    });
  });

  describe("after a stall", () => {
    const subject = useStorage(factory);

    it.each([
      ["as long as the lease", LEASE_MS],
      ["longer than the lease", 3 * LEASE_MS],
    ])("%s, an agent gets one fresh lease", async (_which, stalledMs) => {
      await give(subject, ["a"]);
      await subject.advance(3 * LEASE_MS);
      await subject.changes();
      expect(await sweep(subject, stalledMs)).toEqual(NOTHING);
      expect(await subject.events()).toEqual([]);
      await subject.advance(LEASE_MS);
      expect(await sweep(subject)).toEqual({ ...NOTHING, suspected: 1 });
      await subject.advance(GRACE_MS);
      expect(await sweep(subject)).toEqual({ ...NOTHING, lost: 1 });
    });

    it("shorter than the lease, it expires as ever", async () => {
      await give(subject, ["a"]);
      await subject.advance(LEASE_MS);
      expect(await sweep(subject, LEASE_MS - 1)).toEqual({ ...NOTHING, suspected: 1 });
    });

    it("only those are spared whose lease is not longer than it", async () => {
      await give(subject, ["short"]);
      await give(subject, ["long"], 2 * LEASE_MS);
      await subject.advance(2 * LEASE_MS);
      await subject.changes();
      expect(await sweep(subject, LEASE_MS)).toEqual({ ...NOTHING, suspected: 1 });
      expect(await subject.events()).toEqual(["LIVENESS long: ALIVE>SUSPECT"]);
    });

    it("a SUSPECT agent is not LOST before its fresh lease and the time after it", async () => {
      await give(subject, ["a"]);
      await subject.advance(LEASE_MS);
      await sweep(subject);
      await subject.advance(3 * LEASE_MS);
      await subject.changes();
      expect(await sweep(subject, 3 * LEASE_MS)).toEqual(NOTHING);
      await subject.advance(LEASE_MS);
      expect(await sweep(subject)).toEqual(NOTHING);
      await subject.advance(GRACE_MS);
      expect(await sweep(subject)).toEqual({ ...NOTHING, lost: 1 });
      expect(await subject.events()).toEqual(["LIVENESS a: SUSPECT>LOST"]);
    });

    it("agents that the brake holds get a fresh lease too", async () => {
      const victims = named("victim", 30);
      await give(subject, victims);
      await silence(subject, victims, []);
      expect(await sweep(subject)).toEqual({ ...NOTHING, braked: 30 });
      expect(await sweep(subject, LEASE_MS)).toEqual(NOTHING);
      expect(await subject.storage.confirmExpiry(NAMESPACE)).toBe(0);
      await renew(subject, victims.slice(0, 15));
      await subject.advance(LEASE_MS);
      await renew(subject, victims.slice(0, 15));
      await sweep(subject);
      await subject.advance(GRACE_MS);
      expect(await sweep(subject)).toEqual({ ...NOTHING, lost: 15 });
    });

    it("a lease that still runs is left as it is", async () => {
      await give(subject, ["a"]);
      await subject.advance(GRACE_MS);
      expect(await sweep(subject, 5 * LEASE_MS)).toEqual(NOTHING);
      await subject.advance(GRACE_MS);
      expect(await sweep(subject)).toEqual({ ...NOTHING, suspected: 1 });
    });
  });
}
