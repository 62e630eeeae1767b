import type { DescMethod } from "@bufbuild/protobuf";
import type { ContextValues } from "@connectrpc/connect";

/**
 * What the interceptors look at when a call comes in. A request of Connect's adapter is one; another lane makes its own, and need
 * not make anything that is not here: no `Headers`, no abort signal.
 */
export interface CallInfo {
  readonly method: DescMethod;
  readonly header: HeaderReader;
  /** Where the interceptors leave what they found out for the handler. */
  readonly contextValues: ContextValues;
}

export interface HeaderReader {
  /** @param name in lower case */
  get(name: string): string | null;
}

/** The full name of a method as it is logged: `opscore.v1.StateService/SetState`. */
export function rpcName(method: DescMethod): string {
  return `${method.parent.typeName}/${method.name}`;
}
