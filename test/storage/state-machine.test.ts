import fc from "fast-check";
import { describe, expect, it } from "vitest";
import * as common from "../../gen/opscore/v1/common_pb.js";
import * as sessionService from "../../gen/opscore/v1/session_service_pb.js";
import * as stateService from "../../gen/opscore/v1/state_service_pb.js";
import { AgentChangeType, Liveness, SessionChangeType, SessionStatus, State } from "../../src/storage/records.js";
import {
  isEnded,
  isLegalSessionTransition,
  isLegalTransition,
  isTerminal,
  SESSION_TRANSITIONS,
  sessionStatusName,
  STATE_TRANSITIONS,
  stateName,
} from "../../src/storage/state-machine.js";

const states: readonly State[] = Object.values(State);
const statuses: readonly SessionStatus[] = Object.values(SessionStatus);

/** Rows: from; columns: to; in the order of the enumeration. `=`: only with other content. As the design has it. */
const STATE_TABLE = `
  UNKNOWN       = x x x x x
  INITIALIZING  . = x x x x
  IDLE          . x = x x x
  ACTIVE        . x x = x x
  ERROR         . x x x = x
  FINISHED      . . . . . .`;

const SESSION_TABLE = `
  STARTED    = x x x x x
  RUNNING    . = x x x x
  PAUSED     . x = x x x
  COMPLETED  . . . . . .
  FAILED     . . . . . .
  CANCELLED  . . . . . .`;

function print<T extends number>(values: readonly T[], name: (value: T) => string, legal: (from: T, to: T) => boolean) {
  const width = Math.max(...values.map((value) => name(value).length)) + 2;
  const cell = (from: T, to: T) => (legal(from, to) ? (from === to ? "=" : "x") : ".");
  return values
    .map((from) => `\n  ${name(from).padEnd(width)}${values.map((to) => cell(from, to)).join(" ")}`)
    .join("");
}

describe("state machines", () => {
  it("are those of the design", () => {
    expect(print(states, stateName, isLegalTransition)).toBe(STATE_TABLE);
    expect(print(statuses, sessionStatusName, isLegalSessionTransition)).toBe(SESSION_TABLE);
  });

  it("name each target once, and never the state itself", () => {
    for (const [from, targets] of [...Object.entries(STATE_TRANSITIONS), ...Object.entries(SESSION_TRANSITIONS)]) {
      expect(new Set(targets).size).toBe(targets.length);
      expect(targets).not.toContain(Number(from));
    }
  });

  it("end where nothing leads on", () => {
    expect(states.filter(isTerminal)).toEqual([State.FINISHED]);
    expect(statuses.filter(isEnded)).toEqual([SessionStatus.COMPLETED, SessionStatus.FAILED, SessionStatus.CANCELLED]);
  });

  it("stay at an end whatever is reported", () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...states)), (reported) => {
        let current: State = State.UNKNOWN;
        let ended = false;
        for (const next of reported) {
          const legal = isLegalTransition(current, next);
          if (ended) expect(legal).toBe(false);
          if (legal) current = next;
          ended = isTerminal(current);
        }
      }),
    );
  });
});

describe("numbers of the records", () => {
  /** A generated enumeration without its zero, and without `left`, which only the wire has. */
  function wire(
    values: Readonly<Record<string, string | number>>,
    left: readonly string[] = [],
  ): Record<string, number> {
    const named = Object.entries(values).filter((entry): entry is [string, number] => typeof entry[1] === "number");
    return Object.fromEntries(named.filter(([name, value]) => value !== 0 && !left.includes(name)));
  }

  it("are those of the wire", () => {
    expect(State).toEqual(wire(common.State));
    expect(Liveness).toEqual(wire(common.Liveness));
    expect(SessionStatus).toEqual(wire(sessionService.SessionStatus));
    expect(AgentChangeType).toEqual(wire(stateService.StateEvent_Type, ["EXITED"]));
    expect(SessionChangeType).toEqual(wire(sessionService.SessionEvent_Type));
  });

  it("have names, and ones that are not known still print", () => {
    expect(states.map(stateName)).toEqual(Object.keys(State));
    expect(statuses.map(sessionStatusName)).toEqual(Object.keys(SessionStatus));
  });
});
