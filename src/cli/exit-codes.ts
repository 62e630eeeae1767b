/**
 * What the exit codes of `opscore` mean: the one table, from which commands answer and `--help` prints. Scripts rely on these
 * numbers, so a number never changes its meaning.
 */
export const EXIT_CODES = {
  OK: { code: 0, meaning: "done" },
  FAILURE: { code: 1, meaning: "failed for a reason that has no number of its own" },
  USAGE: { code: 2, meaning: "wrong usage, or the server refused a value" },
  NOT_FOUND: { code: 3, meaning: "no such agent, session, task, workflow or webhook" },
  CONFLICT: { code: 4, meaning: "a precondition does not hold, or the change is not allowed now" },
  TIMEOUT: { code: 5, meaning: "the time ran out" },
  UNAVAILABLE: { code: 6, meaning: "the server cannot be reached, is stopping or is too busy" },
  UNAUTHENTICATED: { code: 7, meaning: "the server wants an API key, or another one" },
  WAIT_FAILED: { code: 10, meaning: "state wait: the agent got into one of the states of --fail-on" },
  WAIT_LOST: { code: 11, meaning: "state wait: the agent was lost, with --fail-on-lost" },
  WAIT_DEREGISTERED: { code: 12, meaning: "state wait: the agent was deregistered" },
  INTERRUPTED: { code: 130, meaning: "interrupted (SIGINT)" },
  PIPE_CLOSED: { code: 141, meaning: "whoever read the output went away (SIGPIPE)" },
  TERMINATED: { code: 143, meaning: "terminated (SIGTERM)" },
} as const satisfies Record<string, { readonly code: number; readonly meaning: string }>;

/** How a command ended. */
export type Exit = keyof typeof EXIT_CODES;
