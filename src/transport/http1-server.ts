/**
 * The HTTP/1.1 side of the port.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";

const MAX_HEADER_BYTES = 16 * 1024;
const MAX_HEADERS_TIMEOUT_MS = 20_000;
/** How often late requests are looked for: this much later than its time-out, at most, a request is ended. */
const MAX_CHECKING_INTERVAL_MS = 5_000;

export interface Http1Options {
  readonly requestTimeoutMs: number;
  readonly idleTimeoutMs: number;
  handle(request: IncomingMessage, response: ServerResponse): void;
}

export class Http1Side {
  private readonly server: Server;
  private readonly sockets = new Set<Socket>();
  /** How many requests of a socket are not answered yet, where any are: a client may send one before it has the answer to the last. */
  private readonly busy = new Map<Socket, number>();
  private draining = false;

  constructor(private readonly options: Http1Options) {
    const { requestTimeoutMs, idleTimeoutMs } = options;
    this.server = createServer({
      maxHeaderSize: MAX_HEADER_BYTES,
      requestTimeout: requestTimeoutMs,
      headersTimeout: Math.min(requestTimeoutMs, MAX_HEADERS_TIMEOUT_MS),
      keepAliveTimeout: idleTimeoutMs,
      connectionsCheckingInterval: Math.min(Math.ceil(requestTimeoutMs / 4), MAX_CHECKING_INTERVAL_MS),
    });
    this.server.on("request", this.onRequest);
    // The server never listens itself, and its time-outs are only watched once it says that it does.
    this.server.emit("listening");
  }

  accept(socket: Socket): void {
    this.sockets.add(socket);
    socket.once("close", () => {
      this.sockets.delete(socket);
      this.busy.delete(socket);
    });
    this.server.emit("connection", socket);
    // The first bytes were read and put back, which left the socket paused.
    socket.resume();
  }

  /** Closes idle connections, and each of the others after its last answer. */
  drain(): void {
    this.draining = true;
    for (const socket of this.sockets) if (!this.busy.has(socket)) socket.destroy();
  }

  close(): void {
    this.server.close();
    for (const socket of this.sockets) socket.destroy();
  }

  private readonly onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    const { socket } = request;
    this.busy.set(socket, (this.busy.get(socket) ?? 0) + 1);
    if (this.draining) response.setHeader("connection", "close");
    response.once("close", () => this.onAnswered(socket));
    this.options.handle(request, response);
  };

  private onAnswered(socket: Socket): void {
    const left = (this.busy.get(socket) ?? 1) - 1;
    if (left > 0) {
      this.busy.set(socket, left);
      return;
    }
    this.busy.delete(socket);
    if (this.draining) socket.end();
  }
}
