/**
 * Connect's handlers on Node's requests: gRPC, gRPC-Web and Connect, over HTTP/1.1 and HTTP/2.
 *
 * Connect has an adapter of its own; this one differs in that nothing a client sends can make it throw, that it logs through our
 * log, and that failures which never reach the interceptors get their details too.
 */
import type { IncomingHttpHeaders } from "node:http";
import { Code, ConnectError, createConnectRouter, createContextValues, type Interceptor } from "@connectrpc/connect";
import {
  compressionBrotli,
  compressionGzip,
  universalRequestFromNodeRequest,
  universalResponseToNodeResponse,
} from "@connectrpc/connect-node";
import type { UniversalHandler } from "@connectrpc/connect/protocol";
import { passedGateKey } from "../../interceptors/index.js";
import { MAX_TIMER_MS } from "../../lib/clock.js";
import { timeoutMs } from "../grpc/timeout.js";
import type { RouteTable } from "../routes.js";
import type { HttpRequest, HttpResponse } from "../http/messages.js";
import { detailFailures, unencodableFailure } from "./failures.js";

export interface ConnectAdapterOptions {
  readonly routes: RouteTable;
  readonly interceptors: readonly Interceptor[];
  /** The largest request message, in bytes. */
  readonly maxRequestBytes: number;
  /** Told of a call that failed before it reached the interceptors, or after it left them. */
  onFailure(rpc: string, failure: ConnectError): void;
}

export class ConnectAdapter {
  private readonly handlers: ReadonlyMap<string, UniversalHandler>;

  constructor(private readonly options: ConnectAdapterOptions) {
    const router = createConnectRouter({
      acceptCompression: [compressionGzip, compressionBrotli],
      readMaxBytes: options.maxRequestBytes,
      // What is not known would be left out: a filter that is misspelt would match everything, a condition would always hold.
      jsonOptions: { ignoreUnknownFields: false },
      interceptors: [...options.interceptors],
    });
    options.routes.register(router);
    this.handlers = new Map(router.handlers.map((handler) => [handler.requestPath, handler]));
  }

  /** Whether there is a method at this path. */
  has(path: string): boolean {
    return this.handlers.has(path);
  }

  /**
   * Serves one request.
   *
   * @param path of the request, without its query
   * @returns false when there is no method at that path
   * @throws when the request's own URL cannot be read
   */
  handle(path: string, request: HttpRequest, response: HttpResponse): boolean {
    const handler = this.handlers.get(path);
    if (handler === undefined) return false;
    const rpc = path.slice(1);
    dropEndlessTimeouts(request.headers);
    const contextValues = createContextValues();
    const universal = universalRequestFromNodeRequest(request, response, undefined, contextValues);
    const failureOptions = {
      method: handler.method,
      verb: request.method ?? "",
      maxRequestBytes: this.options.maxRequestBytes,
      onFailure: (failure: ConnectError) => {
        if (!contextValues.get(passedGateKey)) this.options.onFailure(rpc, failure);
      },
    };
    handler(universal)
      .catch((thrown: unknown) =>
        unencodableFailure(thrown, handler.method, universal.header.get("content-type") ?? ""),
      )
      .then(async (answer) => universalResponseToNodeResponse(await detailFailures(answer, failureOptions), response))
      .catch((failure: unknown) => {
        this.connectionFailed(rpc, ConnectError.from(failure), contextValues.get(passedGateKey));
        response.destroy();
      });
    return true;
  }

  /** The answer could not be written. */
  private connectionFailed(rpc: string, failure: ConnectError, passedGate: boolean): void {
    // The client went away, which the gate has logged if it knew the call.
    if (failure.code === Code.Aborted && passedGate) return;
    this.options.onFailure(rpc, failure);
  }
}

/** A time-out of more than three weeks is none, as on the lane: Connect would set a timer that ends at once. */
function dropEndlessTimeouts(headers: IncomingHttpHeaders): void {
  const { "grpc-timeout": grpc, "connect-timeout-ms": connect } = headers;
  if (typeof grpc === "string" && (timeoutMs(grpc) ?? 0) > MAX_TIMER_MS) delete headers["grpc-timeout"];
  // What has more digits is no time-out, and refused.
  if (typeof connect === "string" && /^\d{10}$/.test(connect) && Number(connect) > MAX_TIMER_MS) {
    delete headers["connect-timeout-ms"];
  }
}
