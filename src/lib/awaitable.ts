/** A value now, or a promise of it. What needs no waiting answers at once and costs no promise. */
export type Awaitable<T> = T | Promise<T>;

/** Tells whether `value` must be awaited. */
export function isPromise<T>(value: Awaitable<T>): value is Promise<T> {
  return value instanceof Promise;
}

/**
 * Applies `map` to `value`, at once when it is there already.
 *
 * @returns what `map` returned, as a promise only when `value` or the mapped value was one
 */
export function chain<T, U>(value: Awaitable<T>, map: (value: T) => Awaitable<U>): Awaitable<U> {
  return isPromise(value) ? value.then(map) : map(value);
}
