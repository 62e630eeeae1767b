/**
 * How failures are answered: a status, and `{"detail": …}`.
 */
import type { OpsCoreError } from "../../errors/index.js";
import { REASONS } from "../../errors/index.js";
import { retryAfterMsOf, type HeaderReader } from "../../interceptors/index.js";
import type { JsonValue } from "../../lib/json.js";
import { faultsOf, type Loc } from "./faults.js";
import { Refusal } from "./refusal.js";
import { answer, type HttpAnswer } from "./routes.js";

/** What a failure is told in the words of. */
export interface FailureContext {
  readonly header: HeaderReader;
  /** See {@link CallRoute.places}. */
  readonly places: Readonly<Record<string, Loc>>;
  /** What there is not, where the route has a word for it. */
  notFound(error: OpsCoreError): string | undefined;
  /** Whether the request had to be signed. */
  readonly isSigned: boolean;
}

export function failureAnswer(error: OpsCoreError, context: FailureContext): HttpAnswer {
  const [status, detail] = explain(error, context);
  const headers = headersOf(error, status);
  return { ...answer(status, { detail }), ...(headers !== undefined && { headers }) };
}

function explain(error: OpsCoreError, context: FailureContext): readonly [status: number, detail: JsonValue] {
  if (error instanceof Refusal) return [error.status, error.detail];
  const { reason, violations, message } = error;
  const status: number = REASONS[reason].http;
  if (reason === "INVALID_FIELD") return [422, faultsOf(violations, context.places)];
  if (status === 401) return [status, credentialDetail(error, context)];
  if (status === 404) return [status, context.notFound(error) ?? message];
  return [status, message];
}

/** Of the key, what clients have always read; of a signature, what is wrong with it. */
function credentialDetail({ message }: OpsCoreError, { header, isSigned }: FailureContext): string {
  if (isSigned) return message;
  return header.get("authorization") === null ? "Authorization header missing" : "Invalid authentication credentials";
}

function headersOf(error: OpsCoreError, status: number): Readonly<Record<string, string>> | undefined {
  if (status === 401) return { "www-authenticate": "Bearer" };
  const retryAfterMs = retryAfterMsOf(error);
  return retryAfterMs === undefined
    ? undefined
    : { "retry-after": String(Math.max(1, Math.ceil(retryAfterMs / 1000))) };
}
