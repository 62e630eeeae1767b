import type { ContextKey, ContextValues } from "@connectrpc/connect";

/**
 * The values of one call's context, made for the usual case of one: the caller.
 *
 * Connect's own are an object literal with three closures. V8 decides for each literal of the code, not for each call, whether what
 * it makes is put into the old generation of the heap; where ten thousand watches had made it believe so, it did that with the
 * values of every unary call as well.
 */
export class CallValues implements ContextValues {
  private id: symbol | undefined;
  private value: unknown;
  private others: Map<symbol, unknown> | undefined;

  get<T>(key: ContextKey<T>): T {
    if (this.id === key.id) return this.value as T;
    return this.others?.has(key.id) === true ? (this.others.get(key.id) as T) : key.defaultValue;
  }

  set<T>(key: ContextKey<T>, value: T): this {
    if (this.id === key.id || (this.id === undefined && this.others === undefined)) {
      this.id = key.id;
      this.value = value;
    } else (this.others ??= new Map()).set(key.id, value);
    return this;
  }

  delete(key: ContextKey<unknown>): this {
    if (this.id === key.id) this.id = this.value = undefined;
    else this.others?.delete(key.id);
    return this;
  }
}
