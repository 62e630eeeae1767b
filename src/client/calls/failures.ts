import { Code, ConnectError } from "@connectrpc/connect";
import { isServerError, retryAfterMs } from "../errors.js";

/** What the runtime calls a peer that is not there, or no longer. TLS failures are not here: they do not pass by themselves. */
const LOST_CONNECTION: ReadonlySet<string> = new Set([
  "EAI_AGAIN",
  "ECONNABORTED",
  "ECONNREFUSED",
  "ECONNRESET",
  "EHOSTDOWN",
  "EHOSTUNREACH",
  "ENETDOWN",
  "ENETUNREACH",
  "ENOTFOUND",
  "EPIPE",
  "ETIMEDOUT",
  "ERR_HTTP2_GOAWAY_SESSION",
  "ERR_HTTP2_INVALID_SESSION",
  "ERR_HTTP2_INVALID_STREAM",
  "ERR_HTTP2_SESSION_ERROR",
  "ERR_HTTP2_STREAM_CANCEL",
  "ERR_HTTP2_STREAM_ERROR",
  "ERR_STREAM_DESTROYED",
  "ERR_STREAM_PREMATURE_CLOSE",
]);

/**
 * How `fetch` says that there was no answer, or only a part of one: by the standard with a TypeError, which other mistakes are too, in
 * words of each engine's own (Chromium, Firefox, Safari, Node).
 */
const FETCH_FAILED =
  /^(Failed to fetch|network error|NetworkError when attempting|Error in (input|body) stream|Load failed|The network connection was lost|fetch failed|terminated)/;

/** How Connect's parsers name an answer that was cut off; they give it the codes of bad messages. */
const CUT_OFF = /^protocol error: (incomplete envelope|promised \d+ bytes|missing (status|trailer|EndStreamResponse))/;

/**
 * Gives a failure one shape, whichever lane it came through. Transports name a lost connection by how they noticed it (canceled,
 * aborted, internal); here it is UNAVAILABLE, as gRPC defines it, with the original as its cause.
 *
 * @param canceled whether the caller itself ended the call; then the failure is what it says
 */
export function callFailure(thrown: unknown, canceled: boolean): ConnectError {
  const error = ConnectError.from(thrown);
  if (canceled || error.code === Code.Unavailable || isServerError(error) || !isLostConnection(error)) return error;
  return new ConnectError(`connection lost: ${error.rawMessage}`, Code.Unavailable, error.metadata, [], error);
}

/**
 * Tells whether the same call may go better a moment later: the server or the way to it was away, or the server said when to come
 * back.
 */
export function isTransient(failure: ConnectError): boolean {
  return (
    failure.code === Code.Unavailable ||
    (failure.code === Code.ResourceExhausted && retryAfterMs(failure) !== undefined)
  );
}

/** What calls on a client fail with that was closed. */
export function clientClosed(): ConnectError {
  return new ConnectError("the client was closed", Code.Canceled);
}

function isLostConnection(error: ConnectError): boolean {
  // Nobody on this side canceled, so the stream was reset from the other.
  if (error.code === Code.Canceled) return true;
  if (CUT_OFF.test(error.rawMessage)) return true;
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
    if (cause instanceof TypeError && FETCH_FAILED.test(cause.message)) return true;
    if ("code" in cause && typeof cause.code === "string" && LOST_CONNECTION.has(cause.code)) return true;
  }
  return false;
}
