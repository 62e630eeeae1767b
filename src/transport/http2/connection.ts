/**
 * The server's side of one HTTP/2 connection (RFC 9113), written for many small calls: no object for a frame, no event for a
 * stream, one write for whatever a turn of the event loop has to say.
 */
import type { IncomingHttpHeaders } from "node:http2";
import type { Socket } from "node:net";
import { FrameReader } from "./frame-reader.js";
import { HpackDecoder, HpackError } from "./hpack/index.js";
import { IncomingHeaders, MAX_LIST_BYTES } from "./incoming-headers.js";
import { Output } from "./output.js";
import {
  ConnectionFault,
  DEFAULT_WINDOW_BYTES,
  ErrorCode,
  Flag,
  FrameType,
  MAX_STREAM_ID,
  MAX_WINDOW_BYTES,
  Setting,
} from "./protocol.js";
import { ResetBudget } from "./reset-budget.js";
import { encodeSettings, PeerSettings } from "./settings.js";
import { Stream, type StreamOwner } from "./stream.js";

const WINDOW_BYTES = 1024 * 1024;
const CREDIT_BYTES = WINDOW_BYTES / 2;
/** A header block that comes in pieces may be so large before it is decoded. */
const MAX_BLOCK_BYTES = 2 * MAX_LIST_BYTES;
/** With so much that the client's windows have no room for, it may open no more streams: it asks and does not read. */
const MAX_UNSENT_BYTES = 64 * 1024 * 1024;
const PING_BYTES = 8;
const PRIORITY_BYTES = 5;
const NOTHING = Buffer.alloc(0);

export interface ConnectionOptions {
  readonly maxConcurrentStreams: number;
  /** A request has begun. @param ended it has no body */
  onStream(stream: Stream, headers: IncomingHttpHeaders, ended: boolean): void;
  /** The connection is over. */
  onClose(): void;
}

export class Connection implements StreamOwner {
  readonly output: Output;
  sendWindow = DEFAULT_WINDOW_BYTES;
  unsentBytes = 0;
  private readonly reader: FrameReader;
  private readonly hpack = new HpackDecoder();
  private readonly peer = new PeerSettings();
  private readonly streams = new Map<number, Stream>();
  /** Streams with something to send that had no window for it, in the order in which they came to that. */
  private readonly blockedStreams = new Set<Stream>();
  private readonly waitingStreams = new Set<Stream>();
  private readonly resets = new ResetBudget();
  private lastStreamId = 0;
  private receiveWindow = WINDOW_BYTES;
  private credit = 0;
  /** The header block that goes on in CONTINUATIONs. */
  private block:
    { readonly streamId: number; readonly flags: number; readonly parts: Buffer[]; bytes: number } | undefined;
  private settled = false;
  private pongs: (() => void)[] = [];
  /** No more streams are taken. */
  private leaving = false;
  private over = false;

  constructor(
    private readonly socket: Socket,
    private readonly options: ConnectionOptions,
  ) {
    this.reader = new FrameReader(this.handle.bind(this), () => output.isStuffed);
    const output = new Output(socket, () => this.drained());
    this.output = output;
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
      .on("end", () => this.clientEnded())
      .on("close", () => this.finish());
  }

  get isOver(): boolean {
    return this.over;
  }

  /** Asks whether the client is still there. */
  ping(onPong: () => void): void {
    this.pongs.push(onPong);
    this.output.frame(FrameType.PING, 0, 0, Buffer.alloc(PING_BYTES));
  }

  /** Says that soon no more streams will be taken (RFC 9113 §6.8). */
  announceEnd(): void {
    if (!this.over) this.output.goAway(MAX_STREAM_ID);
  }

  /** Takes no more streams, and closes the connection when the last of them is done. */
  leave(): void {
    if (this.over || this.leaving) return;
    this.leaving = true;
    this.output.goAway(this.lastStreamId);
    this.closeWhenDone();
  }

  /** Ends everything at once. */
  close(): void {
    this.output.flush();
    this.socket.destroySoon();
    this.finish();
  }

  // What a stream tells.

  blocked(stream: Stream): void {
    this.blockedStreams.add(stream);
  }

  waitsForRoom(stream: Stream): void {
    this.waitingStreams.add(stream);
  }

  consumed(bytes: number): void {
    this.credit += bytes;
    if (this.credit < CREDIT_BYTES || this.over) return;
    this.output.number(FrameType.WINDOW_UPDATE, 0, this.credit);
    this.receiveWindow += this.credit;
    this.credit = 0;
  }

  closed(stream: Stream): void {
    this.streams.delete(stream.id);
    this.blockedStreams.delete(stream);
    this.waitingStreams.delete(stream);
    if (this.leaving) this.closeWhenDone();
  }

  // What the client says.

  private receive(chunk: Buffer): void {
    if (this.over) return;
    try {
      this.reader.push(chunk);
    } catch (thrown) {
      if (thrown instanceof ConnectionFault) this.fail(thrown.code);
      else if (thrown instanceof HpackError) this.fail(ErrorCode.COMPRESSION_ERROR);
      else throw thrown;
    }
  }

  private handle(type: number, flags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    if (this.over) return;
    if (!this.settled) {
      demand(type === FrameType.SETTINGS && (flags & Flag.ACK) === 0, "SETTINGS come first");
      this.settled = true;
    }
    demand(this.block === undefined || type === FrameType.CONTINUATION, "a header block is not finished");
    switch (type) {
      case FrameType.DATA:
        this.data(flags, streamId, bytes, start, end);
        break;
      case FrameType.HEADERS:
        this.headers(flags, streamId, bytes, start, end);
        break;
      case FrameType.CONTINUATION:
        this.continuation(flags, streamId, bytes, start, end);
        break;
      case FrameType.WINDOW_UPDATE:
        this.windowUpdate(streamId, bytes, start, end);
        break;
      case FrameType.RST_STREAM:
        this.reset(streamId, bytes, start, end);
        break;
      case FrameType.PING:
        this.pinged(flags, streamId, bytes, start, end);
        break;
      case FrameType.SETTINGS:
        this.settings(flags, streamId, bytes, start, end);
        break;
      case FrameType.PRIORITY:
        demand(streamId !== 0, "a priority of no stream");
        if (end - start !== PRIORITY_BYTES) this.resetStream(streamId, ErrorCode.FRAME_SIZE_ERROR);
        break;
      case FrameType.PUSH_PROMISE:
        throw new ConnectionFault(ErrorCode.PROTOCOL_ERROR, "a client does not push");
      case FrameType.GOAWAY:
        // It opens no more streams; whatever is open goes on.
        demand(streamId === 0, "GOAWAY of a stream");
        demand(end - start >= 8, "half a GOAWAY", ErrorCode.FRAME_SIZE_ERROR);
    }
    // Types that nobody knows are passed over (RFC 9113 §4.1).
  }

  private data(flags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    demand(streamId !== 0 && streamId <= this.lastStreamId, "data of a stream that is not open");
    const length = end - start;
    this.receiveWindow -= length;
    demand(this.receiveWindow >= 0, "more data than there is window for", ErrorCode.FLOW_CONTROL_ERROR);
    const [from, to] = unpadded(flags, bytes, start, end);
    const stream = this.streams.get(streamId);
    if (stream === undefined || stream.isReceived) {
      this.consumed(length);
      if (stream !== undefined) this.resetStream(streamId, ErrorCode.STREAM_CLOSED);
      return;
    }
    stream.receiveWindow -= length;
    if (stream.receiveWindow < 0) {
      this.consumed(length);
      stream.close(ErrorCode.FLOW_CONTROL_ERROR);
      return;
    }
    // What pads a frame is window too, which nobody will read.
    if (length > to - from) stream.receivePadding(length - (to - from));
    const isRight = to === from || stream.receive(bytes.subarray(from, to));
    if (!isRight || ((flags & Flag.END_STREAM) !== 0 && !stream.closed && !stream.receiveEnd())) {
      stream.close(ErrorCode.PROTOCOL_ERROR);
    }
  }

  private headers(flags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    demand(streamId % 2 === 1, "a client's streams have odd numbers");
    const [unpaddedFrom, to] = unpadded(flags, bytes, start, end);
    const from = (flags & Flag.PRIORITY) === 0 ? unpaddedFrom : unpaddedFrom + PRIORITY_BYTES;
    demand(from <= to, "headers that are too short", ErrorCode.FRAME_SIZE_ERROR);
    if ((flags & Flag.END_HEADERS) !== 0) this.headerBlock(flags, streamId, bytes, from, to);
    else this.block = { streamId, flags, parts: [Buffer.from(bytes.subarray(from, to))], bytes: to - from };
  }

  private continuation(flags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    const { block } = this;
    if (block?.streamId !== streamId) throw new ConnectionFault(ErrorCode.PROTOCOL_ERROR, "a continuation of nothing");
    block.parts.push(Buffer.from(bytes.subarray(start, end)));
    // Each one counts, so that empty ones come to an end too.
    block.bytes += end - start + 32;
    demand(block.bytes <= MAX_BLOCK_BYTES, "a header block without end", ErrorCode.ENHANCE_YOUR_CALM);
    if ((flags & Flag.END_HEADERS) === 0) return;
    this.block = undefined;
    const whole = Buffer.concat(block.parts);
    this.headerBlock(block.flags, streamId, whole, 0, whole.length);
  }

  private headerBlock(flags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    const incoming = new IncomingHeaders();
    // Also of a stream that is refused: the next block depends on it.
    this.hpack.decode(bytes, start, end, (field) => incoming.add(field));
    const ended = (flags & Flag.END_STREAM) !== 0;
    if (streamId <= this.lastStreamId) this.trailers(streamId, ended);
    else this.open(streamId, incoming, ended);
  }

  private trailers(streamId: number, ended: boolean): void {
    const stream = this.streams.get(streamId);
    // Its client does not know yet that it is over.
    if (stream === undefined) return;
    if (!ended || stream.isReceived || !stream.receiveEnd()) stream.close(ErrorCode.PROTOCOL_ERROR);
  }

  private open(streamId: number, incoming: IncomingHeaders, ended: boolean): void {
    // After the last GOAWAY what comes is not looked at; its client will try elsewhere.
    if (this.leaving) return;
    this.lastStreamId = streamId;
    if (this.streams.size >= this.options.maxConcurrentStreams || this.unsentBytes > MAX_UNSENT_BYTES) {
      this.resetStream(streamId, ErrorCode.REFUSED_STREAM);
      return;
    }
    if (incoming.isTooLarge) {
      this.resetStream(streamId, ErrorCode.ENHANCE_YOUR_CALM);
      return;
    }
    if (!incoming.isRequest) {
      this.resetStream(streamId, ErrorCode.PROTOCOL_ERROR);
      return;
    }
    const { headers } = incoming;
    const stream = new Stream(streamId, this, WINDOW_BYTES, this.peer.initialWindow);
    this.streams.set(streamId, stream);
    const announced = headers["content-length"];
    if (announced !== undefined) stream.expectedBytes = Number(announced);
    if (headers[":method"] === "CONNECT") stream.close(ErrorCode.CONNECT_ERROR);
    else if (announced !== undefined && !/^\d+$/.test(announced)) stream.close(ErrorCode.PROTOCOL_ERROR);
    else {
      this.options.onStream(stream, headers, ended);
      if (ended && !stream.closed && !stream.receiveEnd()) stream.close(ErrorCode.PROTOCOL_ERROR);
    }
  }

  private windowUpdate(streamId: number, bytes: Buffer, start: number, end: number): void {
    demand(end - start === 4, "half a window", ErrorCode.FRAME_SIZE_ERROR);
    const increment = bytes.readUInt32BE(start) & 0x7fff_ffff;
    if (streamId === 0) {
      demand(increment > 0, "a window of nothing");
      this.sendWindow += increment;
      demand(this.sendWindow <= MAX_WINDOW_BYTES, "too large a window", ErrorCode.FLOW_CONTROL_ERROR);
      this.pump();
      return;
    }
    demand(streamId <= this.lastStreamId, "a window of a stream that is not open");
    const stream = this.streams.get(streamId);
    if (stream === undefined) return;
    stream.sendWindow += increment;
    if (increment === 0) stream.close(ErrorCode.PROTOCOL_ERROR);
    else if (stream.sendWindow > MAX_WINDOW_BYTES) stream.close(ErrorCode.FLOW_CONTROL_ERROR);
    else this.pumpStream(stream);
  }

  private reset(streamId: number, bytes: Buffer, start: number, end: number): void {
    demand(end - start === 4, "half a reset", ErrorCode.FRAME_SIZE_ERROR);
    demand(streamId !== 0 && streamId <= this.lastStreamId, "a reset of a stream that is not open");
    demand(this.resets.take(), "streams are reset too fast", ErrorCode.ENHANCE_YOUR_CALM);
    this.streams.get(streamId)?.destroy(bytes.readUInt32BE(start));
  }

  private pinged(flags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    demand(streamId === 0, "a ping of a stream");
    demand(end - start === PING_BYTES, "half a ping", ErrorCode.FRAME_SIZE_ERROR);
    if ((flags & Flag.ACK) === 0) this.output.frame(FrameType.PING, Flag.ACK, 0, bytes, start, end);
    else this.pongs.shift()?.();
  }

  private settings(flags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    demand(streamId === 0, "settings of a stream");
    if ((flags & Flag.ACK) !== 0) {
      demand(start === end, "an answer with settings", ErrorCode.FRAME_SIZE_ERROR);
      return;
    }
    const before = this.peer.initialWindow;
    this.peer.apply(bytes, start, end);
    const more = this.peer.initialWindow - before;
    for (const stream of this.streams.values()) {
      stream.sendWindow += more;
      demand(stream.sendWindow <= MAX_WINDOW_BYTES, "too large a window", ErrorCode.FLOW_CONTROL_ERROR);
    }
    this.output.frame(FrameType.SETTINGS, Flag.ACK, 0, NOTHING);
    if (more > 0) this.pump();
  }

  // How it goes on, and ends.

  private resetStream(streamId: number, code: number): void {
    const stream = this.streams.get(streamId);
    if (stream === undefined) this.output.number(FrameType.RST_STREAM, streamId, code);
    else stream.close(code);
  }

  /** Sends what waited for the window of the connection, a piece of each stream in turn. */
  private pump(): void {
    for (const stream of [...this.blockedStreams]) {
      if (this.sendWindow <= 0) return;
      this.pumpStream(stream);
    }
  }

  private pumpStream(stream: Stream): void {
    if (!this.blockedStreams.delete(stream)) return;
    if (!stream.pump()) this.blockedStreams.add(stream);
    if (this.waitingStreams.delete(stream) && !stream.closed && !stream.drain()) this.waitingStreams.add(stream);
  }

  private drained(): void {
    const waiting = [...this.waitingStreams];
    this.waitingStreams.clear();
    for (const stream of waiting) {
      if (!stream.closed && !stream.drain()) this.waitingStreams.add(stream);
    }
    // What had come before the client was read from no more.
    this.receive(NOTHING);
  }

  private fail(code: number): void {
    this.output.goAway(this.lastStreamId, code);
    this.close();
  }

  /** The client says nothing more, not even that it has read: what was answered is on its way, and nobody waits for the rest. */
  private clientEnded(): void {
    this.output.flush();
    if (this.socket.writableLength === 0) this.socket.destroy();
    else this.socket.destroySoon();
    this.finish();
  }

  private closeWhenDone(): void {
    if (this.streams.size === 0 && !this.over) this.close();
  }

  private finish(): void {
    if (this.over) return;
    this.over = true;
    for (const stream of [...this.streams.values()]) stream.destroy(ErrorCode.CANCEL);
    this.options.onClose();
  }
}

function demand(isRight: boolean, message: string, code: number = ErrorCode.PROTOCOL_ERROR): void {
  if (!isRight) throw new ConnectionFault(code, message);
}

/** Where the payload of a frame that may be padded begins and ends (RFC 9113 §6.1). */
function unpadded(flags: number, bytes: Buffer, start: number, end: number): [from: number, to: number] {
  if ((flags & Flag.PADDED) === 0) return [start, end];
  demand(start < end, "no padding where there should be", ErrorCode.FRAME_SIZE_ERROR);
  const to = end - (bytes[start] ?? 0);
  demand(start + 1 <= to, "more padding than frame");
  return [start + 1, to];
}
