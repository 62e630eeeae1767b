/**
 * The storage contract as a property: whatever commands come in whatever order, a storage answers and logs what the model does.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AgentChangeType, SessionStatus, State, type Change } from "../../src/storage/records.js";
import type { Storage } from "../../src/storage/storage.js";
import { stateName } from "../../src/storage/state-machine.js";
import { ACTOR, aRegistration, aReport, aSession, aSessionUpdate, NAMESPACE } from "../helpers/records.js";
import { describeChange, livenessName } from "./storage/events.js";
import { attempt, reasonOf, type Outcome, type StorageFactory, type StorageHarness } from "./storage/harness.js";
import { Journal } from "./storage/journal.js";
import { STATE_WORDS, STATUS_WORDS, StorageModel, type ModelReport, type ReportExpectation } from "./storage/model.js";

const LEASE_MS = 1_000;

type Fence = "none" | "current" | "old" | "future";

const id = fc.constantFrom("a", "b", "c");
const session = fc.constantFrom("s", "t");
const state = fc.constantFrom(...STATE_WORDS);
const fence = fc.constantFrom<Fence>("none", "none", "current", "old", "future");
const version = fc.constantFrom("1", "2");

const reportFields = {
  id,
  state,
  message: fc.constantFrom("", "", "busy"),
  fence,
  sequence: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 12 })),
  expectedStates: fc.oneof(fc.constant([]), fc.uniqueArray(state, { maxLength: 3 })),
  reportTime: fc.integer({ min: 1, max: 5 }),
  discardIfOlder: fc.boolean(),
  hold: fc.boolean(),
};

/** Commands that time has no part in. */
const COMMANDS = [
  fc.record({
    kind: fc.constant("register" as const),
    id,
    state,
    leased: fc.boolean(),
    keepState: fc.boolean(),
    version,
  }),
  fc.record({ kind: fc.constant("deregister" as const), id, fence }),
  fc.record({ kind: fc.constant("report" as const), ...reportFields }),
  fc.record({ kind: fc.constant("report" as const), ...reportFields }),
  fc.record({ kind: fc.constant("report" as const), ...reportFields }),
  fc.record({ kind: fc.constant("update" as const), id, version }),
  fc.record({ kind: fc.constant("renew" as const), id, fence }),
  fc.record({ kind: fc.constant("startSession" as const), session, id }),
  fc.record({ kind: fc.constant("updateSession" as const), session, status: fc.constantFrom(...STATUS_WORDS) }),
] as const;

const TIMES = [
  fc.record({
    kind: fc.constant("advance" as const),
    ms: fc.constantFrom(1, 250, 499, 500, 501, 999, 1_000, 1_500, 5_000),
  }),
  fc.constant({ kind: "sweep" as const }),
] as const;

type ValueOf<A> = A extends fc.Arbitrary<infer T> ? T : never;
type Command = ValueOf<(typeof COMMANDS)[number]> | ValueOf<(typeof TIMES)[number]>;

export interface ModelOptions {
  /** How many sequences of commands to try. */
  readonly runs: number;
  /** Whether `advance` is exact to the millisecond and costs nothing; without it no time passes. */
  readonly exactTime: boolean;
}

/** Declares the property for one storage. */
export function describeStorageModel(name: string, factory: StorageFactory, options: ModelOptions): void {
  describe(`storage model: ${name}`, () => {
    const command: fc.Arbitrary<Command> = options.exactTime ? fc.oneof(...COMMANDS, ...TIMES) : fc.oneof(...COMMANDS);

    it("answers, logs and holds what the model does", async () => {
      const sequences = fc.array(command, { maxLength: 60, size: "max" });
      await fc.assert(
        fc.asyncProperty(sequences, async (commands) => {
          const harness = await factory({});
          try {
            await new Run(harness, await Journal.open(harness.storage)).play(commands);
          } finally {
            await harness.close();
          }
        }),
        { numRuns: options.runs },
      );
    });
  });
}

/** One sequence of commands on a storage and a model side by side. */
class Run {
  private readonly model = new StorageModel();
  private readonly storage: Storage;
  private readonly log: Change[] = [];
  /** Reports that the model held and has answered since: both answers. */
  private readonly settled: {
    readonly outcome: Promise<Outcome<{ changed: boolean }>>;
    readonly expected: ReportExpectation;
  }[] = [];

  constructor(
    private readonly harness: StorageHarness,
    private readonly journal: Journal,
  ) {
    this.storage = harness.storage;
  }

  async play(commands: readonly Command[]): Promise<void> {
    for (const command of commands) {
      const expectedEvents = this.model.events.length;
      await this.step(command);
      const changes = await this.journal.next();
      this.log.push(...changes);
      // Order is promised within one entity only.
      const events = byEntity(changes.map(describeChange));
      expect(events, JSON.stringify(command)).toEqual(byEntity(this.model.events.slice(expectedEvents)));
      await this.expectSameStates();
    }
    for (const { outcome, expected } of this.settled) expect(answerOf(await outcome)).toBe(expected);
    this.expectReplayable();
  }

  private async step(command: Command): Promise<void> {
    const { model, storage } = this;
    switch (command.kind) {
      case "register": {
        const leaseTtlMs = command.leased ? LEASE_MS : 0;
        model.register(command.id, command.state, leaseTtlMs, command.keepState, command.version);
        const { keepState, version } = command;
        await storage.registerAgent(
          aRegistration(command.id, { initialState: State[command.state], leaseTtlMs, keepState, version }),
        );
        return;
      }
      case "deregister": {
        const incarnation = this.incarnation(command.id, command.fence);
        const key = { namespace: NAMESPACE, agentId: command.id, incarnation, actor: ACTOR };
        const expected = model.deregister(command.id, incarnation);
        expect(await reasonOf(() => storage.deregisterAgent(key))).toBe(expected);
        return;
      }
      case "report":
        await this.report({ ...command, incarnation: this.incarnation(command.id, command.fence) }, command.hold);
        return;
      case "update": {
        const patch = { version: command.version };
        const key = { namespace: NAMESPACE, agentId: command.id };
        const update = { ...key, patch, expectedRevision: 0, requestId: "", actor: ACTOR };
        expect(await reasonOf(() => storage.updateAgent(update))).toBe(model.update(command.id, command.version));
        return;
      }
      case "renew": {
        const incarnation = this.incarnation(command.id, command.fence);
        const renewal = { namespace: NAMESPACE, agentId: command.id, incarnation };
        const expected = model.renew(command.id, incarnation);
        expect(await reasonOf(() => storage.renewLease(renewal))).toBe(expected);
        return;
      }
      case "startSession": {
        const expected = model.startSession(command.session, command.id);
        expect(await reasonOf(() => storage.startSession(aSession(command.session, command.id)))).toBe(expected);
        return;
      }
      case "updateSession": {
        const update = aSessionUpdate(command.session, { status: SessionStatus[command.status] });
        const expected = model.updateSession(command.session, command.status);
        expect(await reasonOf(() => storage.updateSession(update))).toBe(expected);
        return;
      }
      case "advance":
        model.advance(command.ms);
        await this.harness.advance(command.ms);
        return;
      case "sweep":
        expect(await storage.expireLeases({ stalledMs: 0 })).toEqual(model.sweep());
        return;
    }
  }

  private async report(report: ModelReport, hold: boolean): Promise<void> {
    const { id, state, message, incarnation, sequence, reportTime, discardIfOlder } = report;
    const expectedStates = report.expectedStates.map((word) => State[word]);
    const fields = { message, incarnation, sequence, expectedStates, reportTime, discardIfOlder };
    const holdMs = hold ? 60_000 : 0;
    const outcome = attempt(() => this.storage.setState(aReport(id, State[state], { ...fields, holdMs })));
    const expected = hold
      ? this.model.reportOrHold(report, (settled) => this.settled.push({ outcome, expected: settled }))
      : this.model.report(report);
    if (expected !== "HELD") expect(answerOf(await outcome)).toBe(expected);
  }

  private incarnation(id: string, fence: Fence): number {
    const current = this.model.incarnationOf(id);
    return { none: 0, current, old: Math.max(current - 1, 0), future: current + 1 }[fence];
  }

  private async expectSameStates(): Promise<void> {
    for (const agentId of ["a", "b", "c"]) {
      const state = await this.storage.getState({ namespace: NAMESPACE, agentId });
      const expected = this.model.agents.get(agentId);
      const found = state && {
        incarnation: state.incarnation,
        state: stateName(state.state),
        message: state.message,
        liveness: livenessName(state.liveness),
      };
      expect(found).toEqual(
        expected && {
          incarnation: expected.incarnation,
          state: expected.state,
          message: expected.message,
          liveness: expected.liveness,
        },
      );
    }
  }

  /** Whoever has read the log from its beginning knows the current states, and each change says what was before it. */
  private expectReplayable(): void {
    const states = new Map<string, unknown>();
    for (const change of this.log) {
      if (change.kind !== "agent") continue;
      const { agentId } = change.state;
      expect(change.previous).toEqual(states.get(agentId));
      if (change.type === AgentChangeType.DEREGISTERED) states.delete(agentId);
      else states.set(agentId, change.state);
    }
    expect([...states.keys()].sort()).toEqual([...this.model.agents.keys()].sort());
  }
}

function answerOf({ value, failure }: Outcome<{ changed: boolean }>): ReportExpectation {
  if (failure !== undefined) return failure.reason;
  return value.changed ? "CHANGED" : "UNCHANGED";
}

/** Event lines, those of one entity together and in their order. */
function byEntity(events: readonly string[]): Map<string, string[]> {
  const groups = new Map<string, string[]>();
  for (const event of events) {
    const entity = event.split(/[ :]/)[1] ?? "";
    groups.set(entity, [...(groups.get(entity) ?? []), event]);
  }
  return groups;
}
