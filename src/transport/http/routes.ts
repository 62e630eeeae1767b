/**
 * The plain HTTP routes: one table.
 */
import type { JsonValue } from "../../lib/json.js";
import type { Awaitable } from "../../lib/awaitable.js";
import type { Readiness } from "../standard/readiness.js";

export interface HttpAnswer {
  readonly status: number;
  readonly body: JsonValue;
}

export interface HttpRoute {
  readonly path: string;
  answer(): Awaitable<HttpAnswer>;
}

/** Every route, for GET and HEAD; none of them asks for a key. */
export function httpRoutes(readiness: Readiness): readonly HttpRoute[] {
  return [
    { path: "/healthz", answer: () => ({ status: 200, body: { status: "ok" } }) },
    {
      path: "/readyz",
      answer: async () => {
        const ready = await readiness.check();
        const status = ready ? "ready" : readiness.stopping ? "stopping" : "not ready";
        const { trouble } = readiness;
        return { status: ready ? 200 : 503, body: { status, ...(trouble !== undefined && { trouble }) } };
      },
    },
  ];
}
