/** Rules for single strings. Lengths are characters where the proto files say characters, and bytes of UTF-8 where they say KiB. */
import type { Violations } from "./violations.js";

const ID = /^[A-Za-z0-9._:-]{1,128}$/;
const REASON = /^[A-Z][A-Za-z0-9]{0,63}$/;
const HTTP_URL = /^https?:\/\/[^\s\\]+$/i;
const MAX_NAME = 255;
const MAX_WORD = 128;
const MAX_REQUEST_ID = 128;
const MAX_URL = 2_048;

/** Tells whether something may be called so. */
export function isId(value: string): boolean {
  return ID.test(value);
}

/** An id that must be given. */
export function id(bad: Violations, field: string, value: string): string {
  if (!isId(value)) {
    bad.add(field, value === "" ? "must be set" : "must be 1 to 128 characters of [A-Za-z0-9._:-]");
  }
  return value;
}

/** An id that may be empty. */
export function optionalId(bad: Violations, field: string, value: string): string {
  return value === "" ? value : id(bad, field, value);
}

/** A name or a version, for people. */
export function name(bad: Violations, field: string, value: string): string {
  if (isLonger(value, MAX_NAME)) bad.add(field, `must be at most ${MAX_NAME} characters`);
  return value;
}

/** One capability. */
export function word(bad: Violations, field: string, value: string): string {
  if (value === "" || isLonger(value, MAX_WORD)) bad.add(field, `must be 1 to ${MAX_WORD} characters`);
  return value;
}

export function requestId(bad: Violations, field: string, value: string): string {
  if (!isLonger(value, MAX_REQUEST_ID)) return value;
  bad.add(field, `must be at most ${MAX_REQUEST_ID} characters`);
  return "";
}

/** Why, for programs: one CamelCase word, or empty. */
export function reason(bad: Violations, field: string, value: string): string {
  if (value !== "" && !REASON.test(value)) {
    bad.add(field, "must be one CamelCase word of at most 64 letters and digits, such as RateLimited");
  }
  return value;
}

/** Text for people. */
export function text(bad: Violations, field: string, value: string, maxBytes: number): string {
  // A UTF-16 unit is at most three bytes of UTF-8, so short text needs no counting.
  if (value.length * 3 > maxBytes && (value.length > maxBytes || Buffer.byteLength(value) > maxBytes)) {
    bad.add(field, `must be at most ${maxBytes} bytes`);
  }
  return value;
}

/** Where an agent takes requests: an absolute http or https URL, or empty. */
export function httpUrl(bad: Violations, field: string, value: string): string {
  if (value === "") return value;
  if (value.length > MAX_URL) {
    bad.add(field, `must be at most ${MAX_URL} characters`);
    return value;
  }
  if (!HTTP_URL.test(value) || !URL.canParse(value)) {
    bad.add(field, "must be an absolute http or https URL");
    return value;
  }
  const { username, password } = new URL(value);
  if (username !== "" || password !== "") bad.add(field, "must not contain a user name or a password");
  return value;
}

/** Counts characters (code points) only when the count of UTF-16 units leaves it open. */
export function isLonger(value: string, max: number): boolean {
  if (value.length <= max) return false;
  return value.length > 2 * max || Array.from(value).length > max;
}
