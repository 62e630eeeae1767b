/** Why something failed, in one line for people: what the innermost error says. */
export function describeCause(thrown: unknown): string {
  if (!(thrown instanceof Error)) return typeof thrown === "string" ? thrown : "no answer";
  // A name with several addresses fails with one error for each.
  const inner: unknown = thrown instanceof AggregateError ? thrown.errors[0] : undefined;
  if (inner !== undefined) return describeCause(inner);
  // So the client says it; it gives every command one attempt.
  if (thrown.name === "MaxRetriesPerRequestError") return "the connection was closed before there was an answer";
  return thrown.message === "" ? thrown.name : thrown.message;
}
