/** Many callers at once, and what became of their calls. */
import type { Awaitable } from "../../../src/lib/awaitable.js";
import type { Storage } from "../../../src/storage/storage.js";
import { attempt, times, type Outcome, type Subject } from "./harness.js";

export const CALLERS = 20;

/** {@link CALLERS} calls at the same time, through both replicas. */
export function race<T>(
  { storage, replica }: Subject,
  call: (on: Storage, caller: number) => Awaitable<T>,
): Promise<Outcome<T>[]> {
  return Promise.all(times(CALLERS, (caller) => attempt(() => call(caller % 2 === 0 ? storage : replica, caller))));
}

/** How many calls succeeded (`OK`), and how many failed for each reason. */
export function tally(outcomes: readonly Outcome<unknown>[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { failure } of outcomes) {
    const name = failure?.reason ?? "OK";
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}
