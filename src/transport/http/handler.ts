/**
 * Where a request goes that no lane took: a route, a method, or nowhere.
 */
import { OpsCoreError, REASONS } from "../../errors/index.js";
import type { HeaderReader } from "../../interceptors/index.js";
import type { JsonValue } from "../../lib/json.js";
import type { ConnectAdapter } from "../connect/adapter.js";
import type { HttpRequest, HttpResponse } from "./messages.js";
import { HttpText, type HttpRoute } from "./routes.js";

export interface HttpHandlerOptions {
  readonly routes: readonly HttpRoute[];
  readonly connect: ConnectAdapter;
  /** Told of a route that failed. */
  readonly onDefect: (path: string, thrown: unknown) => void;
}

const GRPC = "application/grpc";
const UNIMPLEMENTED = "12";

export function createHttpHandler({ routes, connect, onDefect }: HttpHandlerOptions) {
  const byPath = new Map(routes.map((route) => [route.path, route]));
  return (request: HttpRequest, response: HttpResponse): void => {
    // What breaks a connection shows on the connection; without a listener it would end the process.
    response.on("error", () => undefined);
    const path = pathOf(request);
    const route = byPath.get(path);
    if (route !== undefined) {
      answerRoute(route, request, response);
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

  function answerRoute(route: HttpRoute, request: HttpRequest, response: HttpResponse): void {
    if (request.method !== "GET" && request.method !== "HEAD") {
      response.setHeader("allow", "GET, HEAD");
      sendJson(response, 405, { code: "unimplemented", message: `${route.path} takes GET and HEAD` });
      return;
    }
    Promise.resolve(route.answer(headerOf(request))).then(
      ({ status, body }) => {
        if (body instanceof HttpText) sendText(response, status, body);
        else sendJson(response, status, body);
      },
      (thrown: unknown) => {
        if (thrown instanceof OpsCoreError) {
          sendFailure(response, thrown);
          return;
        }
        onDefect(route.path, thrown);
        sendJson(response, 500, { code: "internal", message: "internal error" });
      },
    );
  }
}

function pathOf(request: HttpRequest): string {
  const url = request.url ?? "/";
  const query = url.indexOf("?");
  return query < 0 ? url : url.slice(0, query);
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
  sendJson(response, 404, { code: "unimplemented", message: `nothing is served at ${path.slice(0, 256)}` });
}

function headerOf({ headers }: HttpRequest): HeaderReader {
  return {
    get: (name) => {
      const value = headers[name];
      return (Array.isArray(value) ? value[0] : value) ?? null;
    },
  };
}

/** As Connect says it, so that one client reads both. */
function sendFailure(response: HttpResponse, { reason, code, message }: OpsCoreError): void {
  if (code === "UNAUTHENTICATED") response.setHeader("www-authenticate", "Bearer");
  sendJson(response, REASONS[reason].http, { code: code.toLowerCase(), message, reason });
}

function sendJson(response: HttpResponse, status: number, body: JsonValue): void {
  sendText(response, status, new HttpText("application/json", `${JSON.stringify(body)}\n`));
}

function sendText(response: HttpResponse, status: number, { contentType, text }: HttpText): void {
  response.statusCode = status;
  response.setHeader("content-type", contentType);
  response.setHeader("content-length", Buffer.byteLength(text));
  response.end(text);
}
