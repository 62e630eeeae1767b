/**
 * Durations and sizes as people write them: `500ms`, `10s`, `7d`, `64KiB`.
 */
const DURATIONS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const SIZES = { b: 1, kib: 1024, mib: 1024 ** 2, gib: 1024 ** 3 } as const;
const SIZE_NAMES = { b: "B", kib: "KiB", mib: "MiB", gib: "GiB" } as const;

/**
 * @param text a number with a unit of `ms`, `s`, `m`, `h` or `d`, or 0: without a unit nobody knows whether seconds or milliseconds were
 *   meant
 * @returns milliseconds, or undefined when the text is not a duration
 */
export function parseDuration(text: string): number | undefined {
  return text === "0" ? 0 : parse(text, DURATIONS, undefined);
}

/** @param ms milliseconds */
export function formatDuration(ms: number): string {
  return format(ms, DURATIONS, "ms");
}

/**
 * @param text a number with a unit of `B`, `KiB`, `MiB` or `GiB`, in either case; without one it means bytes
 * @returns bytes, or undefined when the text is not a size
 */
export function parseBytes(text: string): number | undefined {
  return parse(text.toLowerCase(), SIZES, "b");
}

export function formatBytes(bytes: number): string {
  const unit = largestUnit(bytes, SIZES, "b");
  return `${bytes / SIZES[unit]}${SIZE_NAMES[unit]}`;
}

/** @param plain what a number without a unit means, if anything */
function parse<U extends string>(
  text: string,
  units: Readonly<Record<U, number>>,
  plain: U | undefined,
): number | undefined {
  const match = /^(\d{1,15}(?:\.\d{1,6})?) ?([a-z]*)$/.exec(text);
  if (match === null) return undefined;
  const [, digits = "", name = ""] = match;
  const unit = name === "" ? plain : name;
  return unit !== undefined && isUnit(unit, units) ? Math.round(Number(digits) * units[unit]) : undefined;
}

function isUnit<U extends string>(name: string, units: Readonly<Record<U, number>>): name is U {
  return Object.hasOwn(units, name);
}

function format<U extends string>(amount: number, units: Readonly<Record<U, number>>, smallest: U): string {
  const unit = largestUnit(amount, units, smallest);
  return `${amount / units[unit]}${unit}`;
}

/** The largest unit of which `amount` is a whole multiple. */
function largestUnit<U extends string>(amount: number, units: Readonly<Record<U, number>>, smallest: U): U {
  let largest = smallest;
  if (amount === 0) return largest;
  for (const unit in units) if (units[unit] > units[largest] && amount % units[unit] === 0) largest = unit;
  return largest;
}
