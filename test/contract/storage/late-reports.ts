import { describe, expect, it } from "vitest";
import { State } from "../../../src/storage/records.js";
import { aRegistration, aReport, NAMESPACE } from "../../helpers/records.js";
import { attempt, reasonOf, useStorage, type StorageFactory } from "./harness.js";

const KEY = { namespace: NAMESPACE, agentId: "a" };
/** Longer ago than any commit. */
const THEN = Date.UTC(2001, 0, 1);
/** Later than any commit. */
const FUTURE = Date.UTC(2200, 0, 1);

/** Reports that were overtaken by newer ones of the same agent. */
export function lateReportsContract(factory: StorageFactory): void {
  describe("late reports", () => {
    const subject = useStorage(factory);
    const report = (state: State, reportTime: number, more = {}) =>
      subject.storage.setState(aReport("a", state, { reportTime, discardIfOlder: true, ...more }));

    it("are applied when they are not older, and discarded when they are", async () => {
      await subject.storage.registerAgent(aRegistration("a"));
      await subject.changes();
      expect(await report(State.ACTIVE, THEN + 1)).toMatchObject({ changed: true });
      const { state, changed } = await report(State.IDLE, THEN + 1);
      expect(changed).toBe(true);
      expect(await report(State.ERROR, THEN)).toEqual({ state, changed: false });
      expect(await report(State.ERROR, THEN + 0.5)).toEqual({ state, changed: false });
      expect(await subject.replica.getState(KEY)).toEqual(state);
      expect(await subject.events()).toEqual(["TRANSITION a: UNKNOWN>ACTIVE", "TRANSITION a: ACTIVE>IDLE"]);
    });

    it("are older than a report that said nothing new", async () => {
      await subject.storage.registerAgent(aRegistration("a"));
      await report(State.IDLE, THEN);
      const { state } = await report(State.IDLE, THEN + 2);
      expect(await report(State.ACTIVE, THEN + 1)).toEqual({ state, changed: false });
    });

    it("are never older than a registration", async () => {
      await subject.storage.registerAgent(aRegistration("a", { initialState: State.ACTIVE }));
      expect(await report(State.IDLE, 0)).toMatchObject({ changed: true, state: { reportTime: 0 } });
      await subject.storage.registerAgent(aRegistration("a"));
      expect(await report(State.IDLE, -THEN)).toMatchObject({ changed: true, state: { reportTime: -THEN } });
    });

    it("are judged by the newest time, whatever the times in between", async () => {
      await subject.storage.registerAgent(aRegistration("a"));
      await report(State.ACTIVE, THEN + 5);
      await subject.storage.setState(aReport("a", State.IDLE, { reportTime: THEN }));
      await subject.storage.setState(aReport("a", State.ERROR));
      expect(await report(State.ACTIVE, THEN + 4)).toMatchObject({ changed: false, state: { state: State.ERROR } });
      expect(await report(State.ACTIVE, THEN + 5)).toMatchObject({ changed: true });
    });

    it("do not suffer from a clock that was fast: the future counts as now", async () => {
      await subject.storage.registerAgent(aRegistration("a"));
      const { state: fast } = await report(State.ACTIVE, FUTURE);
      expect(fast.reportTime).toBe(FUTURE);
      expect(await report(State.ERROR, fast.commitTime - 1)).toMatchObject({ changed: false });
      await subject.advance(10);
      expect(await report(State.IDLE, fast.commitTime + 5)).toMatchObject({ changed: true });
    });

    it("in the future are in order among themselves by their arrival", async () => {
      await subject.storage.registerAgent(aRegistration("a"));
      await report(State.ACTIVE, FUTURE + 1);
      expect(await report(State.IDLE, FUTURE)).toMatchObject({ changed: true });
    });

    it("are discarded whatever they would do, but not before their fences were looked at", async () => {
      await subject.storage.registerAgent(aRegistration("a"));
      const { state } = await report(State.FINISHED, THEN + 1, { sequence: 5 });
      expect(await report(State.IDLE, THEN, { sequence: 6 })).toEqual({ state, changed: false });
      expect(await reasonOf(() => report(State.IDLE, THEN, { incarnation: 2 }))).toBe("UNKNOWN_INCARNATION");
      expect(await reasonOf(() => report(State.IDLE, THEN, { sequence: 5 }))).toBe("STALE_SEQUENCE");
      expect(await reasonOf(() => report(State.IDLE, THEN, { expectedStates: [State.IDLE] }))).toBe("STATE_MISMATCH");
      expect(await reasonOf(() => report(State.IDLE, THEN + 1, { sequence: 6 }))).toBe("ILLEGAL_TRANSITION");
    });

    it("that were held are judged when they are applied", async () => {
      const held = [State.IDLE, State.ACTIVE].map((state, i) =>
        attempt(() => report(state, THEN + 1 - i, { holdMs: 60_000 })),
      );
      // Its own answer says that the reports before it are held.
      await reasonOf(() => subject.storage.setState(aReport("a", State.IDLE)));
      await subject.storage.registerAgent(aRegistration("a"));
      expect((await Promise.all(held)).map(({ value }) => value?.changed)).toEqual([true, false]);
      expect(await subject.events()).toEqual(["REGISTERED a: UNKNOWN", "TRANSITION a: UNKNOWN>IDLE"]);
    });

    it("are remembered as answers like all others", async () => {
      await subject.storage.registerAgent(aRegistration("a"));
      await report(State.IDLE, THEN + 1);
      const late = await report(State.ACTIVE, THEN, { requestId: "r" });
      await report(State.ERROR, THEN + 2);
      expect(await report(State.ACTIVE, THEN, { requestId: "r" })).toEqual(late);
    });
  });
}
