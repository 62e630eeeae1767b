/**
 * The way of streams that no lane wants: to Node's HTTP/2 server, with everything behind it, over a connection inside of the process.
 * A proxy may well mix them with gRPC on one connection.
 */
import {
  connect,
  constants,
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
} from "node:http2";
import { duplexPair, type Duplex } from "node:stream";
import type { LaneStream } from "../lane.js";
import { ErrorCode } from "./protocol.js";

const WINDOW_BYTES = 1024 * 1024;

/** Forwards the streams of one connection. */
export class Bridge {
  private session: ClientHttp2Session | undefined;

  /** @param accept takes the far end as a new connection, once there is something to forward */
  constructor(private readonly accept: (socket: Duplex) => void) {}

  /** Sends a request on, and its answer back. @param ended it has no body */
  forward(stream: LaneStream, headers: IncomingHttpHeaders, ended: boolean): void {
    let inner: ClientHttp2Stream;
    try {
      inner = this.open().request({ ...headers }, { endStream: ended });
    } catch {
      // The far end is about to close.
      stream.close(ErrorCode.REFUSED_STREAM);
      return;
    }
    // That it was closed, and with what code, says everything.
    inner.on("error", ignore);
    stream.on("error", ignore);
    if (!ended) sendRequest(stream, inner);
    stream.on("aborted", () => inner.close(stream.rstCode === 0 ? ErrorCode.CANCEL : stream.rstCode));
    sendAnswer(inner, stream);
  }

  /** The client is gone, or the server stops: whatever is open is over. */
  close(): void {
    this.session?.destroy();
    this.session = undefined;
  }

  private open(): ClientHttp2Session {
    if (this.session !== undefined) return this.session;
    const [near, far] = duplexPair();
    const session = connect("http://bridge", {
      createConnection: () => near,
      settings: { initialWindowSize: WINDOW_BYTES, enablePush: false },
    });
    const forget = (): void => {
      if (this.session === session) this.session = undefined;
    };
    session.on("error", ignore).on("goaway", forget).on("close", forget);
    session.once("connect", () => session.setLocalWindowSize(WINDOW_BYTES));
    far.on("error", ignore);
    near.on("error", ignore);
    this.session = session;
    this.accept(far);
    return session;
  }
}

function sendRequest(stream: LaneStream, inner: ClientHttp2Stream): void {
  stream
    .on("data", (chunk) => {
      if (!inner.destroyed && !inner.write(chunk)) stream.pause();
    })
    .on("end", () => inner.end());
  inner.on("drain", () => stream.resume());
}

function sendAnswer(inner: ClientHttp2Stream, stream: LaneStream): void {
  let trailers: OutgoingHttpHeaders = {};
  inner.on("response", (headers, flags) => {
    const endStream = (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0;
    stream.respond({ ...headers }, { endStream, waitForTrailers: !endStream, sendDate: false });
    if (endStream) stopReading(stream);
    // Not before: Node tells of a response later than of data that came with it.
    inner.on("data", (chunk: Buffer) => {
      if (!stream.write(chunk)) inner.pause();
    });
  });
  stream.on("drain", () => inner.resume());
  inner.on("trailers", (sent: IncomingHttpHeaders) => {
    trailers = { ...sent };
  });
  inner.on("end", () => {
    if (stream.writableEnded) return;
    stream.on("wantTrailers", () => {
      stream.sendTrailers(trailers);
      stopReading(stream);
    });
    if (stream.headersSent) stream.end();
  });
  inner.on("close", () => {
    if (stream.closed) return;
    const { rstCode } = inner;
    if (rstCode !== ErrorCode.NO_ERROR) stream.close(rstCode);
    else if (!stream.headersSent) stream.close(ErrorCode.REFUSED_STREAM);
    else if (!stream.writableEnded) stream.close(ErrorCode.INTERNAL_ERROR);
  });
}

/** The answer is complete: a client that is still sending is told to stop, after what it has to read. */
function stopReading(stream: LaneStream): void {
  if (stream.readableEnded) return;
  stream.resume();
  setImmediate(() => {
    if (!stream.closed) stream.close(ErrorCode.NO_ERROR);
  });
}

function ignore(): void {
  // See where it is used.
}
