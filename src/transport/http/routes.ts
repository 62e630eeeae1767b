/**
 * The plain HTTP routes: one table.
 */
import type { JsonValue } from "../../lib/json.js";
import type { Awaitable } from "../../lib/awaitable.js";
import type { HeaderReader } from "../../interceptors/index.js";
import type { Readiness } from "../standard/readiness.js";

export interface HttpAnswer {
  readonly status: number;
  readonly body: JsonValue | HttpText;
}

/** A body that is not JSON. */
export class HttpText {
  constructor(
    readonly contentType: string,
    readonly text: string,
  ) {}
}

export interface HttpRoute {
  readonly path: string;
  /** @throws OpsCoreError, which its reason gives a status */
  answer(header: HeaderReader): Awaitable<HttpAnswer>;
}

/** The metrics of the server, for a program that collects them. */
export interface MetricsPage {
  /** @throws CREDENTIALS_MISSING, CREDENTIALS_INVALID */
  read(header: HeaderReader): Promise<{ readonly contentType: string; readonly text: string }>;
}

/** Every route, for GET and HEAD; only metrics may ask for a key. */
export function httpRoutes(readiness: Readiness, metrics: MetricsPage): readonly HttpRoute[] {
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
    {
      path: "/metrics",
      answer: async (header) => {
        const { contentType, text } = await metrics.read(header);
        return { status: 200, body: new HttpText(contentType, text) };
      },
    },
  ];
}
