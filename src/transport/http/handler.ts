/**
 * Where a request goes that no lane took: a route, a method, or nowhere.
 */
import { OpsCoreError } from "../../errors/index.js";
import type { Gate } from "../../interceptors/index.js";
import type { JsonValue } from "../../lib/json.js";
import type { ConnectAdapter } from "../connect/adapter.js";
import { HttpCall } from "./call.js";
import { failureAnswer } from "./failures.js";
import { headerOf, type HttpRequest, type HttpResponse } from "./messages.js";
import { sendAnswer, statusAnswer } from "./responses.js";
import { HttpRouteTable, type RouteMatch } from "./route-table.js";
import type { HttpRoute, OpenRoute } from "./routes.js";

export interface HttpHandlerOptions {
  readonly routes: readonly HttpRoute[];
  readonly gate: Gate;
  /** The largest body, in bytes. */
  readonly maxRequestBytes: number;
  readonly connect: ConnectAdapter;
  /** Told of an open route that failed. */
  readonly onDefect: (path: string, thrown: unknown) => void;
}

const GRPC = "application/grpc";
const UNIMPLEMENTED = "12";
/** Where nothing but routes is: what is not there is said as they say it. */
const ROUTES_ONLY = "/v1/";

export function createHttpHandler({ routes, connect, onDefect, ...callParts }: HttpHandlerOptions) {
  const table = new HttpRouteTable(routes);
  const home = routes.find((route) => route.kind === "open" && route.isHome === true)?.path;
  return (request: HttpRequest, response: HttpResponse): void => {
    // What breaks a connection shows on the connection; without a listener it would end the process.
    response.on("error", () => undefined);
    const { url = "/" } = request;
    // Also to a server that is no proxy a client may send the whole URL (RFC 9112 §3.2.2).
    if (url.charCodeAt(0) !== SLASH) request.url = url.replace(ORIGIN, "/");
    const path = pathOf(request);
    const match = table.match(path);
    if (match !== undefined) {
      answerRoute(match, request, response);
      return;
    }
    try {
      if (connect.handle(path, request, response)) return;
    } catch {
      // The authority is the only part of the URL that can still be wrong.
      sendJson(response, 400, { code: "invalid_argument", message: "the Host header cannot be read" });
      return;
    }
    sendNotFound(path, request, response);
  };

  function answerRoute({ params, byVerb }: RouteMatch, request: HttpRequest, response: HttpResponse): void {
    const route = byVerb.get(request.method ?? "");
    if (route === undefined) {
      sendAnswer(response, statusAnswer(405, { allow: [...byVerb.keys()].join(", ") }), performance.now());
    } else if (route.kind === "call") {
      new HttpCall(route, params, request, response, callParts).begin();
    } else {
      answerOpenRoute(route, request, response);
    }
  }

  function answerOpenRoute(route: OpenRoute, request: HttpRequest, response: HttpResponse): void {
    const since = performance.now();
    const header = { get: (name: string) => headerOf(request, name) };
    Promise.resolve(route.answer(header)).then(
      (answer) => sendAnswer(response, answer, since),
      (thrown: unknown) => {
        if (thrown instanceof OpsCoreError) {
          const context = { header, places: {}, notFound: () => undefined, isSigned: false };
          sendAnswer(response, failureAnswer(thrown, context), since);
          return;
        }
        onDefect(route.path, thrown);
        sendAnswer(response, statusAnswer(500), since);
      },
    );
  }

  /** Says it as the caller's protocol does: gRPC clients read a status from the headers, all others JSON. */
  function sendNotFound(path: string, request: HttpRequest, response: HttpResponse): void {
    const type = request.headers["content-type"] ?? "";
    if (type.startsWith(GRPC)) {
      // Set, not written: only then do the headers end the stream, and only then do gRPC clients look for a status in them.
      response.setHeader("content-type", type);
      response.setHeader("grpc-status", UNIMPLEMENTED);
      response.setHeader("grpc-message", "no such method");
      response.end();
      return;
    }
    const location = elsewhere(path, request);
    if (location !== undefined) {
      sendAnswer(response, statusAnswer(307, { location: location + queryOf(request) }), performance.now());
    } else if (path.startsWith(ROUTES_ONLY)) {
      sendAnswer(response, statusAnswer(404), performance.now());
    } else {
      sendJson(response, 404, { code: "unimplemented", message: `nothing is served at ${path.slice(0, 256)}` });
    }
  }

  /** What is meant, from where the caller is: a proxy may have put more before the path than is known here. */
  function elsewhere(path: string, request: HttpRequest): string | undefined {
    if (path === "/") return isBrowser(request) ? home?.slice(1) : undefined;
    const target = withoutTrailingSlash(path);
    if (target === undefined || table.match(target) === undefined) return undefined;
    return "../".repeat(path.length - target.length) + target.slice(target.lastIndexOf("/") + 1);
  }
}

function pathOf(request: HttpRequest): string {
  const url = request.url ?? "/";
  const query = url.indexOf("?");
  return query < 0 ? url : url.slice(0, query);
}

/** With its `?`; empty when there is none. */
function queryOf(request: HttpRequest): string {
  return (request.url ?? "").slice(pathOf(request).length);
}

function isBrowser({ method, headers }: HttpRequest): boolean {
  return (method === "GET" || method === "HEAD") && headers.accept?.includes("text/html") === true;
}

/** Undefined when there is none. */
function withoutTrailingSlash(path: string): string | undefined {
  let end = path.length;
  while (end > 0 && path.charCodeAt(end - 1) === SLASH) end -= 1;
  return end === path.length ? undefined : path.slice(0, end);
}

const SLASH = 0x2f;
/** With the slash after it, if there is one. */
const ORIGIN = /^https?:\/\/[^/?]*\/?/i;

function sendJson(response: HttpResponse, status: number, body: JsonValue): void {
  const text = `${JSON.stringify(body)}\n`;
  response.statusCode = status;
  response.setHeader("content-type", "application/json");
  response.setHeader("content-length", Buffer.byteLength(text));
  response.end(text);
}
