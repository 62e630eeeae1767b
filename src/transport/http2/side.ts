/**
 * HTTP/2 of our own: connections whose streams go to a lane, or else over a bridge to Node's server.
 */
import type { IncomingHttpHeaders } from "node:http2";
import type { Socket } from "node:net";
import type { StreamLane } from "../lane.js";
import { Bridge } from "./bridge.js";
import { Connection } from "./connection.js";
import type { Stream } from "./stream.js";

/** How long a client may take to learn that it should call no more, before calls of its are no longer answered; in milliseconds. */
const NOTICE_MS = 1_000;
/** A client that has much to read and reads it at 20 kB/s or more is waited for, however short the interval of the keepalive is. */
const MIN_STALL_MS = 60_000;

export interface LaneSideOptions {
  readonly maxConcurrentStreams: number;
  /** For how long a request may stay unfinished at least, in milliseconds; it is ended before twice that. */
  readonly requestTimeoutMs: number;
  readonly keepaliveIntervalMs: number;
  /** Paths whose requests may stay open: the client streams. */
  readonly clientStreamPaths: ReadonlySet<string>;
  readonly lanes: readonly StreamLane[];
  /** Takes a connection with what no lane wants. */
  acceptOthers(socket: Socket): void;
}

export class LaneSide {
  private readonly connections = new Set<Connection>();
  private readonly keepalive: NodeJS.Timeout;
  private readonly sweep: NodeJS.Timeout;
  private noticed: NodeJS.Timeout | undefined;

  constructor(private readonly options: LaneSideOptions) {
    this.keepalive = setInterval(this.checkAll, options.keepaliveIntervalMs).unref();
    this.sweep = setInterval(this.endUnfinished, options.requestTimeoutMs).unref();
  }

  accept(socket: Socket): void {
    const bridge = new Bridge((other) => this.options.acceptOthers(other));
    const connection = new Connection(socket, {
      maxConcurrentStreams: this.options.maxConcurrentStreams,
      keepaliveIntervalMs: this.options.keepaliveIntervalMs,
      stallMs: Math.max(MIN_STALL_MS, 2 * this.options.keepaliveIntervalMs),
      onStream: (stream, headers, ended) => this.route(bridge, stream, headers, ended),
      onClose: () => {
        this.connections.delete(connection);
        bridge.close();
      },
    });
    this.connections.add(connection);
    // The first bytes were read and put back, which left the socket paused.
    socket.resume();
  }

  /**
   * Tells every client to take new calls elsewhere. Calls that were on their way when the client heard of it still arrive; after
   * that a connection ends with its last stream.
   */
  drain(): void {
    for (const connection of this.connections) {
      connection.announceEnd();
      connection.pings.ask(() => connection.leave());
    }
    this.noticed = setTimeout(() => {
      for (const connection of [...this.connections]) connection.leave();
    }, NOTICE_MS).unref();
  }

  close(): void {
    clearInterval(this.keepalive);
    clearTimeout(this.noticed);
    clearInterval(this.sweep);
    for (const connection of [...this.connections]) connection.close();
  }

  private route(bridge: Bridge, stream: Stream, headers: IncomingHttpHeaders, ended: boolean): void {
    for (const lane of this.options.lanes) {
      const handler = lane.accepts(headers);
      if (handler === undefined) continue;
      stream.isTimed = !ended && !this.options.clientStreamPaths.has(headers[":path"] ?? "");
      handler(stream, headers);
      return;
    }
    bridge.forward(stream, headers, ended);
  }

  private readonly endUnfinished = (): void => {
    for (const connection of [...this.connections]) connection.endUnfinished();
  };

  /** Finds clients that vanished without closing their connection, and frees what their watches hold. */
  private readonly checkAll = (): void => {
    for (const connection of [...this.connections]) connection.checkAlive();
  };
}
