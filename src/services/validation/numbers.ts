/** Rules for numbers and times. */
import type { Duration, Timestamp } from "@bufbuild/protobuf/wkt";
import type { Limits } from "../limits.js";
import type { Violations } from "./violations.js";

const MAX_COUNT = BigInt(Number.MAX_SAFE_INTEGER);
const MAX_NANOS = 999_999_999;
/** 0001-01-01T00:00:00Z and 9999-12-31T23:59:59Z, between which a Timestamp is valid. */
const MIN_TIMESTAMP = -62_135_596_800n;
const MAX_TIMESTAMP = 253_402_300_799n;

/** An int64 that counts something: an incarnation, a sequence, a revision. A number inside, where every count is exact. */
export function count(bad: Violations, field: string, value: bigint): number {
  if (value < 0n || value > MAX_COUNT) bad.add(field, `must be 0 to ${MAX_COUNT}`);
  return Number(value);
}

/** A whole number between two bounds. */
export function whole(bad: Violations, field: string, value: number, min: number, max: number): number {
  if (value < min || value > max) bad.add(field, `must be ${min} to ${max}`);
  return value;
}

/** Any number between two bounds. */
export function real(bad: Violations, field: string, value: number, min: number, max: number): number {
  // NaN is on neither side of anything.
  if (!(value >= min && value <= max)) bad.add(field, `must be ${min} to ${max}`);
  return value;
}

/** How many entries a page may have. */
export function pageSize(bad: Violations, field: string, value: number, limits: Limits): number {
  if (value === 0) return limits.defaultPageSize;
  if (value < 0 || value > limits.maxPageSize) bad.add(field, `must be 0 (the default) to ${limits.maxPageSize}`);
  return value;
}

/**
 * A length of time between two bounds.
 *
 * @param minMs in milliseconds, as is `maxMs`
 * @returns milliseconds, rounded up; undefined when it is not set
 */
export function duration(
  bad: Violations,
  field: string,
  value: Duration | undefined,
  minMs: number,
  maxMs: number,
): number | undefined {
  if (value === undefined) return undefined;
  const ms = Number(value.seconds) * 1000 + value.nanos / 1_000_000;
  if (value.nanos < 0 || value.nanos > MAX_NANOS || ms < minMs || ms > maxMs) {
    bad.add(field, `must be ${printMs(minMs)} to ${printMs(maxMs)}`);
  }
  return Math.ceil(ms);
}

/**
 * A moment.
 *
 * @returns milliseconds since 1970, rounded down; undefined when it is not set
 */
export function timestamp(bad: Violations, field: string, value: Timestamp | undefined): number | undefined {
  if (value === undefined) return undefined;
  const { seconds, nanos } = value;
  if (seconds < MIN_TIMESTAMP || seconds > MAX_TIMESTAMP || nanos < 0 || nanos > MAX_NANOS) {
    bad.add(field, "must be a valid timestamp between the years 1 and 9999");
  }
  return Number(seconds) * 1000 + Math.floor(nanos / 1_000_000);
}

function printMs(ms: number): string {
  if (ms !== 0 && ms % 3_600_000 === 0) return `${ms / 3_600_000} h`;
  return ms % 1_000 === 0 ? `${ms / 1_000} s` : `${ms} ms`;
}
