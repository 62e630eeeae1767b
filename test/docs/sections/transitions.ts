import { SessionStatus, State, TaskStatus } from "../../../src/storage/records.js";
import { SESSION_TRANSITIONS, STATE_TRANSITIONS } from "../../../src/storage/state-machine.js";
import { TASK_TRANSITIONS } from "../../../src/storage/task-machine.js";
import { code, table } from "../markdown.js";

/** What an agent may report after what. */
export function stateTransitions(): string {
  return matrix(State, STATE_TRANSITIONS);
}

/** What a session may become after what. */
export function sessionTransitions(): string {
  return matrix(SessionStatus, SESSION_TRANSITIONS);
}

/** What a task may become after what. */
export function taskTransitions(): string {
  return matrix(TaskStatus, TASK_TRANSITIONS, "—");
}

/** @param same what stands where nothing changes, unless it is an end */
function matrix<N extends number>(
  names: Readonly<Record<string, N>>,
  transitions: Readonly<Record<N, readonly N[]>>,
  same = "·",
): string {
  const values = Object.entries(names);
  const ends = (value: N): boolean => transitions[value].length === 0;
  return table(
    ["from ↓ to →", ...values.map(([name]) => code(name))],
    values.map(([name, from]) => [
      code(name),
      ...values.map(([, to]) => (transitions[from].includes(to) ? "yes" : from === to && !ends(from) ? same : "—")),
    ]),
  );
}
