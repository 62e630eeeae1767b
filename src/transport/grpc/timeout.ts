import { Code, ConnectError } from "@connectrpc/connect";

const TIMEOUT = /^(\d{1,8})([HMSmun])$/;
const UNIT_MS: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 1e-3, n: 1e-6 };

/**
 * Reads `grpc-timeout` (gRPC over HTTP/2, "Timeout").
 *
 * @returns milliseconds
 * @throws ConnectError INVALID_ARGUMENT
 */
export function parseTimeout(value: string): number {
  const ms = timeoutMs(value);
  if (ms === undefined) {
    throw new ConnectError(`protocol error: invalid grpc timeout value: ${value}`, Code.InvalidArgument);
  }
  return ms;
}

/** The same in milliseconds, or undefined when it is no time-out. */
export function timeoutMs(value: string): number | undefined {
  const [, digits, unit] = TIMEOUT.exec(value) ?? [];
  const unitMs = unit === undefined ? undefined : UNIT_MS[unit];
  return unitMs === undefined ? undefined : Number(digits) * unitMs;
}

export function deadlineExceeded(): ConnectError {
  return new ConnectError("the operation timed out", Code.DeadlineExceeded);
}
