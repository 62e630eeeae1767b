/**
 * The kinds of values a setting can have: how each is read from text, what it expects, and how it is printed.
 */
import { formatBytes, formatDuration, parseBytes, parseDuration } from "./units.js";

/** One setting of the server. */
export interface Setting<T> {
  /** The environment variable. */
  readonly env: string;
  /** The long flag, without its dashes. */
  readonly flag: string;
  readonly description: string;
  /** Never printed. */
  readonly secret: boolean;
  /** A flag that takes no value. */
  readonly isSwitch: boolean;
  readonly default: T;
  /** What a good value looks like; the end of the sentence "must be ...". */
  readonly expects: string;
  /** Reads the value from the text of a variable or a flag; undefined when that is not a good value. */
  read(text: string): T | undefined;
  /** The value as text that `read` reads again. */
  print(value: T): string;
}

interface Common<T> {
  readonly env: string;
  readonly flag: string;
  readonly description: string;
  readonly default: T;
}

interface Range {
  readonly min: number;
  readonly max: number;
}

function setting<T>(
  common: Common<T>,
  own: Pick<Setting<T>, "expects" | "read" | "print"> & Partial<Pick<Setting<T>, "secret" | "isSwitch">>,
): Setting<T> {
  return { secret: false, isSwitch: false, ...common, ...own };
}

/** Reads text with `parse` and holds the number to its bounds. */
function numberIn({ min, max }: Range, parse: (text: string) => number | undefined): Setting<number>["read"] {
  return (text) => {
    const number = parse(text.trim());
    return number !== undefined && number >= min && number <= max ? number : undefined;
  };
}

function matching(pattern: RegExp): (text: string) => string | undefined {
  return (text) => (pattern.test(text) ? text : undefined);
}

function trimmedMatching(pattern: RegExp): (text: string) => string | undefined {
  const match = matching(pattern);
  return (text) => match(text.trim());
}

/** A whole number. */
export function integer(common: Common<number> & Range): Setting<number> {
  return setting<number>(common, {
    expects: `a whole number from ${common.min} to ${common.max}`,
    read: numberIn(common, (text) => (/^\d{1,15}$/.test(text) ? Number(text) : undefined)),
    print: String,
  });
}

/** A duration, kept in milliseconds. Bounds in milliseconds. */
export function duration(common: Common<number> & Range): Setting<number> {
  const { min, max } = common;
  return setting(common, {
    expects: `a duration from ${formatDuration(min)} to ${formatDuration(max)}, such as 500ms, 10s, 5m, 1h or 7d`,
    read: numberIn(common, parseDuration),
    print: formatDuration,
  });
}

/** A size, kept in bytes. Bounds in bytes. */
export function bytes(common: Common<number> & Range): Setting<number> {
  const { min, max } = common;
  return setting(common, {
    expects: `a size from ${formatBytes(min)} to ${formatBytes(max)}, such as 65536, 64KiB or 4MiB`,
    read: numberIn(common, parseBytes),
    print: formatBytes,
  });
}

const TRUTHS: ReadonlyMap<string, boolean> = new Map([
  ["true", true],
  ["1", true],
  ["false", false],
  ["0", false],
]);

/** Yes or no. */
export function toggle(common: Common<boolean>): Setting<boolean> {
  return setting<boolean>(common, {
    expects: "true or false",
    isSwitch: true,
    read: (text) => TRUTHS.get(text.trim().toLowerCase()),
    print: String,
  });
}

/** One of some words, in either case; `aliases` are other spellings of them. */
export function choice<T extends string>(
  common: Common<T> & { readonly words: readonly [T, ...T[]]; readonly aliases?: Readonly<Record<string, T>> },
): Setting<T> {
  const words = new Map(common.words.map((word): [string, T] => [word, word]));
  for (const [alias, word] of Object.entries(common.aliases ?? {})) words.set(alias, word);
  return setting(common, {
    expects: `one of ${common.words.join(", ")}`,
    read: (text) => words.get(text.trim().toLowerCase()),
    print: (word) => word,
  });
}

/** Text of a certain form. */
export function text(common: Common<string> & { readonly pattern: RegExp; readonly expects: string }): Setting<string> {
  return setting(common, {
    expects: common.expects,
    read: trimmedMatching(common.pattern),
    print: (value) => value,
  });
}

type OptionalText = Omit<Common<string | undefined>, "default"> & {
  readonly pattern: RegExp;
  readonly expects: string;
};

/** Text of a certain form that need not be given. */
export function optionalText(common: OptionalText): Setting<string | undefined> {
  return setting<string | undefined>(
    { ...common, default: undefined },
    { expects: common.expects, read: trimmedMatching(common.pattern), print: (value) => value ?? "" },
  );
}

/** Text that is never printed, and that need not be given. */
export function secret(common: OptionalText): Setting<string | undefined> {
  return setting<string | undefined>(
    { ...common, default: undefined },
    { expects: common.expects, secret: true, read: matching(common.pattern), print: (value) => value ?? "" },
  );
}
