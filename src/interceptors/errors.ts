/**
 * Failures as callers see them: one status with the same details on every protocol.
 */
import { Code, ConnectError } from "@connectrpc/connect";
import { GrpcCode, toOpsCoreError, type OpsCoreError } from "../errors/index.js";
import { errorDetails } from "./error-details.js";

/** Told of a defect: what was thrown and under which id the caller was told of it. */
export type OnDefect = (errorId: string, thrown: unknown) => void;

/**
 * Makes a ConnectError of whatever a handler threw.
 *
 * A ConnectError is the framework's own (a message that cannot be read, a deadline, a client that went away) and keeps its code.
 *
 * @param onDefect called for everything that nobody throws on purpose
 */
export function toConnectError(thrown: unknown, onDefect: OnDefect): ConnectError {
  if (thrown instanceof ConnectError) return encodable(thrown);
  if (isAbort(thrown)) return new ConnectError("the call was cancelled", Code.Canceled, undefined, undefined, thrown);
  const error = toOpsCoreError(thrown, onDefect);
  return new ConnectError(wellFormed(error.message), codeOf(error), undefined, errorDetails(error), error);
}

/** Connect's codes are gRPC's. */
function codeOf(error: OpsCoreError): Code {
  return GrpcCode[error.code];
}

/** What `AbortController.abort()` without a reason makes of an awaited operation. */
function isAbort(thrown: unknown): boolean {
  return thrown instanceof Error && thrown.name === "AbortError";
}

/** The framework's own repeats of JSON what it cannot read. */
function encodable(failure: ConnectError): ConnectError {
  const message = wellFormed(failure.rawMessage);
  if (message === failure.rawMessage) return failure;
  const copy = new ConnectError(message, failure.code, failure.metadata, undefined, failure);
  copy.details = failure.details;
  return copy;
}

/** A message may repeat what the caller sent; half a surrogate pair of it cannot be percent-encoded. */
function wellFormed(text: string): string {
  return /[\ud800-\udfff]/.test(text) ? Buffer.from(text).toString() : text;
}
