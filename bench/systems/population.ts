/** What servers are filled with, and how loads name it. */

/** Every server wants it of every call, as a server in earnest does. */
export const API_KEY = "0123456789abcdef0123456789abcdef";

export const AGENT_PREFIX = "agent-";

export function agentId(index: number): string {
  return AGENT_PREFIX + String(index).padStart(6, "0");
}

/** For how long a command may take on Redis: a machine with too much to do makes what is measured slow, and does not make it fail. */
export const REDIS_TIMEOUT_MS = 60_000;

/** Who reports, and where. */
export const COMMON = { namespace: "default", actor: "bench", requestId: "" } as const;

/** A report that says nothing but a state. */
export const REPORT = {
  reason: "",
  message: "",
  details: undefined,
  sessionId: "",
  taskId: "",
  incarnation: 0,
  sequence: 0,
  reportTime: undefined,
  discardIfOlder: false,
  expectedStates: [],
  expectedRevision: 0,
  holdMs: 0,
} as const;
