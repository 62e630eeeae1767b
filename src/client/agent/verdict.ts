import { Code, type ConnectError } from "@connectrpc/connect";
import type { Reason } from "../../errors/index.js";
import { isTransient } from "../calls/failures.js";
import { errorReason, isServerError } from "../errors.js";

/** What a failed call means to an agent. */
export type Verdict =
  /** The server is away: the same again later. */
  | "outage"
  /** The server does not let the caller in. While the agent runs, its key is being changed; before, it is the wrong one. */
  | "barred"
  /** The server does not know this registration: it forgot, or somebody removed the agent. Register again. */
  | "unregistered"
  /** Another process has registered under this id since: this one is the zombie. */
  | "superseded"
  /** The server has this report: an earlier attempt got through and its answer did not. */
  | "accepted"
  /** The server will not take this, now or later. */
  | "refused";

const BY_REASON: Readonly<Partial<Record<Reason, Verdict>>> = {
  AGENT_NOT_FOUND: "unregistered",
  UNKNOWN_INCARNATION: "unregistered",
  STALE_INCARNATION: "superseded",
  // Nobody else counts for this incarnation, and reports go out in order, one at a time.
  STALE_SEQUENCE: "accepted",
  CREDENTIALS_MISSING: "barred",
  CREDENTIALS_INVALID: "barred",
};

export function verdict(failure: ConnectError): Verdict {
  if (isTransient(failure)) return "outage";
  const reason = errorReason(failure);
  const known = reason === undefined ? undefined : BY_REASON[reason];
  if (known !== undefined) return known;
  // The call's own deadline: the server hangs.
  return failure.code === Code.DeadlineExceeded && !isServerError(failure) ? "outage" : "refused";
}
