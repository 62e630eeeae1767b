/**
 * HTTP/2 by Node: sessions with their limits, for everything that goes to the HTTP handler.
 */
import {
  constants,
  createServer,
  Http2ServerRequest,
  Http2ServerResponse,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import type { Socket } from "node:net";
import { UnfinishedRequests } from "./unfinished.js";

const WINDOW_BYTES = 1024 * 1024;
const MAX_HEADER_BYTES = 16 * 1024;
/** What one session may keep in memory, in megabytes, before its new streams are refused: a client that does not read. */
const MAX_SESSION_MEMORY_MB = 64;

/**
 * A client may cancel many watches at once, and that is no attack. Node 20 has a fixed limit (1,000, and 33 a second) and knows
 * neither option.
 */
const RESET_TOLERANCE = { streamResetBurst: 10_000, streamResetRate: 1_000 };
/** How long a client may take to learn that it should call no more, before calls of its are no longer answered; in milliseconds. */
const NOTICE_MS = 1_000;
/**
 * GOAWAY with the highest stream id and no error (RFC 9113 §6.8): "soon I will take no more". Node has no call for it: its own GOAWAY
 * at once ignores streams that are on their way, which their client then has to explain to itself.
 */
const SHUTDOWN_NOTICE = Buffer.from("0000080700000000007fffffff00000000", "hex");

export interface Http2Options {
  readonly maxConcurrentStreams: number;
  readonly requestTimeoutMs: number;
  readonly keepaliveIntervalMs: number;
  /** Paths whose requests may stay open: the client streams. */
  readonly clientStreamPaths: ReadonlySet<string>;
  handle(request: Http2ServerRequest, response: Http2ServerResponse): void;
}

interface SessionState {
  readonly socket: Socket;
  /** Whether it has answered its last ping. */
  alive: boolean;
}

export class Http2Side {
  private readonly server: Http2Server;
  private readonly sessions = new Map<ServerHttp2Session, SessionState>();
  private readonly unfinished: UnfinishedRequests<ServerHttp2Stream>;
  private readonly keepalive: NodeJS.Timeout;
  private noticed: NodeJS.Timeout | undefined;

  constructor(private readonly options: Http2Options) {
    this.server = createServer({
      ...RESET_TOLERANCE,
      maxSessionMemory: MAX_SESSION_MEMORY_MB,
      settings: {
        initialWindowSize: WINDOW_BYTES,
        maxConcurrentStreams: options.maxConcurrentStreams,
        maxHeaderListSize: MAX_HEADER_BYTES,
        enablePush: false,
      },
    });
    // Not "request": a listener for that puts the compatibility layer on every stream.
    this.server.on("stream", this.onStream);
    this.unfinished = new UnfinishedRequests(options.requestTimeoutMs, (stream) => {
      stream.close(constants.NGHTTP2_CANCEL);
    });
    this.keepalive = setInterval(this.pingAll, options.keepaliveIntervalMs).unref();
  }

  /** @param isInner it comes from inside of the process, where its other end knows when it is over */
  accept(socket: Socket, isInner = false): void {
    // Without this a client that only half-closes would keep its session for ever.
    socket.allowHalfOpen = false;
    this.server.once("session", (session) => {
      session.setLocalWindowSize(WINDOW_BYTES);
      if (!isInner) this.onSession(session, socket);
    });
    // Makes the session, and tells of it, before it returns.
    this.server.emit("connection", socket);
  }

  /**
   * Tells every client to take new calls elsewhere. Calls that were on their way when the client heard of it still arrive; after
   * that a session ends with its last stream.
   */
  drain(): void {
    for (const [session, { socket }] of this.sessions) {
      if (session.destroyed) continue;
      // Between two frames: the session writes whole ones.
      socket.write(SHUTDOWN_NOTICE);
      session.ping(() => session.close());
    }
    this.noticed = setTimeout(() => {
      for (const session of this.sessions.keys()) session.close();
    }, NOTICE_MS).unref();
  }

  close(): void {
    clearInterval(this.keepalive);
    clearTimeout(this.noticed);
    this.unfinished.close();
    for (const session of this.sessions.keys()) session.destroy();
  }

  private onSession(session: ServerHttp2Session, socket: Socket): void {
    this.sessions.set(session, { socket, alive: true });
    session.once("close", () => this.sessions.delete(session));
  }

  private readonly onStream = (
    stream: ServerHttp2Stream,
    headers: IncomingHttpHeaders,
    flags: number,
    rawHeaders: string[],
  ): void => {
    if ((flags & constants.NGHTTP2_FLAG_END_STREAM) === 0 && !this.mayStayOpen(headers)) this.unfinished.add(stream);
    const finished = (): void => this.unfinished.delete(stream);
    stream.once("end", finished).once("close", finished);
    const request = new Http2ServerRequest(stream, headers, {}, rawHeaders);
    this.options.handle(request, new Http2ServerResponse(stream));
  };

  private mayStayOpen(headers: IncomingHttpHeaders): boolean {
    return this.options.clientStreamPaths.has(headers[":path"] ?? "");
  }

  /**
   * Finds sessions whose client vanished without closing its connection, and frees what its watches hold; and sessions that ended
   * with an error of the protocol, which Node tells the client but then leaves open, unread.
   */
  private readonly pingAll = (): void => {
    for (const [session, state] of this.sessions) {
      // It is gone, although its socket has not closed yet.
      if (session.destroyed) continue;
      if (!state.alive) {
        session.destroy();
        continue;
      }
      state.alive = false;
      session.ping(() => (state.alive = true));
    }
  };
}
