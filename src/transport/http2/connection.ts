/**
 * The server's side of one HTTP/2 connection (RFC 9113), written for many small calls: no object for a frame, no event for a
 * stream, one write for whatever a turn of the event loop has to say.
 */
import type { IncomingHttpHeaders } from "node:http2";
import type { Socket } from "node:net";
import { ClientFrames } from "./client-frames.js";
import { Farewell } from "./farewell.js";
import { FrameReader } from "./frame-reader.js";
import { HpackError } from "./hpack/index.js";
import { MAX_LIST_BYTES, type IncomingHeaders } from "./incoming-headers.js";
import { Output } from "./output.js";
import { Pings } from "./pings.js";
import {
  ConnectionFault,
  CREDIT_BYTES,
  DEFAULT_WINDOW_BYTES,
  demand,
  ErrorCode,
  FrameType,
  MAX_STREAM_ID,
  MAX_WINDOW_BYTES,
  Setting,
  WINDOW_BYTES,
} from "./protocol.js";
import { Room } from "./room.js";
import { MAX_UNSENT_BYTES } from "./send-queue.js";
import { encodeSettings } from "./settings.js";
import { StreamIds } from "./stream-ids.js";
import { Stream, type StreamOwner } from "./stream.js";
import { StreamTable } from "./stream-table.js";

const NOTHING = Buffer.alloc(0);

export interface ConnectionOptions {
  readonly maxConcurrentStreams: number;
  /** How often {@link Connection.checkAlive} is called, in milliseconds. */
  readonly keepaliveIntervalMs: number;
  /** For how long a client that has much to read may read nothing; see {@link Output}. */
  readonly stallMs: number;
  /** A request has begun. @param ended it has no body */
  onStream(stream: Stream, headers: IncomingHttpHeaders, ended: boolean): void;
  /** The connection is over. */
  onClose(): void;
}

export class Connection implements StreamOwner {
  readonly output: Output;
  readonly pings: Pings;
  readonly room = new Room(this);
  readonly ids = new StreamIds();
  sendWindow = DEFAULT_WINDOW_BYTES;
  unsentBytes = 0;
  private readonly reader: FrameReader;
  private initialWindow = DEFAULT_WINDOW_BYTES;
  private readonly streams = new StreamTable<Stream>();
  /** Streams that could send if the connection had the window for it, in the order in which they came to that. */
  private readonly blockedStreams = new Set<Stream>();
  private receiveWindow = WINDOW_BYTES;
  private credit = 0;
  private over = false;
  private readonly farewell: Farewell;

  constructor(
    private readonly socket: Socket,
    private readonly options: ConnectionOptions,
  ) {
    const output = new Output(socket, options.stallMs, () => this.drained());
    this.output = output;
    this.pings = new Pings(output, options.keepaliveIntervalMs);
    this.farewell = new Farewell(socket, output, this.pings, options.stallMs);
    const frames = new ClientFrames(this);
    this.reader = new FrameReader(frames.handle.bind(frames), () => this.over || output.isStuffed);
    this.output.frame(
      FrameType.SETTINGS,
      0,
      0,
      encodeSettings([
        [Setting.MAX_CONCURRENT_STREAMS, options.maxConcurrentStreams],
        [Setting.INITIAL_WINDOW_SIZE, WINDOW_BYTES],
        [Setting.MAX_HEADER_LIST_SIZE, MAX_LIST_BYTES],
      ]),
    );
    this.output.number(FrameType.WINDOW_UPDATE, 0, WINDOW_BYTES - DEFAULT_WINDOW_BYTES);
    socket
      .on("data", (chunk: Buffer) => this.receive(chunk))
      .on("error", () => socket.destroy())
      .on("timeout", () => socket.destroy())
      .on("end", () => this.clientEnded())
      .on("close", () => this.finish());
  }

  /** Closes the connection of a client that has vanished. */
  checkAlive(): void {
    if (!this.pings.check()) this.close();
  }

  /** Says that soon no more streams will be taken (RFC 9113 §6.8). */
  announceEnd(): void {
    if (!this.over) this.output.goAway(MAX_STREAM_ID);
  }

  /** Takes no more streams, and closes the connection when the last of them is done. */
  leave(): void {
    if (this.over || this.ids.isClosed) return;
    this.ids.isClosed = true;
    this.output.goAway(this.ids.last);
    this.closeWhenDone();
  }

  /** Ends everything at once: nobody waits for a client that has vanished to take what is still on its way. */
  close(): void {
    this.output.flush();
    this.socket.destroy();
    this.finish();
  }

  /** Ends the requests that are still being sent and were so at the last call: between two calls a client has the time-out. */
  endUnfinished(): void {
    for (const stream of this.streams.values()) {
      if (!stream.isTimed || stream.isReceived) continue;
      if (stream.isLate) stream.close(ErrorCode.CANCEL);
      else stream.isLate = true;
    }
  }

  // What a stream tells.

  blocked(stream: Stream): void {
    if (stream.hasWindow) this.blockedStreams.add(stream);
  }

  consumed(bytes: number): void {
    this.credit += bytes;
    if (this.credit < CREDIT_BYTES || this.over) return;
    this.output.number(FrameType.WINDOW_UPDATE, 0, this.credit);
    this.receiveWindow += this.credit;
    this.credit = 0;
  }

  /** Tells the client that a stream is over. */
  reset(streamId: number, code: number): void {
    this.output.number(FrameType.RST_STREAM, streamId, code);
    this.ids.reset(streamId);
  }

  closed(stream: Stream): void {
    this.streams.delete(stream.id);
    this.blockedStreams.delete(stream);
    this.room.left(stream);
    if (this.ids.isClosed) this.closeWhenDone();
  }

  // What the frames of the client tell.

  stream(streamId: number): Stream | undefined {
    return this.streams.get(streamId);
  }

  /** So much data has come. @throws ConnectionFault when it is more than was allowed */
  received(bytes: number): void {
    this.receiveWindow -= bytes;
    demand(this.receiveWindow >= 0, "more data than there is window for", ErrorCode.FLOW_CONTROL_ERROR);
  }

  /** A request begins. @returns with which code it is to be refused, if it is */
  open(streamId: number, incoming: IncomingHeaders, ended: boolean): number | undefined {
    this.ids.open(streamId);
    const refusal = this.refusal(incoming);
    if (refusal !== undefined) return refusal;
    const { headers } = incoming;
    const stream = new Stream(streamId, this, WINDOW_BYTES, this.initialWindow);
    this.streams.add(streamId, stream);
    const announced = headers["content-length"];
    if (announced !== undefined) stream.expectedBytes = Number(announced);
    this.options.onStream(stream, headers, ended);
    return ended && !stream.closed && !stream.receiveEnd() ? ErrorCode.PROTOCOL_ERROR : undefined;
  }

  /** The client has widened the window of all streams together. */
  widen(bytes: number): void {
    this.sendWindow += bytes;
    demand(this.sendWindow <= MAX_WINDOW_BYTES, "too large a window", ErrorCode.FLOW_CONTROL_ERROR);
    this.pump();
    if (this.sendWindow > 0) this.room.widened();
  }

  /** The client has set what the window of a stream is at its beginning; it changes that of those that are open too. */
  setInitialWindow(bytes: number): void {
    const more = bytes - this.initialWindow;
    if (more === 0) return;
    this.initialWindow = bytes;
    for (const stream of this.streams.values()) {
      demand(stream.widen(more) <= MAX_WINDOW_BYTES, "too large a window", ErrorCode.FLOW_CONTROL_ERROR);
      if (more > 0) this.pumpStream(stream);
    }
  }

  /** The window of one stream has become wider. */
  pumpStream(stream: Stream): void {
    if (stream.isBlocked) {
      this.blockedStreams.delete(stream);
      if (!stream.pump()) this.blocked(stream);
    }
    this.room.moved(stream);
  }

  resetStream(streamId: number, code: number): void {
    const stream = this.streams.get(streamId);
    if (stream === undefined) this.reset(streamId, code);
    else stream.close(code);
  }

  // How it goes on, and ends.

  private receive(chunk: Buffer): void {
    if (this.over) return;
    if (chunk.length > 0) this.pings.hear();
    try {
      this.reader.push(chunk);
    } catch (thrown) {
      if (thrown instanceof ConnectionFault) this.fail(thrown.code);
      else if (thrown instanceof HpackError) this.fail(ErrorCode.COMPRESSION_ERROR);
      else throw thrown;
    }
  }

  /** With which code a request is refused. */
  private refusal(incoming: IncomingHeaders): number | undefined {
    if (this.streams.size >= this.options.maxConcurrentStreams) return ErrorCode.REFUSED_STREAM;
    if (this.unsentBytes > MAX_UNSENT_BYTES) return ErrorCode.ENHANCE_YOUR_CALM;
    if (incoming.isTooLarge) return ErrorCode.ENHANCE_YOUR_CALM;
    if (!incoming.isRequest) return ErrorCode.PROTOCOL_ERROR;
    return incoming.headers[":method"] === "CONNECT" ? ErrorCode.CONNECT_ERROR : undefined;
  }

  /** Sends what waited for the window of the connection, a piece of each stream in turn. */
  private pump(): void {
    let left = this.blockedStreams.size;
    for (const stream of this.blockedStreams) {
      // Those that are put back, at the end, have had their turn.
      if (this.sendWindow <= 0 || left === 0) return;
      left -= 1;
      this.pumpStream(stream);
    }
  }

  private drained(): void {
    this.pings.progress();
    this.farewell.drained();
    this.room.opened();
    // What had come before the client was read from no more.
    this.receive(NOTHING);
  }

  private fail(code: number): void {
    this.output.goAway(this.ids.last, code);
    this.end();
    this.farewell.closeSoon();
  }

  private end(): void {
    this.farewell.say();
    this.finish();
  }

  private clientEnded(): void {
    this.farewell.answer();
    this.finish();
  }

  private closeWhenDone(): void {
    if (this.streams.size === 0 && !this.over) this.farewell.whenRead(() => this.end());
  }

  private finish(): void {
    if (this.over) return;
    this.over = true;
    for (const stream of this.streams.values()) stream.destroy(ErrorCode.CANCEL);
    this.options.onClose();
  }
}
