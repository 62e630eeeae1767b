import { durationFromMs } from "@bufbuild/protobuf/wkt";
import type { Code } from "@connectrpc/connect";
import { ConnectError } from "@connectrpc/connect";
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from "../../../gen/google/rpc/error_details_pb.js";
import { GrpcCode, OpsCoreError, REASONS, type FieldViolation, type Reason } from "../../../src/errors/index.js";

interface Extras {
  readonly metadata?: Record<string, string>;
  readonly retryAfterMs?: number;
  readonly violations?: readonly FieldViolation[];
}

/** A failure as a server sends it: the reason's code, and its details. */
export function failure(reason: Reason, { metadata = {}, retryAfterMs, violations = [] }: Extras = {}): ConnectError {
  const error = new OpsCoreError(reason, `it is ${reason}`, metadata);
  return new ConnectError(error.message, GrpcCode[REASONS[reason].code], undefined, [
    { desc: ErrorInfoSchema, value: { reason, domain: "opscore", metadata } },
    ...(retryAfterMs === undefined
      ? []
      : [{ desc: RetryInfoSchema, value: { retryDelay: durationFromMs(retryAfterMs) } }]),
    ...(violations.length === 0 ? [] : [{ desc: BadRequestSchema, value: { fieldViolations: [...violations] } }]),
  ]);
}

/** A failure that no server of ours sent: a proxy's. */
export function foreignFailure(code: Code): ConnectError {
  return new ConnectError("from somewhere on the way", code);
}

/** What a promise was rejected with. */
export async function rejection(promise: Promise<unknown>): Promise<ConnectError> {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof ConnectError)) throw new Error("was not rejected with a ConnectError", { cause: error });
  return error;
}
