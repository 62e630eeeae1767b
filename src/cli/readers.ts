/**
 * How values are read from what was typed. A reader answers undefined for what it cannot read, or throws {@link Unreadable} where it
 * can say more than what it expects.
 */
import { readFile } from "node:fs/promises";
import type { JsonObject } from "@bufbuild/protobuf";
import { nearest } from "../config/suggest.js";
import { formatDuration, parseDuration } from "../config/units.js";
import type { Awaitable } from "../lib/awaitable.js";
import { fileFailure, messageOf } from "../lib/failure-text.js";
import type { CliIo } from "./io.js";

export interface Reader<T> {
  /** What a good value looks like; the end of the sentence "must be ...". */
  readonly expects: string;
  /** All good values, where they are few. */
  readonly words?: readonly string[];
  /** Whether the value must not be repeated on the screen. */
  readonly secret?: boolean;
  read(text: string, io: CliIo): Awaitable<T | undefined>;
}

/** Says what is wrong with a value: a sentence without subject. */
export class Unreadable extends Error {
  override readonly name = "Unreadable";

  /** @param where the environment variable that the value came from, if it did */
  constructor(
    message: string,
    readonly where?: string,
  ) {
    super(message);
  }
}

/** Any text; the server judges it. */
export const anyText: Reader<string> = { expects: "text", read: (text) => text };

/** Text of a certain form. */
export function matching(pattern: RegExp, expects: string): Reader<string> {
  return { expects, read: (text) => (pattern.test(text) ? text : undefined) };
}

export function wholeNumber(min: number, max: number): Reader<number> {
  return {
    expects: `a whole number from ${min} to ${max}`,
    read(text) {
      const number = /^\d{1,15}$/.test(text) ? Number(text) : undefined;
      return number !== undefined && number >= min && number <= max ? number : undefined;
    },
  };
}

/** A revision, an incarnation or a sequence. */
export const int64: Reader<bigint> = {
  expects: "a whole number from 0 to 9223372036854775807",
  read(text) {
    const number = /^\d{1,19}$/.test(text) ? BigInt(text) : undefined;
    return number !== undefined && number < 1n << 63n ? number : undefined;
  },
};

/** A duration with its unit, in milliseconds. Bounds in milliseconds. */
export function duration(min: number, max: number): Reader<number> {
  return {
    expects: `a duration from ${formatDuration(min)} to ${formatDuration(max)}, such as 500ms, 10s or 5m`,
    read(text) {
      const ms = parseDuration(text.trim());
      return ms !== undefined && ms >= min && ms <= max ? ms : undefined;
    },
  };
}

/**
 * One of some words, in either case, with or without the prefix that the API gives them (`idle`, `IDLE`, `STATE_IDLE`).
 *
 * @param prefix the prefix of the API's names, in lower case
 */
export function choice<T>(words: Readonly<Record<string, T>>, prefix = ""): Reader<T> {
  const names = Object.keys(words);
  return {
    expects: `one of ${names.join(", ")}`,
    words: names,
    read(text) {
      const given = text.trim().toLowerCase();
      const name = given.startsWith(prefix) ? given.slice(prefix.length) : given;
      if (Object.hasOwn(words, name)) return words[name];
      const meant = nearest(name, names);
      if (meant === undefined) return undefined;
      throw new Unreadable(`must be one of ${names.join(", ")}, got ${JSON.stringify(text)}; did you mean ${meant}?`);
    },
  };
}

/** A `key=value` pair; the value may be empty and may contain `=`. */
export const label: Reader<readonly [key: string, value: string]> = {
  expects: "a key=value pair, such as env=prod",
  read(text) {
    const at = text.indexOf("=");
    const key = text.slice(0, at);
    // No object has a key of its own of that name.
    return at > 0 && key !== "__proto__" ? [key, text.slice(at + 1)] : undefined;
  },
};

/** An http or https URL. */
export const httpUrl: Reader<string> = {
  expects: "an http or https URL, such as http://127.0.0.1:8080",
  read: (text) => (URL.canParse(text) && /^https?:$/.test(new URL(text).protocol) ? text : undefined),
};

/** Where a server is. It may be below a path, where a proxy takes that off. */
export const serverUrl: Reader<string> = {
  expects: httpUrl.expects,
  async read(text, io) {
    if ((await httpUrl.read(text, io)) === undefined) return undefined;
    const { username, password, search, hash } = new URL(text);
    // Whoever gives a password must not see it again.
    if (username !== "" || password !== "") throw new Unreadable("must not hold a user or a password; see --api-key");
    if (search !== "" || hash !== "") throw new Unreadable(`must end before ${JSON.stringify(search || hash)}`);
    return text;
  },
};

/** A JSON object: as it is, from a file (`@FILE`), or from standard input (`-`). */
export const jsonObject: Reader<JsonObject> = {
  expects: `a JSON object such as '{"step":3}', @FILE or - for standard input`,
  async read(text, io) {
    const json = await textFrom(text, io);
    let value: unknown;
    try {
      value = JSON.parse(json);
    } catch (error) {
      throw new Unreadable(`is not JSON: ${messageOf(error)}`);
    }
    return isObject(value) ? value : undefined;
  },
};

/** What nobody else should read: as it is, from a file (`@FILE`), or from standard input (`-`); a line break at its end is not part of it. */
export const secretText: Reader<string> = {
  expects: "text, @FILE or - for standard input",
  secret: true,
  read: async (text, io) => (await textFrom(text, io)).replace(/\r?\n$/, ""),
};

async function textFrom(text: string, io: CliIo): Promise<string> {
  if (text === "-") return io.readStdin();
  if (!text.startsWith("@")) return text;
  try {
    return await readFile(text.slice(1), "utf8");
  } catch (error) {
    throw new Unreadable(`cannot be read: ${fileFailure(error)}`);
  }
}

/** What JSON.parse made an object holds nothing but JSON. */
function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
