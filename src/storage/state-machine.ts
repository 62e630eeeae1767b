/**
 * The two state machines, each as one table. Storages obey them, the docs print them, and nothing else repeats them.
 */
import { SessionStatus, State } from "./records.js";

/** From each state, the states a report may lead to. The same state with other content is legal too, until it is a terminal one. */
export const STATE_TRANSITIONS: Readonly<Record<State, readonly State[]>> = {
  [State.UNKNOWN]: [State.INITIALIZING, State.IDLE, State.ACTIVE, State.ERROR, State.FINISHED],
  [State.INITIALIZING]: [State.IDLE, State.ACTIVE, State.ERROR, State.FINISHED],
  [State.IDLE]: [State.INITIALIZING, State.ACTIVE, State.ERROR, State.FINISHED],
  [State.ACTIVE]: [State.INITIALIZING, State.IDLE, State.ERROR, State.FINISHED],
  [State.ERROR]: [State.INITIALIZING, State.IDLE, State.ACTIVE, State.FINISHED],
  [State.FINISHED]: [],
};

/** From each status, the statuses an update may lead to. The same status again is legal until the session has ended. */
export const SESSION_TRANSITIONS: Readonly<Record<SessionStatus, readonly SessionStatus[]>> = {
  [SessionStatus.STARTED]: [
    SessionStatus.RUNNING,
    SessionStatus.PAUSED,
    SessionStatus.COMPLETED,
    SessionStatus.FAILED,
    SessionStatus.CANCELLED,
  ],
  [SessionStatus.RUNNING]: [
    SessionStatus.PAUSED,
    SessionStatus.COMPLETED,
    SessionStatus.FAILED,
    SessionStatus.CANCELLED,
  ],
  [SessionStatus.PAUSED]: [
    SessionStatus.RUNNING,
    SessionStatus.COMPLETED,
    SessionStatus.FAILED,
    SessionStatus.CANCELLED,
  ],
  [SessionStatus.COMPLETED]: [],
  [SessionStatus.FAILED]: [],
  [SessionStatus.CANCELLED]: [],
};

/**
 * Tells whether an agent that is in `from` may report `to` with content that differs from what it reported before. (A report that
 * differs in nothing makes no transition and is always legal.)
 */
export function isLegalTransition(from: State, to: State): boolean {
  return (from === to && !isTerminal(from)) || STATE_TRANSITIONS[from].includes(to);
}

/** Tells whether only a new registration leaves this state. */
export function isTerminal(state: State): boolean {
  return STATE_TRANSITIONS[state].length === 0;
}

/** Tells whether a session that is `from` may become `to`. */
export function isLegalSessionTransition(from: SessionStatus, to: SessionStatus): boolean {
  return (from === to && !isEnded(from)) || SESSION_TRANSITIONS[from].includes(to);
}

/** Tells whether a session with this status has ended for good. */
export function isEnded(status: SessionStatus): boolean {
  return SESSION_TRANSITIONS[status].length === 0;
}

const STATE_NAMES = invert(State);
const SESSION_STATUS_NAMES = invert(SessionStatus);

/** The name of a state as it stands in the proto file, without its prefix: `IDLE`. */
export function stateName(state: State): string {
  return STATE_NAMES.get(state) ?? `STATE_${state}`;
}

/** The name of a session status as it stands in the proto file, without its prefix: `RUNNING`. */
export function sessionStatusName(status: SessionStatus): string {
  return SESSION_STATUS_NAMES.get(status) ?? `SESSION_STATUS_${status}`;
}

function invert(names: Readonly<Record<string, number>>): ReadonlyMap<number, string> {
  return new Map(Object.entries(names).map(([name, value]) => [value, name]));
}
