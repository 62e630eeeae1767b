/**
 * The port with everything behind it: lanes, Connect's handlers, plain HTTP.
 */
import type { Config } from "../config/index.js";
import { codeName, gateInterceptor, type Gate } from "../interceptors/index.js";
import type { Logger } from "pino";
import { ConnectAdapter } from "./connect/adapter.js";
import { createHttpHandler } from "./http/handler.js";
import type { HttpRoute } from "./http/routes.js";
import { Http1Side } from "./http1-server.js";
import { Http2Side } from "./http2-server.js";
import { LaneSide } from "./http2/side.js";
import { GrpcLane } from "./grpc/lane.js";
import { Port } from "./port.js";
import type { RouteTable } from "./routes.js";

export interface TransportParts {
  readonly config: Config;
  readonly routes: RouteTable;
  readonly httpRoutes: readonly HttpRoute[];
  readonly gate: Gate;
  readonly logger: Logger;
}

/** Where a server can be reached. */
export interface ServerAddress {
  /** `http://HOST:PORT`, an IPv6 host in brackets. */
  readonly url: string;
  readonly host: string;
  readonly port: number;
}

export class Transport {
  private readonly port: Port;
  private readonly http1: Http1Side;
  private readonly http2: Http2Side;
  /** Undefined when lanes are turned off: then Node's HTTP/2 has everything. */
  private readonly lanes: LaneSide | undefined;

  constructor({ config, routes, httpRoutes, gate, logger }: TransportParts) {
    const handle = createHttpHandler({
      routes: httpRoutes,
      gate,
      maxRequestBytes: config.maxRequestBytes,
      connect: new ConnectAdapter({
        routes,
        interceptors: [gateInterceptor(gate)],
        maxRequestBytes: config.maxRequestBytes,
        onFailure: (rpc, { code, rawMessage }) => logger.info({ rpc, code: codeName(code) }, rawMessage),
      }),
      onDefect: (path, thrown) => logger.error({ path, err: thrown }, "internal error"),
    });
    const grpc = new GrpcLane(routes, {
      gate,
      maxRequestBytes: config.maxRequestBytes,
    });
    this.http1 = new Http1Side({
      requestTimeoutMs: config.requestTimeoutMs,
      idleTimeoutMs: config.idleTimeoutMs,
      handle,
    });
    const limits = {
      maxConcurrentStreams: config.maxConnectionCalls,
      requestTimeoutMs: config.requestTimeoutMs,
      keepaliveIntervalMs: config.keepaliveIntervalMs,
      clientStreamPaths: routes.clientStreamPaths(),
    };
    const http2 = new Http2Side({ ...limits, handle });
    this.http2 = http2;
    this.lanes = config.grpcLane
      ? new LaneSide({ ...limits, lanes: [grpc], acceptOthers: (socket) => http2.accept(socket, true) })
      : undefined;
    this.port = new Port({
      maxConnections: config.maxConnections,
      http1: (socket) => this.http1.accept(socket),
      http2: (socket) => (this.lanes ?? http2).accept(socket),
      onError: (error) => logger.error({ err: error }, "the port failed to accept a connection"),
    });
  }

  /** How many connections are open. */
  get connections(): number {
    return this.port.connections;
  }

  /** @throws the system's error: EADDRINUSE, EACCES, ENOTFOUND */
  async listen(host: string, port: number): Promise<ServerAddress> {
    const address = await this.port.listen(host, port);
    return { url: `http://${host.includes(":") ? `[${host}]` : host}:${address.port}`, host, port: address.port };
  }

  /** Takes no more connections and calls; answers when the last connection is gone, which its calls decide. */
  drain(): Promise<void> {
    this.port.stopListening();
    this.lanes?.drain();
    this.http2.drain();
    this.http1.drain();
    return this.port.emptied();
  }

  /** Closes what is still open, and frees everything. */
  destroy(): void {
    this.http1.close();
    this.lanes?.close();
    this.http2.close();
    this.port.destroy();
  }
}
