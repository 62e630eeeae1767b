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
import type { Socket } from "node:net";
import type { ServedStream } from "../lane.js";
import { ErrorCode } from "./protocol.js";
import { socketPair } from "./socket-pair.js";

/** What an answer may have on its way: enough without a network between. */
const STREAM_WINDOW_BYTES = 64 * 1024;
/** Many times that: answers that their client does not read must not hold up the others. */
const SESSION_WINDOW_BYTES = 64 * 1024 * 1024;
/** What a session may keep in memory, in megabytes; that of the server at the other end. */
const MAX_SESSION_MEMORY_MB = 64;
/** The server is our own: how many headers it answers with is its affair. */
const MAX_ANSWER_HEADERS = 4_096;

/** Forwards the streams of one connection. */
export class Bridge {
  /** For what is forwarded next. */
  private session: ClientHttp2Session | undefined;
  /** With those that take no more, and still have streams. */
  private readonly sessions = new Set<ClientHttp2Session>();
  private closed = false;

  /** @param accept takes the far end as a new connection, once there is something to forward */
  constructor(private readonly accept: (socket: Socket) => void) {}

  /** Sends a request on, and its answer back. @param ended it has no body */
  forward(stream: ServedStream, headers: IncomingHttpHeaders, ended: boolean): void {
    // That it was closed, and with what code, says everything.
    stream.on("error", ignore);
    if (this.closed) {
      stream.close(ErrorCode.REFUSED_STREAM);
      return;
    }
    const session = this.open();
    let inner: ClientHttp2Stream;
    try {
      inner = session.request({ ...headers }, { endStream: ended });
    } catch {
      // Headers that Node lets nobody send.
      stream.close(ErrorCode.PROTOCOL_ERROR);
      return;
    }
    inner.on("error", ignore);
    const cancel = (): void => inner.close(stream.rstCode === 0 ? ErrorCode.CANCEL : stream.rstCode);
    stream.on("aborted", cancel);
    stream.on("close", () => {
      // Where the answer was complete before the request, nothing was aborted. What was received whole still goes on.
      if (stream.rstCode !== 0 || !stream.readableEnded) cancel();
    });
    sendRequest(stream, inner, ended);
    sendAnswer(session, inner, stream);
  }

  /** The client is gone, or the server stops: whatever is open is over, and nothing is forwarded any more. */
  close(): void {
    this.closed = true;
    for (const session of this.sessions) session.destroy();
  }

  private open(): ClientHttp2Session {
    if (this.session?.closed === false) return this.session;
    const near = socketPair((far) => {
      far.on("error", ignore);
      if (this.closed) far.destroy();
      else this.accept(far);
    });
    near.on("error", ignore);
    const session = connect("http://bridge", {
      createConnection: () => near,
      maxSessionMemory: MAX_SESSION_MEMORY_MB,
      maxHeaderListPairs: MAX_ANSWER_HEADERS,
      settings: { initialWindowSize: STREAM_WINDOW_BYTES, enablePush: false },
    });
    session.on("error", ignore).on("close", () => this.sessions.delete(session));
    session.once("connect", () => {
      // It comes even when the session is gone by then.
      if (!session.closed && !session.destroyed) session.setLocalWindowSize(SESSION_WINDOW_BYTES);
    });
    this.session = session;
    this.sessions.add(session);
    return session;
  }
}

function sendRequest(stream: ServedStream, inner: ClientHttp2Stream, ended: boolean): void {
  // It is read to its end in any case: until then it is not over.
  stream.on("data", (chunk) => {
    if (inner.writable && !inner.write(chunk)) stream.pause();
  });
  stream.on("end", () => {
    if (!ended) inner.end();
  });
  inner.on("drain", () => stream.resume());
}

function sendAnswer(session: ClientHttp2Session, inner: ClientHttp2Stream, stream: ServedStream): void {
  let trailers: OutgoingHttpHeaders = {};
  let answered = false;
  /** The stream is over at the far end. */
  let over = false;

  const finish = (): void => {
    if (answered && over) stopReading(stream, inner.rstCode);
  };
  const finishAnswer = (): void => {
    answered = true;
    finish();
  };

  inner.on("response", (headers, flags) => {
    if (stream.closed || stream.destroyed) return;
    const endStream = (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0;
    stream.respond({ ...headers }, { endStream, waitForTrailers: !endStream, sendDate: false });
    if (endStream) finishAnswer();
    // Not before: Node tells of a response later than of data that came with it.
    inner.on("data", (chunk: Buffer) => {
      if (!stream.closed && !stream.write(chunk)) inner.pause();
    });
  });
  stream.on("drain", () => inner.resume());
  inner.on("trailers", (sent: IncomingHttpHeaders) => {
    trailers = { ...sent };
  });
  stream.on("wantTrailers", () => {
    stream.sendTrailers(trailers);
    finishAnswer();
  });
  inner.on("end", () => {
    // Node ends a stream that was cut off, too; and what was cut off must not look complete.
    if (session.destroyed || inner.rstCode !== ErrorCode.NO_ERROR) return;
    if (stream.headersSent && !stream.closed && !stream.writableEnded) stream.end();
    if (inner.closed) inner.destroy();
  });
  // Told to stop, Node would still wait for what was written to be sent, which nobody takes any more. It says "aborted" before it has
  // reset the stream: destroyed then, with something written, it would send empty frames without end.
  inner.on("aborted", () => {
    process.nextTick(() => {
      if (inner.readableEnded) inner.destroy();
    });
  });
  inner.on("close", () => {
    over = true;
    if (stream.closed) return;
    if (stream.writableEnded) finish();
    // Not REFUSED_STREAM, though nothing was answered: that says that nothing was done either, and nobody knows.
    else stream.close(session.destroyed ? ErrorCode.INTERNAL_ERROR : inner.rstCode);
  });
}

/** Nobody wants the rest of the request: a client that is still sending is told to stop, after the answer that it has to read. */
function stopReading(stream: ServedStream, code: number): void {
  if (stream.closed || stream.readableEnded) return;
  stream.resume();
  setImmediate(() => {
    if (!stream.closed && !stream.readableEnded) stream.close(code);
  });
}

function ignore(): void {
  // See where it is used.
}
