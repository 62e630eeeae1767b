import http from "node:http";
import type { Http2Session } from "node:http2";
import https from "node:https";
import net from "node:net";
import tls from "node:tls";
import type { Transport } from "@connectrpc/connect";
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
  Http2SessionManager,
} from "@connectrpc/connect-node";

/** The wire formats that every server speaks. */
export type Protocol = "grpc" | "connect" | "grpc-web";

export interface NodeTransportOptions {
  readonly baseUrl: string;
  readonly protocol: Protocol;
  /** For `connect` and `grpc-web`, where a proxy does not speak HTTP/2; gRPC needs "2". */
  readonly httpVersion: "1.1" | "2";
}

/** A transport, and the end of its connections. */
export interface OpenTransport {
  readonly transport: Transport;
  /** Closes every connection and fails the calls on them. */
  close(reason: Error): void;
}

/** How patient a transport is with its peer; all in milliseconds. */
export interface Patience {
  /** A connection that carries a call and has been silent for so long is asked for a sign of life. */
  readonly pingIntervalMs: number;
  /** A peer that does not answer such a ping for so long is dead. */
  readonly pingTimeoutMs: number;
  /** A peer that does not accept a connection for so long is not there. */
  readonly connectTimeoutMs: number;
}

const PATIENCE: Patience = { pingIntervalMs: 10_000, pingTimeoutMs: 5_000, connectTimeoutMs: 10_000 };

/** Opens a transport of this runtime. Nothing is connected before the first call. */
export function openNodeTransport(
  { baseUrl, protocol, httpVersion }: NodeTransportOptions,
  patience: Patience = PATIENCE,
): OpenTransport {
  if (protocol === "grpc" || httpVersion === "2") {
    let closed: Error | undefined;
    const sessionManager = new SafeSessionManager(
      baseUrl,
      { pingIntervalMs: patience.pingIntervalMs, pingTimeoutMs: patience.pingTimeoutMs },
      {
        createConnection(authority) {
          // A call that was on its way to a connection when all were closed would open another one, which nobody closes.
          if (closed !== undefined) throw closed;
          return connectInTime(authority, patience.connectTimeoutMs);
        },
      },
    );
    const options = { baseUrl, httpVersion: "2", sessionManager } as const;
    return {
      transport:
        protocol === "grpc"
          ? createGrpcTransport(options)
          : protocol === "connect"
            ? createConnectTransport(options)
            : createGrpcWebTransport(options),
      close(reason) {
        closed = reason;
        sessionManager.abort(reason);
      },
    };
  }
  const secure = new URL(baseUrl).protocol === "https:";
  const agent = new (secure ? https.Agent : http.Agent)({ keepAlive: true });
  const options = { baseUrl, httpVersion: "1.1", nodeOptions: { agent } } as const;
  return {
    transport: protocol === "connect" ? createConnectTransport(options) : createGrpcWebTransport(options),
    close: () => agent.destroy(),
  };
}

/**
 * A connection may fail in the very moment in which its manager is told to let go of it, and has stopped listening. Nobody needs that
 * failure any more, and it must not end the process as an error that nobody listens to.
 */
class SafeSessionManager extends Http2SessionManager {
  private readonly watched = new WeakSet<Http2Session>();

  override async request(
    ...request: Parameters<Http2SessionManager["request"]>
  ): ReturnType<Http2SessionManager["request"]> {
    const stream = await super.request(...request);
    const { session } = stream;
    if (session !== undefined && !this.watched.has(session)) {
      this.watched.add(session);
      session.on("error", () => undefined);
    }
    return stream;
  }
}

/** A socket that gives up connecting long before the operating system does (two minutes, where packets are dropped). */
function connectInTime(authority: URL, timeoutMs: number): net.Socket {
  const host = authority.hostname.replace(/^\[|\]$/g, "");
  const secure = authority.protocol === "https:";
  const port = authority.port === "" ? (secure ? 443 : 80) : Number(authority.port);
  const socket = secure
    ? tls.connect({ host, port, ALPNProtocols: ["h2"], ...(net.isIP(host) === 0 ? { servername: host } : {}) })
    : net.connect({ host, port });
  socket.setTimeout(timeoutMs, () => {
    socket.destroy(Object.assign(new Error(`no connection to ${authority.host} in time`), { code: "ETIMEDOUT" }));
  });
  socket.once(secure ? "secureConnect" : "connect", () => socket.setTimeout(0));
  return socket;
}
