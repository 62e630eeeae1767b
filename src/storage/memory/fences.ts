import { staleIncarnation, unknownIncarnation } from "../refusals.js";
import type { AgentEntry } from "./entries.js";

/**
 * Refuses callers that are not the agent's current incarnation.
 *
 * @param incarnation 0: not checked
 * @throws STALE_INCARNATION, UNKNOWN_INCARNATION
 */
export function checkIncarnation(entry: AgentEntry, incarnation: number): void {
  // Of the state, which a report needs anyway: among a million agents the record is not in the processor's cache.
  const current = entry.state.incarnation;
  if (incarnation === 0 || incarnation === current) return;
  const refuse = incarnation < current ? staleIncarnation : unknownIncarnation;
  throw refuse(entry.id, incarnation, current);
}
