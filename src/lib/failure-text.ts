/** What failures say to people. */
import { getSystemErrorMap } from "node:util";

/** What was thrown, in its own words; of several failures at once, such as one for each address of a host, the first. */
export function messageOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown);
  if (thrown instanceof AggregateError && thrown.errors.length > 0) return messageOf(thrown.errors[0]);
  return thrown.message === "" ? thrown.name : thrown.message;
}

/** Why a file could not be read, without the path and the name of the system call: whoever tells it has named the file already. */
export function fileFailure(thrown: unknown): string {
  const errno = thrown instanceof Error && "errno" in thrown ? thrown.errno : undefined;
  const [, description] = (typeof errno === "number" ? getSystemErrorMap().get(errno) : undefined) ?? [];
  return description ?? messageOf(thrown);
}
