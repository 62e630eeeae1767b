/** What servers are filled with, and how loads name it. */

/** Every server wants it of every call, as a server in earnest does. */
export const API_KEY = "0123456789abcdef0123456789abcdef";

export const AGENT_PREFIX = "agent-";

export function agentId(index: number): string {
  return AGENT_PREFIX + String(index).padStart(6, "0");
}
