/** What it means that a storage fails. */
import { OpsCoreError } from "../../errors/index.js";

/** Whether it could not be reached: the same may succeed a moment later. */
export function isAway(thrown: unknown): boolean {
  return thrown instanceof OpsCoreError && thrown.code === "UNAVAILABLE";
}

/** Whether trying again is no use: the storage was reached, and said no. */
export function isRefusal(thrown: unknown): boolean {
  return thrown instanceof OpsCoreError && !isAway(thrown);
}
