/** An object without its undefined members. */
type Given<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

/** Leaves out what was not typed: a request has a field, or has it not. */
export function given<T extends object>(values: T): Given<T> {
  // Nothing is added, and what is undefined is gone.
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Given<T>;
}
