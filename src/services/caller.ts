import { createContextKey, type ContextKey } from "@connectrpc/connect";

/** Who calls, as the interceptors found out. */
export interface Caller {
  readonly namespace: string;
  /** What is written to `actor` of whatever the call commits. */
  readonly actor: string;
}

export const DEFAULT_NAMESPACE = "default";

/** Where the auth interceptor leaves the caller for the services. */
export const callerKey: ContextKey<Caller> = createContextKey<Caller>(
  { namespace: DEFAULT_NAMESPACE, actor: "anonymous" },
  { description: "caller" },
);
