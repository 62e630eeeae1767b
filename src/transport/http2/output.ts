import type { Socket } from "node:net";
import { NO_TABLE } from "./hpack/index.js";
import { ErrorCode, Flag, FRAME_HEADER_BYTES, FrameType, MAX_FRAME_BYTES } from "./protocol.js";

const SLAB_BYTES = 64 * 1024;
const EMPTY = Buffer.alloc(0);
/** Slabs that nobody writes into now: a connection that says nothing has none. */
const spare: Buffer[] = [];
const MAX_SPARE = 64;
/** With so much on its way to a client that does not read, streams are asked to write no more. */
const CONGESTED_BYTES = 256 * 1024;
/** With so much, nothing more is read from it either: answers are made of what is read. */
const STUFFED_BYTES = 4 * 1024 * 1024;

/**
 * The frames that go to one client. They are written one after the other into a slab of memory, and whatever was written in one turn
 * of the event loop leaves in one write of the socket.
 */
export class Output {
  private slab: Buffer = EMPTY;
  /** What was not handed to the socket yet: from `start` to `end`. */
  private start = 0;
  private end = 0;
  /** What was handed to the socket, in bytes. */
  written = 0;
  private scheduled = false;
  private congested = false;
  private stuffed = false;
  /** What the next header block begins with. */
  private prefix: Buffer | undefined;
  private hasTable = true;

  /**
   * @param stallMs for how long a client that reads more slowly than is written to it may seem to read nothing, in milliseconds, before
   * the socket says "timeout", which it does within twice that. Systems tell only when about a megabyte was read.
   * @param onRoom the socket has sent all that it was given, after {@link isCongested}
   */
  constructor(
    private readonly socket: Socket,
    private readonly stallMs: number,
    private readonly onRoom: () => void,
  ) {
    socket.on("drain", () => {
      if (!this.congested) return;
      this.congested = this.stuffed = false;
      socket.setTimeout(0);
      this.onRoom();
      // What was waiting for room may have filled it again.
      if (!this.isStuffed) socket.resume();
    });
  }

  /** The client does not read as fast as is written to it. */
  get isCongested(): boolean {
    return this.congested;
  }

  /** Nothing more should be read from the client before it has read. */
  get isStuffed(): boolean {
    return this.stuffed;
  }

  /** Writes a frame, whose payload is at most {@link MAX_FRAME_BYTES}. */
  frame(type: number, flags: number, streamId: number, payload: Uint8Array, from = 0, to = payload.length): void {
    const at = this.header(to - from, type, flags, streamId);
    const { slab } = this;
    if (to - from < SMALL_BYTES) for (let i = from, j = at; i < to; i += 1, j += 1) slab[j] = payload[i] ?? 0;
    else slab.set(from === 0 && to === payload.length ? payload : payload.subarray(from, to), at);
  }

  /** Writes a header block as a HEADERS frame and as many CONTINUATIONs as it takes. */
  headers(streamId: number, flags: number, fields: Buffer): void {
    const block = this.prefix === undefined ? fields : Buffer.concat([this.prefix, fields]);
    this.prefix = undefined;
    if (block.length <= MAX_FRAME_BYTES) {
      this.frame(FrameType.HEADERS, flags | Flag.END_HEADERS, streamId, block);
      return;
    }
    for (let from = 0; from < block.length; from += MAX_FRAME_BYTES) {
      const to = Math.min(block.length, from + MAX_FRAME_BYTES);
      const type = from === 0 ? FrameType.HEADERS : FrameType.CONTINUATION;
      this.frame(
        type,
        (from === 0 ? flags : 0) | (to === block.length ? Flag.END_HEADERS : 0),
        streamId,
        block,
        from,
        to,
      );
    }
  }

  /** Header blocks here never use the table of the client; it has to be told so when it makes that smaller (RFC 9113 §4.3.1). */
  giveUpTable(): void {
    if (this.hasTable) this.prefix = NO_TABLE;
    this.hasTable = false;
  }

  /** Writes a frame of one 32-bit number. */
  number(type: number, streamId: number, value: number): void {
    const at = this.header(4, type, 0, streamId);
    this.slab.writeUInt32BE(value, at);
  }

  goAway(lastStreamId: number, code: number = ErrorCode.NO_ERROR): void {
    const at = this.header(8, FrameType.GOAWAY, 0, 0);
    this.slab.writeUInt32BE(lastStreamId, at);
    this.slab.writeUInt32BE(code, at + 4);
  }

  /** Hands everything to the socket. */
  flush(): void {
    const { socket, start, end } = this;
    if (start === end) return;
    this.start = end;
    if (socket.destroyed || socket.writableEnded) return;
    socket.write(this.slab.subarray(start, end));
    this.written += end - start;
    const { writableLength } = socket;
    if (writableLength === 0) this.release();
    if (writableLength >= CONGESTED_BYTES && !this.congested) {
      this.congested = true;
      socket.setTimeout(this.stallMs);
    }
    if (writableLength >= STUFFED_BYTES && !this.stuffed) {
      this.stuffed = true;
      socket.pause();
    }
  }

  /** Writes the header of a frame. @returns where its payload goes in the slab */
  private header(bytes: number, type: number, flags: number, streamId: number): number {
    const size = FRAME_HEADER_BYTES + bytes;
    if (this.end + size > this.slab.length) {
      this.flush();
      // The socket may still have parts of the one before.
      this.slab = spare.pop() ?? Buffer.allocUnsafeSlow(SLAB_BYTES);
      this.start = this.end = 0;
    }
    const { slab, end } = this;
    slab[end] = bytes >> 16;
    slab[end + 1] = bytes >> 8;
    slab[end + 2] = bytes;
    slab[end + 3] = type;
    slab[end + 4] = flags;
    slab.writeUInt32BE(streamId, end + 5);
    this.end = end + size;
    if (!this.scheduled) {
      this.scheduled = true;
      process.nextTick(flushScheduled, this);
    }
    return end + FRAME_HEADER_BYTES;
  }

  /** The system has taken everything: the slab may be written over. */
  private release(): void {
    if (spare.length < MAX_SPARE) spare.push(this.slab);
    this.slab = EMPTY;
    this.start = this.end = 0;
  }

  /** Called by {@link flushScheduled}. */
  flushTurn(): void {
    this.scheduled = false;
    this.flush();
  }
}

/** Shorter ones are copied faster byte by byte. */
const SMALL_BYTES = 24;

function flushScheduled(output: Output): void {
  output.flushTurn();
}
