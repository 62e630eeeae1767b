/**
 * The kinds of values a setting can have: how each is read from text, what it expects, and how it is printed.
 */
import { z } from "zod";
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
  /** Reads the value from the text of a variable or a flag. */
  readonly schema: z.ZodType<T, string>;
  /** The value as text that `schema` reads again. */
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
  own: Pick<Setting<T>, "expects" | "schema" | "print"> & Partial<Pick<Setting<T>, "secret" | "isSwitch">>,
): Setting<T> {
  return { secret: false, isSwitch: false, ...common, ...own };
}

/** Reads text with `parse` and holds the number to its bounds. */
function numberIn({ min, max }: Range, parse: (text: string) => number | undefined): z.ZodType<number, string> {
  return z
    .string()
    .transform((text) => parse(text.trim()) ?? Number.NaN)
    .pipe(z.number().min(min).max(max));
}

/** A whole number. */
export function integer(common: Common<number> & Range): Setting<number> {
  return setting<number>(common, {
    expects: `a whole number from ${common.min} to ${common.max}`,
    schema: numberIn(common, (text) => (/^\d{1,15}$/.test(text) ? Number(text) : undefined)),
    print: String,
  });
}

/** A duration, kept in milliseconds. Bounds in milliseconds. */
export function duration(common: Common<number> & Range): Setting<number> {
  const { min, max } = common;
  return setting(common, {
    expects: `a duration from ${formatDuration(min)} to ${formatDuration(max)}, such as 500ms, 10s, 5m, 1h or 7d`,
    schema: numberIn(common, parseDuration),
    print: formatDuration,
  });
}

/** A size, kept in bytes. Bounds in bytes. */
export function bytes(common: Common<number> & Range): Setting<number> {
  const { min, max } = common;
  return setting(common, {
    expects: `a size from ${formatBytes(min)} to ${formatBytes(max)}, such as 65536, 64KiB or 4MiB`,
    schema: numberIn(common, parseBytes),
    print: formatBytes,
  });
}

/** Yes or no. */
export function toggle(common: Common<boolean>): Setting<boolean> {
  return setting<boolean>(common, {
    expects: "true or false",
    isSwitch: true,
    schema: z
      .string()
      .transform((text) => text.trim().toLowerCase())
      .pipe(z.enum(["true", "1", "false", "0"]))
      .transform((word) => word === "true" || word === "1"),
    print: String,
  });
}

/** One of some words, in either case; `aliases` are other spellings of them. */
export function choice<T extends string>(
  common: Common<T> & { readonly words: readonly [T, ...T[]]; readonly aliases?: Readonly<Record<string, T>> },
): Setting<T> {
  const aliases = new Map(Object.entries(common.aliases ?? {}));
  return setting(common, {
    expects: `one of ${common.words.join(", ")}`,
    schema: z
      .string()
      .transform((text) => text.trim().toLowerCase())
      .transform((word) => aliases.get(word) ?? word)
      .pipe(z.enum(common.words)),
    print: (word) => word,
  });
}

/** Text of a certain form. */
export function text(common: Common<string> & { readonly pattern: RegExp; readonly expects: string }): Setting<string> {
  return setting(common, {
    expects: common.expects,
    schema: z.string().trim().regex(common.pattern),
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
    { expects: common.expects, schema: z.string().trim().regex(common.pattern), print: (value) => value ?? "" },
  );
}

/** Text that is never printed, and that need not be given. */
export function secret(common: OptionalText): Setting<string | undefined> {
  return setting<string | undefined>(
    { ...common, default: undefined },
    { expects: common.expects, secret: true, schema: z.string().regex(common.pattern), print: (value) => value ?? "" },
  );
}
