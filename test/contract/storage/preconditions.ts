import { describe, expect, it } from "vitest";
import type { Reason } from "../../../src/errors/index.js";
import { State } from "../../../src/storage/records.js";
import type { SetState } from "../../../src/storage/storage.js";
import { aRegistration, aReport, NAMESPACE } from "../../helpers/records.js";
import { failureOf, reasonOf, useStorage, type StorageFactory, type Subject } from "./harness.js";

const KEY = { namespace: NAMESPACE, agentId: "a" };

/** What may be wrong with a report, group by group in the order of the checks; one choice of each group makes a report. */
interface Fault {
  readonly name: string;
  readonly reason: Reason | undefined;
  readonly report: Partial<SetState>;
}
const FAULTS: readonly (readonly Fault[])[] = [
  [
    { name: "current incarnation", reason: undefined, report: { incarnation: 2 } },
    { name: "no incarnation", reason: undefined, report: {} },
    { name: "old incarnation", reason: "STALE_INCARNATION", report: { incarnation: 1 } },
    { name: "future incarnation", reason: "UNKNOWN_INCARNATION", report: { incarnation: 3 } },
  ],
  [
    { name: "next sequence", reason: undefined, report: { sequence: 6 } },
    { name: "the same sequence", reason: "STALE_SEQUENCE", report: { sequence: 5 } },
    { name: "an old sequence", reason: "STALE_SEQUENCE", report: { sequence: 1 } },
  ],
  [
    { name: "expected state", reason: undefined, report: { expectedStates: [State.IDLE, State.ERROR] } },
    { name: "unexpected state", reason: "STATE_MISMATCH", report: { expectedStates: [State.ACTIVE] } },
    { name: "unexpected revision", reason: "STATE_MISMATCH", report: { expectedRevision: 999_999 } },
  ],
  [
    { name: "legal transition", reason: undefined, report: { state: State.ACTIVE } },
    { name: "illegal transition", reason: "ILLEGAL_TRANSITION", report: { state: State.UNKNOWN } },
  ],
];

interface Combination {
  readonly label: string;
  readonly reason: Reason | undefined;
  readonly report: Partial<SetState>;
}

function combinations(): Combination[] {
  let all: Combination[] = [{ label: "", reason: undefined, report: {} }];
  for (const group of FAULTS) {
    all = all.flatMap((made) =>
      group.map(({ name, reason, report }) => ({
        label: made.label === "" ? name : `${made.label}, ${name}`,
        reason: made.reason ?? reason,
        report: { ...made.report, ...report },
      })),
    );
  }
  return all;
}

/** An agent of incarnation 2 that is IDLE and has counted to 5. */
async function givenAgent({ storage, changes }: Subject): Promise<number> {
  await storage.registerAgent(aRegistration("a"));
  await storage.registerAgent(aRegistration("a"));
  const { state } = await storage.setState(aReport("a", State.IDLE, { sequence: 5 }));
  await changes();
  return state.revision;
}

/** What a report may be made to depend on. */
export function preconditionsContract(factory: StorageFactory): void {
  describe("order of the checks", () => {
    const subject = useStorage(factory);

    it.each(combinations())("$label: $reason", async ({ reason, report }) => {
      await givenAgent(subject);
      expect(await reasonOf(() => subject.storage.setState(aReport("a", State.ACTIVE, report)))).toBe(reason);
      expect(await subject.events()).toEqual(reason === undefined ? ["TRANSITION a: IDLE>ACTIVE"] : []);
    });
  });

  describe("incarnations and sequences", () => {
    const subject = useStorage(factory);

    it.each([
      ["STALE_INCARNATION", 1],
      ["UNKNOWN_INCARNATION", 7],
    ] as const)("%s names both incarnations", async (reason, incarnation) => {
      await givenAgent(subject);
      const failure = await failureOf(() => subject.storage.setState(aReport("a", State.ACTIVE, { incarnation })));
      expect(failure).toMatchObject({ reason, metadata: { incarnation: String(incarnation), current: "2" } });
    });

    it("STALE_SEQUENCE names both sequences", async () => {
      await givenAgent(subject);
      const failure = await failureOf(() => subject.storage.setState(aReport("a", State.ACTIVE, { sequence: 4 })));
      expect(failure).toMatchObject({ reason: "STALE_SEQUENCE", metadata: { sequence: "4", current: "5" } });
    });

    it("keeps the last sequence beside reports that do not count", async () => {
      await givenAgent(subject);
      const { state } = await subject.storage.setState(aReport("a", State.ACTIVE));
      expect(state.sequence).toBe(5);
      expect(await reasonOf(() => subject.storage.setState(aReport("a", State.IDLE, { sequence: 5 })))).toBe(
        "STALE_SEQUENCE",
      );
    });

    it("remembers the sequence of a report that changed nothing", async () => {
      await givenAgent(subject);
      const repeated = await subject.storage.setState(aReport("a", State.IDLE, { sequence: 8 }));
      expect(repeated.changed).toBe(false);
      const failure = await failureOf(() => subject.replica.setState(aReport("a", State.ACTIVE, { sequence: 8 })));
      expect(failure).toMatchObject({ reason: "STALE_SEQUENCE", metadata: { sequence: "8", current: "8" } });
      expect(await subject.events()).toEqual([]);
      const { state } = await subject.storage.setState(aReport("a", State.ACTIVE));
      expect(state.sequence).toBe(8);
    });

    it("does not remember the sequence of a report that was refused", async () => {
      await givenAgent(subject);
      expect(await reasonOf(() => subject.storage.setState(aReport("a", State.UNKNOWN, { sequence: 9 })))).toBe(
        "ILLEGAL_TRANSITION",
      );
      const { state } = await subject.storage.setState(aReport("a", State.ACTIVE, { sequence: 6 }));
      expect(state.sequence).toBe(6);
    });

    it("checks a report that would change nothing all the same", async () => {
      await givenAgent(subject);
      const same = (report: Partial<SetState>) =>
        reasonOf(() => subject.storage.setState(aReport("a", State.IDLE, report)));
      expect(await same({ incarnation: 1 })).toBe("STALE_INCARNATION");
      expect(await same({ sequence: 5 })).toBe("STALE_SEQUENCE");
      expect(await same({ expectedStates: [State.ACTIVE] })).toBe("STATE_MISMATCH");
      expect(await same({})).toBeUndefined();
    });
  });

  describe("compare and set", () => {
    const subject = useStorage(factory);

    it("takes a report that expects the current revision, once", async () => {
      const revision = await givenAgent(subject);
      const report = aReport("a", State.ACTIVE, { expectedRevision: revision });
      const { state } = await subject.storage.setState(report);
      const failure = await failureOf(() => subject.replica.setState({ ...report, state: State.ERROR }));
      expect(failure).toMatchObject({
        reason: "STATE_MISMATCH",
        metadata: { state: "ACTIVE", revision: String(state.revision) },
      });
      expect(await subject.events()).toEqual(["TRANSITION a: IDLE>ACTIVE"]);
    });

    it("wants both when both are given", async () => {
      const revision = await givenAgent(subject);
      const report = aReport("a", State.ACTIVE, { expectedRevision: revision, expectedStates: [State.ERROR] });
      expect(await reasonOf(() => subject.storage.setState(report))).toBe("STATE_MISMATCH");
      const both = { ...report, expectedStates: [State.IDLE] };
      expect(await reasonOf(() => subject.storage.setState(both))).toBeUndefined();
    });

    it("leaves an agent alone whose precondition fails", async () => {
      await givenAgent(subject);
      const before = await subject.storage.getAgent(KEY);
      const report = aReport("a", State.ACTIVE, { expectedStates: [State.ACTIVE] });
      expect(await reasonOf(() => subject.storage.setState(report))).toBe("STATE_MISMATCH");
      expect(await subject.storage.getAgent(KEY)).toEqual(before);
    });
  });
}
