import { staleIncarnation, unknownIncarnation } from "../refusals.js";
import type { AgentEntry } from "./entries.js";

/**
 * Refuses callers that are not the agent's current incarnation.
 *
 * @param incarnation 0: not checked
 * @throws STALE_INCARNATION, UNKNOWN_INCARNATION
 */
export function checkIncarnation(entry: AgentEntry, incarnation: number): void {
  const current = entry.record.incarnation;
  if (incarnation === 0 || incarnation === current) return;
  const refuse = incarnation < current ? staleIncarnation : unknownIncarnation;
  throw refuse(entry.record.agentId, incarnation, current);
}
