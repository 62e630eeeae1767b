/** How often, and how patiently, something is tried again. */
export interface RetryPolicy {
  /** How many times in all, the first included; `Infinity`: as long as it takes. */
  readonly maxAttempts: number;
  /** The upper bound of the wait before the second attempt, in milliseconds. */
  readonly initialBackoffMs: number;
  /** The upper bound of any wait, in milliseconds. */
  readonly maxBackoffMs: number;
  /** By how much the bound grows from one wait to the next. */
  readonly multiplier: number;
}

/** Part of a policy; what is not given has its default. */
export type RetryOptions = { readonly [Name in keyof RetryPolicy]?: RetryPolicy[Name] | undefined };

/** For single calls: short enough that a caller without a deadline is not left hanging. */
export const CALL_RETRY: RetryPolicy = {
  maxAttempts: 5,
  initialBackoffMs: 100,
  maxBackoffMs: 5_000,
  multiplier: 2,
};

/** For watches, waits and agents, which outlive the server. */
export const RECONNECT: RetryPolicy = { ...CALL_RETRY, maxAttempts: Infinity };

/** @throws RangeError naming the option that is out of bounds */
export function retryPolicy(defaults: RetryPolicy, options: RetryOptions = {}): RetryPolicy {
  const policy: RetryPolicy = {
    maxAttempts: options.maxAttempts ?? defaults.maxAttempts,
    initialBackoffMs: options.initialBackoffMs ?? defaults.initialBackoffMs,
    maxBackoffMs: options.maxBackoffMs ?? defaults.maxBackoffMs,
    multiplier: options.multiplier ?? defaults.multiplier,
  };
  if (!(policy.maxAttempts >= 1)) throw new RangeError("retry.maxAttempts must be at least 1");
  if (!(policy.initialBackoffMs >= 0)) throw new RangeError("retry.initialBackoffMs must not be negative");
  if (!(policy.maxBackoffMs >= 0)) throw new RangeError("retry.maxBackoffMs must not be negative");
  if (!(policy.multiplier >= 1)) throw new RangeError("retry.multiplier must be at least 1");
  return policy;
}

/**
 * How long to wait after `failures` failed attempts: anything up to an exponentially growing bound ("full jitter"), so that clients
 * that failed together do not come back together. What the server asked for comes first, with the jitter on top.
 *
 * @param failures at least 1
 * @param random from 0 to 1
 * @param retryAfterMs what the server asked for, if it did
 * @returns milliseconds
 */
export function backoffMs(policy: RetryPolicy, failures: number, random: number, retryAfterMs = 0): number {
  const bound = Math.min(policy.maxBackoffMs, policy.initialBackoffMs * policy.multiplier ** (failures - 1));
  return retryAfterMs + random * bound;
}
