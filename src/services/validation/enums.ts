/** Rules for enumerations: proto3 lets any number through, the domain does not. */
import { Liveness, SessionStatus, State, TaskDelivery, TaskStatus } from "../../storage/records.js";
import type { Violations } from "./violations.js";

/** No enumeration here has nearly so many members; a longer list is a mistake or an attack. */
const MAX_LISTED = 64;

/** One value of an enumeration; the zero of the wire (`…_UNSPECIFIED`) is not one. */
type EnumRule<T> = (bad: Violations, field: string, value: number) => T;

/** Any number of values; doubles count once. */
type EnumListRule<T> = (bad: Violations, field: string, values: readonly number[]) => readonly T[];

export const state: EnumRule<State> = enumRule("STATE", State, State.UNKNOWN);
export const states: EnumListRule<State> = enumListRule(state);
export const livenesses: EnumListRule<Liveness> = enumListRule(enumRule("LIVENESS", Liveness, Liveness.ALIVE));
export const sessionStatus: EnumRule<SessionStatus> = enumRule("SESSION_STATUS", SessionStatus, SessionStatus.STARTED);
export const sessionStatuses: EnumListRule<SessionStatus> = enumListRule(sessionStatus);

export const taskStatuses: EnumListRule<TaskStatus> = enumListRule(
  enumRule("TASK_STATUS", TaskStatus, TaskStatus.PENDING),
);
/** The zero of the wire is one of its values. */
export const taskDelivery: EnumRule<TaskDelivery> = enumRule("TASK_DELIVERY", TaskDelivery, TaskDelivery.AUTO);

/** A state that may be left out. */
export function stateOr(fallback: State, bad: Violations, field: string, value: number): State {
  return value === 0 ? fallback : state(bad, field, value);
}

/**
 * @param prefix of the names on the wire: whoever writes JSON by hand needs them in full
 * @param placeholder stands in for a value that was refused
 */
function enumRule<T extends number>(prefix: string, members: Readonly<Record<string, T>>, placeholder: T): EnumRule<T> {
  const byNumber = new Map<number, T>(Object.values(members).map((member) => [member, member]));
  const names = Object.keys(members)
    .map((name) => `${prefix}_${members[name] === 0 ? "UNSPECIFIED" : name}`)
    .join(", ");
  return (bad, field, value) => {
    const member = byNumber.get(value);
    if (member !== undefined) return member;
    bad.add(field, value === 0 ? `must be set: one of ${names}` : `must be one of ${names}; ${value} is none of them`);
    return placeholder;
  };
}

function enumListRule<T extends number>(rule: EnumRule<T>): EnumListRule<T> {
  const none: readonly T[] = [];
  return (bad, field, values) => {
    if (values.length === 0) return none;
    if (values.length > MAX_LISTED) {
      bad.add(field, `must be at most ${MAX_LISTED}`);
      return none;
    }
    return [...new Set(values.map((value, i) => rule(bad, `${field}[${i}]`, value)))];
  };
}
