import type { DescMethod } from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";

/** What the descriptor of a method says about repeating it. */
export interface MethodFacts {
  /** A second call has no effect that the first did not have. */
  readonly repeatable: boolean;
  /** The request has a `request_id`, which makes the call repeatable. */
  readonly requestId: boolean;
}

const cache = new WeakMap<DescMethod, MethodFacts>();

/** Reads a method's facts from its descriptor: `idempotency_level`, or a `request_id` in the request. */
export function methodFacts(method: DescMethod): MethodFacts {
  let facts = cache.get(method);
  if (facts === undefined) {
    const requestId = method.input.fields.some(({ name }) => name === "request_id");
    const repeatable = requestId || method.idempotency !== MethodOptions_IdempotencyLevel.IDEMPOTENCY_UNKNOWN;
    facts = { repeatable, requestId };
    cache.set(method, facts);
  }
  return facts;
}

/**
 * Gives a request a fresh `request_id` unless it has one, so that every attempt of one call is the same request to the server.
 *
 * @returns a copy: the caller may send its own object again, as another request
 */
export function withRequestId<Request>(request: Request): Request {
  const given = typeof request === "object" && request !== null && "requestId" in request && request.requestId !== "";
  return given ? request : { ...request, requestId: crypto.randomUUID() };
}
