/** 0001-01-01T00:00:00Z and the end of the year 9999, between which a `google.protobuf.Timestamp` is valid; ms since 1970. */
const MIN_TIME = -62_135_596_800_000;
const MAX_TIME = 253_402_300_799_999;

/** Since 1973: a shorter number may be anything. */
const UNIX_SECONDS = /^\d{9,12}(?:\.\d{1,9})?$/;
/** Date, time, fraction, zone; with a space for the T, and with what Python and others leave out. */
const ISO_8601 =
  /^(\d{4}-\d{2}-\d{2})[Tt ](\d{2}:\d{2}(?::\d{2})?)(?:[.,](\d{1,9}))?(?: ?([Zz]|[+-]\d{2}(?::?\d{2})?))?$/;

/**
 * Reads a moment that people or programs wrote as Unix seconds or in ISO 8601. Without a zone it is UTC.
 *
 * @returns milliseconds since 1970, whole ones; undefined when it cannot be read
 */
export function parseTime(text: string): number | undefined {
  const time = UNIX_SECONDS.test(text) ? Math.floor(Number(text) * 1000) : parseIso(text);
  return time >= MIN_TIME && time <= MAX_TIME ? time : undefined;
}

/** NaN when it cannot be read. */
function parseIso(text: string): number {
  const match = ISO_8601.exec(text);
  if (match === null) return Number.NaN;
  const [, date = "", time = "", fraction = "", zone = "Z"] = match;
  const ms = fraction === "" ? "" : `.${fraction.slice(0, 3).padEnd(3, "0")}`;
  return Date.parse(`${date}T${time.length === 5 ? `${time}:00` : time}${ms}${zoneOf(zone)}`);
}

/** `+HH:MM`, as Date wants it, of `+HH`, `+HHMM` or `+HH:MM`. */
function zoneOf(zone: string): string {
  if (zone === "Z" || zone === "z") return "Z";
  const digits = zone.replace(":", "").slice(1).padEnd(4, "0");
  return `${zone[0]}${digits.slice(0, 2)}:${digits.slice(2)}`;
}
