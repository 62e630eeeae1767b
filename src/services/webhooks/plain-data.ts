/** Reads plain data of a known form. What has that form is copied, without what does not belong to it. */

/**
 * Reads one value.
 *
 * @param name of the value: the end of the sentence "... is not text"
 * @throws TypeError naming what does not have its form
 */
export type Reader<T> = (value: unknown, name: string) => T;

/** What a reader returns. */
export type Read<R> = R extends Reader<infer T> ? T : never;

export const text: Reader<string> = (value, name) => {
  if (typeof value === "string") return value;
  throw new TypeError(`${name} is not text`);
};

export const number: Reader<number> = (value, name) => {
  if (typeof value === "number" && Number.isFinite(value)) return value;
  throw new TypeError(`${name} is not a number`);
};

export const whole: Reader<number> = (value, name) => {
  if (typeof value === "number" && Number.isSafeInteger(value)) return value;
  throw new TypeError(`${name} is not a whole number`);
};

/** A whole number that is not below zero. */
export const count: Reader<number> = (value, name) => {
  const number = whole(value, name);
  if (number >= 0) return number;
  throw new TypeError(`${name} is below zero`);
};

export function nullable<T>(read: Reader<T>): Reader<T | null> {
  return (value, name) => (value === null ? null : read(value, name));
}

export function list<T>(read: Reader<T>): Reader<T[]> {
  return (value, name) => {
    if (!Array.isArray(value)) throw new TypeError(`${name} is not a list`);
    return value.map((item: unknown, index) => read(item, `${name}[${index}]`));
  };
}

export function object<R extends Readonly<Record<string, Reader<unknown>>>>(
  readers: R,
): Reader<{ [K in keyof R]: Read<R[K]> }> {
  const fields = Object.entries(readers);
  return (value, name) => {
    if (typeof value !== "object" || value === null) throw new TypeError(`${name} is not an object`);
    const given = new Map<string, unknown>(Object.entries(value));
    const read = fields.map(([key, reader]) => [key, reader(given.get(key), `${name}.${key}`)] as const);
    // Every key of R was read by its own reader.
    return Object.fromEntries(read) as { [K in keyof R]: Read<R[K]> };
  };
}
