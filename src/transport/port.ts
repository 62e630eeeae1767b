/**
 * The port: accepts connections, finds out what they speak, and knows when the last of them is gone.
 */
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { sniffProtocol, type ConnectionHandler } from "./protocol-sniffer.js";

/** How long a connection may stay open without saying anything. */
const SILENCE_MS = 10_000;
/** TCP keep-alive, for peers that vanished while nobody writes. */
const TCP_KEEPALIVE_MS = 30_000;

export interface PortOptions {
  readonly maxConnections: number;
  /** For how long a new connection may say nothing, in milliseconds. Default 10 s. */
  readonly silenceMs?: number;
  readonly http1: ConnectionHandler;
  readonly http2: ConnectionHandler;
  /** Told when a connection could not be accepted: the process has no file descriptor left, for example. */
  readonly onError: (error: Error) => void;
}

export class Port {
  private readonly server: Server;
  private readonly sockets = new Set<Socket>();
  /** Those of them that have not said yet what they speak. */
  private readonly undecided = new Set<Socket>();
  private readonly onError: (error: Error) => void;
  private onEmpty: (() => void) | undefined;

  constructor({ maxConnections, silenceMs = SILENCE_MS, http1, http2, onError }: PortOptions) {
    const accept = (socket: Socket): void => {
      this.sockets.add(socket);
      socket.once("close", () => {
        this.sockets.delete(socket);
        this.undecided.delete(socket);
        if (this.sockets.size === 0) this.onEmpty?.();
      });
      this.undecided.add(socket);
      const decided = (handler: ConnectionHandler) => (): void => {
        this.undecided.delete(socket);
        handler(socket);
      };
      sniffProtocol(socket, silenceMs, { http1: decided(http1), http2: decided(http2) });
    };
    this.server = createServer(
      // An HTTP/1.1 client may half-close after its request and still wait for the answer.
      { noDelay: true, keepAlive: true, keepAliveInitialDelay: TCP_KEEPALIVE_MS, allowHalfOpen: true },
      accept,
    );
    this.server.maxConnections = maxConnections;
    this.onError = onError;
  }

  /** How many connections are open. */
  get connections(): number {
    return this.sockets.size;
  }

  /** @returns where it listens; rejects with the system's error (`EADDRINUSE`, `EACCES`, `ENOTFOUND`) */
  listen(host: string, port: number): Promise<AddressInfo> {
    return new Promise((resolve, reject) => {
      this.server.once("error", reject);
      this.server.listen({ host, port }, () => {
        this.server.off("error", reject).on("error", this.onError);
        const address = this.server.address();
        if (address === null || typeof address === "string") reject(new Error(`no address for ${host}:${port}`));
        else resolve(address);
      });
    });
  }

  /** Accepts no more connections, and closes those that have not said anything. */
  stopListening(): void {
    this.server.close();
    for (const socket of this.undecided) socket.destroy();
  }

  /** Answers when the last connection is gone. */
  emptied(): Promise<void> {
    if (this.sockets.size === 0) return Promise.resolve();
    return new Promise((resolve) => (this.onEmpty = resolve));
  }

  /** Closes what is still open. */
  destroy(): void {
    for (const socket of this.sockets) socket.destroy();
  }
}
