import { SessionStatus, State } from "../../../src/storage/records.js";
import { SESSION_TRANSITIONS, STATE_TRANSITIONS } from "../../../src/storage/state-machine.js";
import { code, table } from "../markdown.js";

/** What an agent may report after what. */
export function stateTransitions(): string {
  return matrix(State, STATE_TRANSITIONS);
}

/** What a session may become after what. */
export function sessionTransitions(): string {
  return matrix(SessionStatus, SESSION_TRANSITIONS);
}

function matrix<N extends number>(
  names: Readonly<Record<string, N>>,
  transitions: Readonly<Record<N, readonly N[]>>,
): string {
  const values = Object.entries(names);
  const ends = (value: N): boolean => transitions[value].length === 0;
  return table(
    ["from ↓ to →", ...values.map(([name]) => code(name))],
    values.map(([name, from]) => [
      code(name),
      ...values.map(([, to]) => (transitions[from].includes(to) ? "yes" : from === to && !ends(from) ? "·" : "—")),
    ]),
  );
}
