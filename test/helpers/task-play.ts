/** One play of tasks, and who must see what of it. */
import type { createMemoryStorage } from "../../src/storage/memory/index.js";
import { TaskFilter, type TaskFilterFields } from "../../src/watch/filters.js";
import { NAMESPACE } from "./records.js";
import { aCancellation, aChain, aCompletion, aFailure, aLease, aRun, aTask, aTaskKey } from "./tasks.js";

export type Memory = ReturnType<typeof createMemoryStorage>;

export function taskFilter(fields: Partial<TaskFilterFields> = {}): TaskFilter {
  return new TaskFilter({ namespace: NAMESPACE, agentId: "", agentIncarnation: 0, sessionIds: [], ...fields });
}

/** Two sessions: `s/t` comes to `a`, goes back, comes to `b`, fails, is retried, comes to `a` again and is done; `other/t` goes to `a` and is called off. */
export function play(storage: Memory): void {
  storage.startSession(aRun(aChain("t", "u")));
  storage.startSession(aRun([aTask("t")], { sessionId: "other" }));
  storage.leaseTask(aLease("t"));
  storage.failTask(aFailure("t"));
  storage.leaseTask(aLease("t", 2, { agentId: "b" }));
  storage.failTask(aFailure("t", 2, { permanent: true }));
  storage.retryTask(aTaskKey("t"));
  storage.leaseTask(aLease("t", 3));
  storage.leaseTask(aLease("t", 1, { sessionId: "other" }));
  storage.completeTask(aCompletion("t", 3));
  storage.cancelTask(aCancellation("t", { sessionId: "other" }));
}

export const OF_A = [
  "TASK s/t: READY>LEASED",
  "TASK s/t: LEASED>READY",
  "TASK s/t: READY>LEASED",
  "TASK other/t: READY>LEASED",
  "TASK s/t: LEASED>COMPLETED",
  "TASK other/t: LEASED>CANCELLED",
];
export const OF_B = ["TASK s/t: READY>LEASED", "TASK s/t: LEASED>FAILED"];
export const OF_OTHER = ["TASK other/t: READY", "TASK other/t: READY>LEASED", "TASK other/t: LEASED>CANCELLED"];
