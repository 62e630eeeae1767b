/** Why something failed, in one line for people: what the innermost error says. */
export function describeCause(thrown: unknown): string {
  if (!(thrown instanceof Error)) return typeof thrown === "string" ? thrown : "no answer";
  // A name with several addresses fails with one error for each.
  const inner: unknown = thrown instanceof AggregateError ? thrown.errors[0] : undefined;
  if (inner !== undefined) return describeCause(inner);
  return thrown.message === "" ? thrown.name : thrown.message;
}
