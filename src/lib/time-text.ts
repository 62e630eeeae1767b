/**
 * Times as people read them.
 */
import { timestampMs, type Timestamp } from "@bufbuild/protobuf/wkt";

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/**
 * How long something has lasted, in at most two units: `0s`, `42s`, `3m05s`, `2h14m`, `5d03h`.
 *
 * @param ms milliseconds; less than none, where clocks differ, counts as none
 */
export function formatAge(ms: number): string {
  const total = Math.max(0, ms);
  if (total < MINUTE) return `${Math.floor(total / SECOND)}s`;
  if (total < HOUR) return two(total, MINUTE, "m", SECOND, "s");
  if (total < DAY) return two(total, HOUR, "h", MINUTE, "m");
  return two(total, DAY, "d", HOUR, "h");
}

function two(ms: number, large: number, largeUnit: string, small: number, smallUnit: string): string {
  const rest = Math.floor((ms % large) / small);
  return `${Math.floor(ms / large)}${largeUnit}${String(rest).padStart(2, "0")}${smallUnit}`;
}

/** How long ago `time` was; empty when it is not set. */
export function formatSince(time: Timestamp | undefined, now: number): string {
  return time === undefined ? "" : formatAge(now - timestampMs(time));
}

/** Date and time: for programs in UTC, as RFC 3339; for people on their own clock. Empty when it is not set. */
export function formatTime(time: Timestamp | undefined, forPeople: boolean): string {
  if (time === undefined) return "";
  const date = new Date(timestampMs(time));
  if (!forPeople) return date.toISOString();
  const day = [date.getFullYear(), two0(date.getMonth() + 1), two0(date.getDate())].join("-");
  return `${day} ${formatClock(date.getTime())}`;
}

/** The time of day on this machine's clock, to the millisecond: `09:41:00.123`. */
export function formatClock(ms: number): string {
  const date = new Date(ms);
  const clock = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two0).join(":");
  return `${clock}.${String(date.getMilliseconds()).padStart(3, "0")}`;
}

function two0(number: number): string {
  return String(number).padStart(2, "0");
}
