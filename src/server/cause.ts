import { messageOf } from "../lib/failure-text.js";

/** Why Redis did not do what it should, in one line for people. @param thrown undefined: it has said nothing */
export function describeCause(thrown: unknown): string {
  if (thrown === undefined) return "no answer";
  // So the client says it; it gives every command one attempt.
  const isUnanswered = thrown instanceof Error && thrown.name === "MaxRetriesPerRequestError";
  return isUnanswered ? "the connection was closed before there was an answer" : messageOf(thrown);
}
