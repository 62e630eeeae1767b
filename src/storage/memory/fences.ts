import { OpsCoreError } from "../../errors/index.js";
import { stateName } from "../state-machine.js";
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
  const metadata = { incarnation: String(incarnation), current: String(current) };
  if (incarnation < current) {
    const message = `incarnation ${incarnation} of agent ${entry.record.agentId} was replaced by incarnation ${current}`;
    throw new OpsCoreError("STALE_INCARNATION", message, metadata);
  }
  const message = `agent ${entry.record.agentId} never had incarnation ${incarnation}, its current one is ${current}`;
  throw new OpsCoreError("UNKNOWN_INCARNATION", message, metadata);
}

/** A precondition on an agent does not hold. */
export function agentMismatch(entry: AgentEntry, revision: number): OpsCoreError {
  const state = stateName(entry.state.state);
  const message = `agent ${entry.record.agentId} is ${state} at revision ${revision}, not what was expected`;
  return new OpsCoreError("STATE_MISMATCH", message, { state, revision: String(revision) });
}
