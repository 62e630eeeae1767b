import { Budget } from "./budget.js";
import type { Connection } from "./connection.js";
import { DEFAULT_TABLE_BYTES, HpackDecoder } from "./hpack/index.js";
import { IncomingHeaders, MAX_LIST_BYTES } from "./incoming-headers.js";
import { ConnectionFault, demand, ErrorCode, Flag, FrameType, MAX_WINDOW_BYTES } from "./protocol.js";
import { readSettings } from "./settings.js";
import { owned } from "./unread.js";

/** A header block that comes in pieces may be so large before it is decoded. */
const MAX_BLOCK_BYTES = 2 * MAX_LIST_BYTES;
/** What a CONTINUATION counts for beyond its bytes, so that empty ones come to an end too. */
const CONTINUATION_BYTES = 32;
const PING_BYTES = 8;
const PRIORITY_BYTES = 5;
const MIN_GOAWAY_BYTES = 8;
const NOTHING = Buffer.alloc(0);

/** Understands the frames of a client (RFC 9113 §6), and tells its connection what they mean. */
export class ClientFrames {
  private readonly hpack = new HpackDecoder();
  /**
   * A client may cancel many watches at once, and that is no attack; one that opens and resets streams as fast as it can is
   * (CVE-2023-44487), and so is one that has us reset them (CVE-2025-8671).
   */
  private readonly resets = new Budget(10_000, 1_000);
  /** Each may change the windows of all streams; a client that measures its link makes a few of them (CVE-2019-9515). */
  private readonly changes = new Budget(1_000, 100);
  /** SETTINGS have come. */
  private settled = false;
  /** The header block that goes on in CONTINUATIONs. */
  private block:
    { readonly streamId: number; readonly flags: number; readonly parts: Buffer[]; bytes: number } | undefined;

  constructor(private readonly connection: Connection) {}

  /**
   * Takes a frame whose payload is `bytes` from `start` to `end`.
   *
   * @throws ConnectionFault, HpackError when the connection cannot go on
   */
  handle(type: number, flags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
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
        this.ping(flags, streamId, bytes, start, end);
        break;
      case FrameType.SETTINGS:
        this.settings(flags, streamId, bytes, start, end);
        break;
      case FrameType.PRIORITY:
        this.priority(streamId, end - start);
        break;
      case FrameType.PUSH_PROMISE:
        throw new ConnectionFault(ErrorCode.PROTOCOL_ERROR, "a client does not push");
      case FrameType.GOAWAY:
        // It opens no more streams; whatever is open goes on.
        demand(streamId === 0, "GOAWAY of a stream");
        demand(end - start >= MIN_GOAWAY_BYTES, "half a GOAWAY", ErrorCode.FRAME_SIZE_ERROR);
    }
    // Types that nobody knows are passed over (RFC 9113 §4.1).
  }

  private data(flags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    const { connection } = this;
    demand(connection.ids.wasOpened(streamId), "data of a stream that is not open");
    const length = end - start;
    connection.received(length);
    const [from, to] = unpadded(flags, bytes, start, end);
    const stream = connection.stream(streamId);
    if (stream === undefined || stream.isReceived) {
      connection.consumed(length);
      if (stream !== undefined || !connection.ids.mayBeLate(streamId)) this.refuse(streamId, ErrorCode.STREAM_CLOSED);
      return;
    }
    stream.receiveWindow -= length;
    if (stream.receiveWindow < 0) {
      connection.consumed(length);
      this.refuse(streamId, ErrorCode.FLOW_CONTROL_ERROR);
      return;
    }
    // What pads a frame is window too, which nobody will read.
    if (length > to - from) stream.giveBack(length - (to - from));
    const isLast = (flags & Flag.END_STREAM) !== 0;
    const piece = bytes.subarray(from, to);
    // A lane keeps what it got of a single message until the request ends, which is when this is read as a rule.
    const isRight = to === from || stream.receive(stream.isTimed && !isLast ? owned(piece) : piece);
    if (!isRight || (isLast && !stream.closed && !stream.receiveEnd())) {
      this.refuse(streamId, ErrorCode.PROTOCOL_ERROR);
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
    block.bytes += end - start + CONTINUATION_BYTES;
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
    const { connection } = this;
    if (connection.ids.wasOpened(streamId)) {
      this.trailers(streamId, incoming, ended);
      return;
    }
    const refusal = connection.open(streamId, incoming, ended);
    if (refusal !== undefined) this.refuse(streamId, refusal);
  }

  /** Nobody is told of them, but they end the request. */
  private trailers(streamId: number, incoming: IncomingHeaders, ended: boolean): void {
    const { connection } = this;
    const stream = connection.stream(streamId);
    if (stream === undefined) {
      if (!connection.ids.mayBeLate(streamId)) connection.ids.reuse();
    } else if (stream.isReceived) this.refuse(streamId, ErrorCode.STREAM_CLOSED);
    else if (incoming.isTooLarge) this.refuse(streamId, ErrorCode.ENHANCE_YOUR_CALM);
    else if (!ended || !incoming.isTrailers || !stream.receiveEnd()) this.refuse(streamId, ErrorCode.PROTOCOL_ERROR);
  }

  /** Which stream goes before which is nobody's affair any more (RFC 9113 §5.3), not even that one goes before itself. */
  private priority(streamId: number, length: number): void {
    demand(streamId !== 0, "a priority of no stream");
    if (length === PRIORITY_BYTES) return;
    // A stream that was not opened cannot be reset.
    demand(this.connection.ids.wasOpened(streamId), "half a priority", ErrorCode.FRAME_SIZE_ERROR);
    this.refuse(streamId, ErrorCode.FRAME_SIZE_ERROR);
  }

  private windowUpdate(streamId: number, bytes: Buffer, start: number, end: number): void {
    const { connection } = this;
    demand(end - start === 4, "half a window", ErrorCode.FRAME_SIZE_ERROR);
    const increment = bytes.readUInt32BE(start) & 0x7fff_ffff;
    if (streamId === 0) {
      demand(increment > 0, "a window of nothing");
      connection.widen(increment);
      return;
    }
    demand(connection.ids.wasOpened(streamId), "a window of a stream that is not open");
    const stream = connection.stream(streamId);
    if (stream === undefined) return;
    if (increment === 0) this.refuse(streamId, ErrorCode.PROTOCOL_ERROR);
    else if (stream.widen(increment) > MAX_WINDOW_BYTES) this.refuse(streamId, ErrorCode.FLOW_CONTROL_ERROR);
    else connection.pumpStream(stream);
  }

  private reset(streamId: number, bytes: Buffer, start: number, end: number): void {
    demand(end - start === 4, "half a reset", ErrorCode.FRAME_SIZE_ERROR);
    demand(this.connection.ids.wasOpened(streamId), "a reset of a stream that is not open");
    this.countReset();
    this.connection.stream(streamId)?.destroy(bytes.readUInt32BE(start));
  }

  /** Resets a stream whose client did something wrong; who makes us do so again and again is no better than who resets them itself. */
  private refuse(streamId: number, code: number): void {
    this.countReset();
    this.connection.resetStream(streamId, code);
  }

  private countReset(): void {
    demand(this.resets.take(), "streams are reset too fast", ErrorCode.ENHANCE_YOUR_CALM);
  }

  private ping(flags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    demand(streamId === 0, "a ping of a stream");
    demand(end - start === PING_BYTES, "half a ping", ErrorCode.FRAME_SIZE_ERROR);
    if ((flags & Flag.ACK) === 0) this.connection.output.frame(FrameType.PING, Flag.ACK, 0, bytes, start, end);
    else this.connection.pings.answered();
  }

  private settings(flags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    demand(streamId === 0, "settings of a stream");
    if ((flags & Flag.ACK) !== 0) {
      demand(start === end, "an answer with settings", ErrorCode.FRAME_SIZE_ERROR);
      return;
    }
    demand(this.changes.take(), "settings change too often", ErrorCode.ENHANCE_YOUR_CALM);
    const { initialWindow, tableBytes } = readSettings(bytes, start, end);
    const { output } = this.connection;
    output.frame(FrameType.SETTINGS, Flag.ACK, 0, NOTHING);
    if (tableBytes !== undefined && tableBytes < DEFAULT_TABLE_BYTES) output.giveUpTable();
    if (initialWindow !== undefined) this.connection.setInitialWindow(initialWindow);
  }
}

/** Where the payload of a frame that may be padded begins and ends (RFC 9113 §6.1). */
function unpadded(flags: number, bytes: Buffer, start: number, end: number): [from: number, to: number] {
  if ((flags & Flag.PADDED) === 0) return [start, end];
  demand(start < end, "no padding where there should be", ErrorCode.FRAME_SIZE_ERROR);
  const to = end - (bytes[start] ?? 0);
  demand(start + 1 <= to, "more padding than frame");
  return [start + 1, to];
}
