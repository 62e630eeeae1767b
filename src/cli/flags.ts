/**
 * Options and arguments with types. A command says once what it takes; from that come its help, the check of what was typed, and the
 * types of the values it is given.
 */
import { Argument, Option } from "commander";
import type { Awaitable } from "../lib/awaitable.js";
import type { CliIo } from "./io.js";
import { Unreadable, type Reader } from "./readers.js";
import { usageFailure, type Problem } from "./failure.js";

/** What a command takes at one place: an option, or an argument. */
export interface Parameter<T> {
  /** As it is named in messages: `--limit`, `<agent-id>`. */
  readonly name: string;
  /** @throws Unreadable */
  read(given: unknown, io: CliIo): Promise<T>;
}

export interface Flag<T> extends Parameter<T> {
  readonly option: Option;
}

export interface Positional<T> extends Parameter<T> {
  readonly argument: Argument;
}

// A parameter of any type; `unknown` fits because parameters only hand values out.
type Parameters = Readonly<Record<string, Parameter<unknown>>>;
export type Flags = Readonly<Record<string, Flag<unknown>>>;
export type Positionals = Readonly<Record<string, Positional<unknown>>>;

/** The values of some parameters, by the same keys. */
export type Values<P extends Parameters> = { readonly [K in keyof P]: P[K] extends Parameter<infer T> ? T : never };

interface FlagSource {
  /** The environment variable that counts when the option is not given. */
  readonly env?: string;
}

/** An option with a value, which need not be given. */
export function optional<T>(
  flags: string,
  description: string,
  reader: Reader<T>,
  { env }: FlagSource = {},
): Flag<T | undefined> {
  const text = withWords(description, reader);
  return oneFlag(flags, env === undefined ? text : `${text} (env: ${env})`, reader, env, undefined);
}

/** An option with a value that has a default. `defaultText` is read as if it had been typed. */
export function defaulted<T>(
  flags: string,
  description: string,
  reader: Reader<T>,
  defaultText: string,
  { env }: FlagSource = {},
): Flag<T> {
  const origin = env === undefined ? `default: ${defaultText}` : `default: ${defaultText}, env: ${env}`;
  const flag = oneFlag(flags, `${description} (${origin})`, reader, env, defaultText);
  return {
    ...flag,
    async read(given, io) {
      const value = await flag.read(given, io);
      if (value === undefined) throw new Error(`${flag.name} has a default that cannot be read`);
      return value;
    },
  };
}

/** An option that may be repeated. */
export function repeated<T>(flags: string, description: string, reader: Reader<T>): Flag<readonly T[]> {
  return listFlag(flags, `${description}; may be repeated`, reader, (text) => [text]);
}

/** An option that may be repeated, or given with several values, separated by commas. */
export function listed<T>(flags: string, description: string, reader: Reader<T>): Flag<readonly T[]> {
  return listFlag(flags, `${withWords(description, reader)}; several with commas`, reader, (text) => text.split(","));
}

/** An option without a value. Written as `--no-thing` it is true unless given. */
export function toggle(flags: string, description: string): Flag<boolean> {
  const option = new Option(flags, upperFirst(description));
  return {
    option,
    name: nameOf(option),
    read: (given) => Promise.resolve(given === undefined ? option.negate : given === true),
  };
}

/** An argument that must be given. */
export function required<T>(name: string, description: string, reader: Reader<T>): Positional<T> {
  const argument = new Argument(`<${name}>`, upperFirst(withWords(description, reader)));
  return { argument, name: `<${name}>`, read: (given, io) => readText(reader, textOf(given), io) };
}

/** An argument that need not be given. */
export function maybe<T>(name: string, description: string, reader: Reader<T>): Positional<T | undefined> {
  const argument = new Argument(`[${name}]`, upperFirst(description));
  return {
    argument,
    name: `<${name}>`,
    read: async (given, io) => (given === undefined ? undefined : await readText(reader, textOf(given), io)),
  };
}

/** The rest of the arguments: one or more, or any number. */
export function rest<T>(
  name: string,
  description: string,
  reader: Reader<T>,
  atLeast: 0 | 1,
): Positional<readonly T[]> {
  const argument = new Argument(
    atLeast === 0 ? `[${name}...]` : `<${name}...>`,
    upperFirst(withWords(description, reader)),
  );
  return { argument, name: `<${name}>`, read: (given, io) => readAll(reader, texts(given), io) };
}

/**
 * Reads what was given for all of some parameters.
 *
 * @param given answers what was typed for one
 * @returns the values, or the problems where some cannot be used
 */
export async function readValues<P extends Parameters>(
  parameters: P,
  given: (parameter: P[string], key: string) => unknown,
  io: CliIo,
): Promise<{ readonly values: Values<P>; readonly problems: readonly Problem[] }> {
  const values: Record<string, unknown> = {};
  const problems: Problem[] = [];
  for (const [key, parameter] of Object.entries(parameters) as [string, P[string]][]) {
    try {
      values[key] = await parameter.read(given(parameter, key), io);
    } catch (error) {
      if (!(error instanceof Unreadable)) throw error;
      problems.push({ name: error.where ?? parameter.name, description: error.message });
    }
  }
  // Each key holds what its own parameter read; where one could not be read there is a problem, and nobody looks at the values.
  return { values: values as Values<P>, problems };
}

/** @throws CommandFailure when there is a problem */
export function refuse(problems: readonly Problem[]): void {
  if (problems.length > 0) throw usageFailure(problems);
}

function oneFlag<T>(
  flags: string,
  description: string,
  reader: Reader<T>,
  env: string | undefined,
  defaultText: string | undefined,
): Flag<T | undefined> {
  const option = new Option(flags, upperFirst(description));
  return {
    option,
    name: nameOf(option),
    async read(given, io) {
      if (given !== undefined) return readText(reader, textOf(given), io);
      const fromEnv = env === undefined ? "" : (io.env[env] ?? "");
      if (fromEnv !== "") return readText(reader, fromEnv, io, env);
      return defaultText === undefined ? undefined : readText(reader, defaultText, io);
    },
  };
}

function listFlag<T>(
  flags: string,
  description: string,
  reader: Reader<T>,
  split: (text: string) => readonly string[],
): Flag<readonly T[]> {
  const option = new Option(flags, upperFirst(description)).argParser<readonly string[] | undefined>(
    (text, previous) => [...(previous ?? []), ...split(text)],
  );
  return { option, name: nameOf(option), read: (given, io) => readAll(reader, texts(given), io) };
}

async function readAll<T>(reader: Reader<T>, given: readonly string[], io: CliIo): Promise<readonly T[]> {
  const values: T[] = [];
  for (const text of given) values.push(await readText(reader, text, io));
  return values;
}

async function readText<T>(reader: Reader<T>, text: string, io: CliIo, where?: string): Promise<T> {
  const value = await readFrom(where, () => reader.read(text, io));
  if (value !== undefined) return value;
  const got = reader.secret === true ? "" : `, got ${JSON.stringify(text)}`;
  throw new Unreadable(`must be ${reader.expects}${got}`, where);
}

/** Names the variable that a value came from where the reader says what is wrong with it, and does not know. */
async function readFrom<T>(where: string | undefined, read: () => Awaitable<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    throw error instanceof Unreadable ? new Unreadable(error.message, error.where ?? where) : error;
  }
}

/** Commander hands over text, for whatever takes a value. */
function textOf(given: unknown): string {
  return typeof given === "string" ? given : "";
}

function texts(given: unknown): readonly string[] {
  return Array.isArray(given) ? given.map(textOf) : [];
}

function withWords(description: string, { words }: Reader<unknown>): string {
  return words === undefined ? description : `${description}: ${words.join(", ")}`;
}

function upperFirst(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function nameOf(option: Option): string {
  return option.long ?? option.flags;
}
