import { describe, expect, it } from "vitest";
import { State } from "../../../src/storage/records.js";
import { ACTOR, aRegistration, aReport, NAMESPACE } from "../../helpers/records.js";
import { AGENT, anAttempt, aRelease, aReservation } from "../../helpers/tasks.js";
import { present, useStorage, type StorageFactory, type Subject } from "./harness.js";

const LEASE_MS = 600;
const RESERVED = { kind: "reserved" };
const UNAVAILABLE = { kind: "unavailable" };

/** An agent that takes so many tasks at the same time. */
async function given({ storage }: Subject, maxConcurrentTasks = 1, state: State = State.IDLE): Promise<void> {
  await storage.registerAgent(aRegistration(AGENT, { initialState: state, maxConcurrentTasks }));
}

/** The room that agents have for tasks. */
export function slotsContract(factory: StorageFactory): void {
  describe("reservation of a slot", () => {
    const subject = useStorage(factory);
    const reserve = (...of: Parameters<typeof aReservation>) => subject.storage.reserveSlot(aReservation(...of));
    const fullWith = async (...attempts: readonly (readonly [string, number])[]) => {
      const outcome = await subject.replica.reserveSlot(aReservation("one-more"));
      expect(outcome).toMatchObject({ kind: "full" });
      if (outcome.kind !== "full") return;
      expect(outcome.slots.map(({ taskId, attempt }) => [taskId, attempt])).toEqual(attempts);
    };

    it("takes the only one there is, and tells who finds none what is in its way", async () => {
      await given(subject);
      await subject.changes();
      expect(await reserve("t")).toMatchObject(RESERVED);
      await subject.advance(100);
      const outcome = await subject.replica.reserveSlot(aReservation("u"));
      if (outcome.kind !== "full") throw new Error(`expected no room, got ${outcome.kind}`);
      const [slot] = outcome.slots;
      expect(outcome.slots).toEqual([{ sessionId: "s", taskId: "t", attempt: 1, reserveTime: slot?.reserveTime }]);
      expect(outcome.now - (slot?.reserveTime ?? 0)).toBeGreaterThanOrEqual(100);
      expect(outcome.now - (slot?.reserveTime ?? 0)).toBeLessThan(5_000);
      expect(await subject.events()).toEqual([]);
    });

    it("takes as many as the agent has, in their order", async () => {
      await given(subject, 3);
      for (const taskId of ["c", "a", "b"]) expect(await reserve(taskId)).toMatchObject(RESERVED);
      await fullWith(["c", 1], ["a", 1], ["b", 1]);
    });

    it("answers the same to a repeat, also when the agent takes no more or is busy by now", async () => {
      await given(subject, 2);
      await reserve("t");
      await reserve("u");
      expect(await reserve("t")).toMatchObject(RESERVED);
      await subject.storage.setState(aReport(AGENT, State.ERROR));
      expect(await reserve("t")).toMatchObject(RESERVED);
      await subject.storage.setState(aReport(AGENT, State.IDLE));
      await fullWith(["t", 1], ["u", 1]);
    });

    it("tells the agent's revision as of now, also to a repeat", async () => {
      await given(subject);
      for (const state of [State.ACTIVE, State.IDLE]) {
        const { state: before } = present(await subject.storage.getAgent({ namespace: NAMESPACE, agentId: AGENT }));
        await reserve("t");
        expect(await reserve("t")).toEqual({ ...RESERVED, agentRevision: before.revision });
        await subject.storage.setState(aReport(AGENT, state));
      }
    });

    it("does not begin a slot's time anew by a repeat", async () => {
      await given(subject);
      await reserve("t");
      await subject.advance(500);
      await reserve("t");
      const outcome = await reserve("u");
      if (outcome.kind !== "full") throw new Error(`expected no room, got ${outcome.kind}`);
      expect(outcome.now - (outcome.slots[0]?.reserveTime ?? 0)).toBeGreaterThanOrEqual(500);
    });

    it("gives a new attempt the place of the one before, also where there is no room", async () => {
      await given(subject);
      await reserve("t", 1);
      await subject.advance(500);
      expect(await reserve("t", 3)).toMatchObject(RESERVED);
      await fullWith(["t", 3]);
      expect(await reserve("t", 2)).toEqual(UNAVAILABLE);
      await fullWith(["t", 3]);
      const outcome = await reserve("u");
      if (outcome.kind !== "full") throw new Error(`expected no room, got ${outcome.kind}`);
      expect(outcome.now - (outcome.slots[0]?.reserveTime ?? 0)).toBeLessThan(500);
    });

    it("keeps tasks of one name in two sessions apart", async () => {
      await given(subject, 2);
      await reserve("t", 1, { sessionId: "s1" });
      expect(await reserve("t", 2, { sessionId: "s2" })).toMatchObject(RESERVED);
      await fullWith(["t", 1], ["t", 2]);
    });

    it("keeps agents of one name in two namespaces apart", async () => {
      await given(subject);
      await subject.storage.registerAgent(aRegistration(AGENT, { namespace: "other", initialState: State.IDLE }));
      await reserve("t");
      expect(await reserve("t", 2, { namespace: "other" })).toMatchObject(RESERVED);
      await fullWith(["t", 1]);
    });

    it.each([
      ["is not there", "nobody", 1],
      ["has another incarnation, an older one", AGENT, 0],
      ["has another incarnation, a newer one", AGENT, 2],
    ])("is not possible for an agent that %s", async (_which, agentId, incarnation) => {
      await given(subject);
      expect(await reserve("t", 1, { agentId, incarnation })).toEqual(UNAVAILABLE);
      expect(await reserve("t")).toMatchObject(RESERVED);
    });

    it.each([
      [State.UNKNOWN, false, false],
      [State.INITIALIZING, false, false],
      [State.IDLE, true, true],
      [State.ACTIVE, false, true],
      [State.ERROR, false, false],
      [State.FINISHED, false, false],
    ])("asks for the agent's state: %i takes one %s, of several %s", async (state, one, several) => {
      await given(subject, 1, state);
      expect(await reserve("t")).toMatchObject(one ? RESERVED : UNAVAILABLE);
      await subject.storage.registerAgent(aRegistration("many", { initialState: state, maxConcurrentTasks: 2 }));
      expect(await reserve("t", 1, { agentId: "many" })).toMatchObject(several ? RESERVED : UNAVAILABLE);
    });

    it("asks for an agent that is ALIVE", async () => {
      await subject.storage.registerAgent(
        aRegistration(AGENT, { initialState: State.IDLE, leaseTtlMs: LEASE_MS, maxConcurrentTasks: 2 }),
      );
      await reserve("held");
      for (const wait of [LEASE_MS, LEASE_MS / 2]) {
        await subject.advance(wait);
        await subject.storage.expireLeases({ stalledMs: 0 });
        expect(await reserve("t")).toEqual(UNAVAILABLE);
        expect(await reserve("held")).toMatchObject(RESERVED);
      }
      await subject.storage.renewLease({ namespace: NAMESPACE, agentId: AGENT, incarnation: 1 });
      expect(await reserve("t")).toMatchObject(RESERVED);
    });

    it("follows a change of how many tasks the agent takes", async () => {
      await given(subject);
      await reserve("t");
      const update = (maxConcurrentTasks: number) => ({
        ...{ namespace: NAMESPACE, agentId: AGENT, actor: ACTOR, requestId: "", expectedRevision: 0 },
        patch: { maxConcurrentTasks },
      });
      await subject.storage.updateAgent(update(2));
      expect(await reserve("u")).toMatchObject(RESERVED);
      await fullWith(["t", 1], ["u", 1]);
      await subject.storage.updateAgent(update(1));
      await subject.storage.releaseSlot(aRelease("t"));
      await fullWith(["u", 1]);
    });
  });

  describe("release of a slot", () => {
    const subject = useStorage(factory);

    it("makes room, and may be repeated", async () => {
      await given(subject);
      await subject.storage.reserveSlot(aReservation("t"));
      await subject.changes();
      await subject.replica.releaseSlot(aRelease("t"));
      await subject.replica.releaseSlot(aRelease("t"));
      expect(await subject.storage.reserveSlot(aReservation("u"))).toMatchObject(RESERVED);
      expect(await subject.events()).toEqual([]);
    });

    it.each([
      ["another attempt", aRelease("t", 1)],
      ["another task", aRelease("u", 2)],
      ["another session", { ...aRelease("t", 2), sessionId: "other" }],
      ["another agent", aRelease("t", 2, "b")],
      ["an agent of another namespace", { ...aRelease("t", 2), namespace: "other" }],
    ])("leaves alone that of %s", async (_whose, release) => {
      await given(subject);
      await subject.storage.registerAgent(aRegistration("b"));
      await subject.storage.reserveSlot(aReservation("t", 2));
      await subject.storage.releaseSlot(release);
      expect(await subject.storage.reserveSlot(aReservation("v"))).toMatchObject({ kind: "full" });
    });

    it("is nothing where there is no agent", async () => {
      await subject.storage.releaseSlot({ ...anAttempt("t", 1), agentId: "nobody" });
    });
  });

  describe("a registration", () => {
    const subject = useStorage(factory);

    it("frees all slots", async () => {
      await given(subject, 2);
      await subject.storage.reserveSlot(aReservation("t"));
      await subject.storage.reserveSlot(aReservation("u"));
      await given(subject, 2);
      expect(await subject.storage.reserveSlot(aReservation("t"))).toEqual(UNAVAILABLE);
      for (const taskId of ["v", "w"]) {
        expect(await subject.storage.reserveSlot(aReservation(taskId, 1, { incarnation: 2 }))).toMatchObject(RESERVED);
      }
    });

    it("by a third party frees none", async () => {
      await given(subject);
      await subject.storage.reserveSlot(aReservation("t"));
      await subject.storage.registerAgent(aRegistration(AGENT, { keepState: true, version: "2" }));
      expect(await subject.storage.reserveSlot(aReservation("u"))).toMatchObject({ kind: "full" });
    });

    it("after a deregistration begins without any", async () => {
      await given(subject);
      await subject.storage.reserveSlot(aReservation("t"));
      await subject.storage.deregisterAgent({ namespace: NAMESPACE, agentId: AGENT, incarnation: 0, actor: ACTOR });
      expect(await subject.storage.reserveSlot(aReservation("t"))).toEqual(UNAVAILABLE);
      await given(subject);
      expect(await subject.storage.reserveSlot(aReservation("u", 1, { incarnation: 2 }))).toMatchObject(RESERVED);
    });
  });
}
