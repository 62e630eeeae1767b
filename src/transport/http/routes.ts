/**
 * What a plain HTTP route is, and the routes that are about the server itself.
 */
import type { DescMethod } from "@bufbuild/protobuf";
import type { OpsCoreError } from "../../errors/index.js";
import type { HeaderReader } from "../../interceptors/index.js";
import type { Awaitable } from "../../lib/awaitable.js";
import type { JsonValue } from "../../lib/json.js";
import type { Caller } from "../../services/caller.js";
import type { Readiness } from "../standard/readiness.js";
import type { Loc } from "./faults.js";
import type { HttpCall } from "./call.js";

export interface HttpAnswer {
  readonly status: number;
  readonly body: string | Uint8Array;
  /** Default: JSON. */
  readonly contentType?: string;
  /** What the headers say besides. */
  readonly headers?: Readonly<Record<string, string>>;
}

export function answer(status: number, body: JsonValue): HttpAnswer {
  return { status, body: JSON.stringify(body) };
}

export type Verb = "GET" | "HEAD" | "POST";

interface RouteBase {
  readonly verbs: readonly Verb[];
  /** With `{}` in the place of each parameter. */
  readonly path: string;
}

/** A route that calls nothing: it does not pass the gate. */
export interface OpenRoute extends RouteBase {
  readonly kind: "open";
  /** @throws OpsCoreError, which its reason gives a status */
  answer(header: HeaderReader): Awaitable<HttpAnswer>;
  /** Where browsers are sent that ask for nothing in particular. */
  readonly isHome?: boolean;
}

/** The metrics of the server, for a program that collects them. */
export interface MetricsPage {
  /** @throws CREDENTIALS_MISSING, CREDENTIALS_INVALID */
  read(header: HeaderReader): Promise<{ readonly contentType: string; readonly text: string }>;
}

/** A route that calls a method of a service, in other words than those of its messages. It passes the gate as every call does. */
export interface CallRoute extends RouteBase {
  readonly kind: "call";
  /** What it calls, for the gate and the log. */
  readonly rpc: DescMethod;
  /** Where the fields of the method's request stand in that of the route, by their names. */
  readonly places: Readonly<Record<string, Loc>>;
  /** Finds out who calls from the whole request. Undefined: by the key, before the body is read. */
  readonly authenticate: ((header: HeaderReader, body: Uint8Array) => Caller) | undefined;
  /** What the caller reads when there is no such thing as the path or the body name; undefined: what the service says. */
  notFound(call: HttpCall, error: OpsCoreError): string | undefined;
  /** @param body empty for GET */
  handle(call: HttpCall, body: Buffer): Awaitable<HttpAnswer>;
}

export type HttpRoute = OpenRoute | CallRoute;

const OK: HttpAnswer = answer(200, { status: "ok" });

/** Whether the process is up, whether it should get work, and how it is; only metrics may ask for a key. */
export function serverRoutes(readiness: Readiness, metrics: MetricsPage): readonly HttpRoute[] {
  const verbs = ["GET", "HEAD"] as const;
  return [
    { kind: "open", verbs, path: "/health", answer: () => OK },
    { kind: "open", verbs, path: "/healthz", answer: () => OK },
    { kind: "open", verbs, path: "/readyz", answer: () => readinessAnswer(readiness) },
    { kind: "open", verbs, path: "/metrics", answer: (header) => metricsAnswer(metrics, header) },
  ];
}

async function readinessAnswer(readiness: Readiness): Promise<HttpAnswer> {
  const ready = await readiness.check();
  const status = ready ? "ready" : readiness.stopping ? "stopping" : "not ready";
  const { trouble } = readiness;
  return answer(ready ? 200 : 503, { status, ...(trouble !== undefined && { trouble }) });
}

async function metricsAnswer(metrics: MetricsPage, header: HeaderReader): Promise<HttpAnswer> {
  const { contentType, text } = await metrics.read(header);
  return { status: 200, contentType, body: text };
}
