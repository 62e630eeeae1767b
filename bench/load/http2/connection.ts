/**
 * A gRPC client that costs next to nothing: frames are put together by hand, header blocks are a few bytes, and what comes back is
 * counted where it lies. So the server is what is measured, on a machine where both have one core.
 */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import {
  Flag,
  frame,
  FRAME_HEADER_BYTES,
  FrameType,
  INITIAL_WINDOW,
  MAX_WINDOW,
  PREFACE,
  Setting,
  settings,
  windowUpdate,
} from "./frames.js";
import { HeaderTable, type Field } from "./hpack.js";
import { envelope, Stream, type Answers } from "./stream.js";

/** The error code of a call that nobody wants any more. */
const CANCEL = 8;
const EMPTY = Buffer.alloc(0);
/** The receive window is opened again when this much of it was used, in bytes. */
const REOPEN_AFTER = 2 ** 29;

export interface Address {
  readonly host: string;
  readonly port: number;
}

interface Waiting {
  readonly stream: Stream;
  readonly bytes: Buffer;
  readonly flags: number;
}

export class Connection {
  private readonly table = new HeaderTable();
  private readonly blocks = new Map<string, { readonly block: Buffer; readonly tableSize: number }>();
  private readonly streams = new Map<number, Stream>();
  private nextId = 1;
  private rest: Buffer = EMPTY;
  private out: Buffer[] = [];
  private flushing = false;
  private sendWindow = INITIAL_WINDOW;
  private initialSendWindow = INITIAL_WINDOW;
  private received = 0;
  private readonly pings: (() => void)[] = [];
  private closed = false;
  /** Data that found no window. */
  private readonly waiting: Waiting[] = [];

  private constructor(
    private readonly socket: Socket,
    private readonly common: readonly Field[],
  ) {
    socket.setNoDelay();
    socket.on("data", this.onData);
    this.send(PREFACE);
    this.send(settings([Setting.ENABLE_PUSH, 0], [Setting.INITIAL_WINDOW_SIZE, MAX_WINDOW]));
    this.send(windowUpdate(0, MAX_WINDOW - INITIAL_WINDOW));
  }

  /**
   * @param headers of every call, beside those that gRPC demands
   * @param onFailure the connection broke
   */
  static async open(
    { host, port }: Address,
    headers: readonly Field[],
    onFailure: (error: Error) => void,
  ): Promise<Connection> {
    const socket = connect(port, host);
    await once(socket, "connect");
    const connection = new Connection(socket, [
      [":method", "POST"],
      [":scheme", "http"],
      [":authority", `${host}:${port}`],
      ["content-type", "application/grpc"],
      ["te", "trailers"],
      ...headers,
    ]);
    socket.on("error", onFailure);
    socket.on("close", () => {
      if (!connection.closed) onFailure(new Error("the server closed the connection"));
    });
    return connection;
  }

  /**
   * Begins a call.
   *
   * @param end whether `message` is the only one
   */
  call(path: string, message: Uint8Array, end: boolean, answers: Answers): Stream {
    const stream = new Stream(this.nextId, answers, this.initialSendWindow);
    this.nextId += 2;
    this.streams.set(stream.id, stream);
    this.send(frame(FrameType.HEADERS, Flag.END_HEADERS, stream.id, this.headers(path)));
    this.data(stream, message, end ? Flag.END_STREAM : 0);
    return stream;
  }

  /** Sends another message of a call. */
  write(stream: Stream, message: Uint8Array): void {
    this.data(stream, message, 0);
  }

  /** Says that a call has no more messages. */
  end(stream: Stream): void {
    this.send(frame(FrameType.DATA, Flag.END_STREAM, stream.id, EMPTY));
  }

  /** Gives a call up. */
  cancel(stream: Stream): void {
    this.streams.delete(stream.id);
    const payload = Buffer.alloc(4);
    payload.writeUInt32BE(CANCEL);
    this.send(frame(FrameType.RST_STREAM, 0, stream.id, payload));
  }

  /** Answers when the server has seen everything that was sent before. */
  ping(): Promise<void> {
    this.send(frame(FrameType.PING, 0, 0, Buffer.alloc(8)));
    return new Promise((resolve) => this.pings.push(resolve));
  }

  close(): void {
    this.closed = true;
    this.socket.destroy();
  }

  private headers(path: string): Buffer {
    const known = this.blocks.get(path);
    // A block is good for as long as nothing was added to the table, which moves every entry.
    if (known?.tableSize === this.table.size) return known.block;
    const fields = [...this.common, [":path", path] as const].sort(pseudoFirst);
    const block = this.table.encode(fields);
    // One that added to the table means something else the second time.
    this.blocks.set(path, { block: this.table.encode(fields), tableSize: this.table.size });
    return block;
  }

  private data(stream: Stream, message: Uint8Array, flags: number): void {
    this.waiting.push({ stream, bytes: envelope(message), flags });
    this.sendWaiting();
  }

  private sendWaiting(): void {
    for (let next = this.waiting[0]; next !== undefined; next = this.waiting[0]) {
      const { stream, bytes, flags } = next;
      if (bytes.length > this.sendWindow || bytes.length > stream.sendWindow) return;
      this.waiting.shift();
      this.sendWindow -= bytes.length;
      stream.sendWindow -= bytes.length;
      this.send(frame(FrameType.DATA, flags, stream.id, bytes));
    }
  }

  private send(bytes: Buffer): void {
    this.out.push(bytes);
    if (this.flushing) return;
    this.flushing = true;
    process.nextTick(this.flush);
  }

  private readonly flush = (): void => {
    this.flushing = false;
    const { out } = this;
    this.out = [];
    if (!this.closed) this.socket.write(Buffer.concat(out));
  };

  private readonly onData = (chunk: Buffer): void => {
    const bytes = this.rest.length === 0 ? chunk : Buffer.concat([this.rest, chunk]);
    let at = 0;
    while (bytes.length - at >= FRAME_HEADER_BYTES) {
      const start = at + FRAME_HEADER_BYTES;
      const end = start + bytes.readUIntBE(at, 3);
      if (end > bytes.length) break;
      this.onFrame(bytes[at + 3] ?? 0, bytes[at + 4] ?? 0, bytes.readUInt32BE(at + 5), bytes, start, end);
      at = end;
    }
    this.rest = at === bytes.length ? EMPTY : bytes.subarray(at);
    this.reopen();
  };

  private onFrame(type: number, flags: number, id: number, bytes: Buffer, start: number, end: number): void {
    switch (type) {
      case FrameType.DATA:
        if ((flags & Flag.PADDED) !== 0) throw new Error("the server pads its data");
        this.received += end - start;
        this.streams.get(id)?.data(bytes, start, end);
        if ((flags & Flag.END_STREAM) !== 0) this.over(id);
        break;
      case FrameType.HEADERS:
        if ((flags & Flag.END_STREAM) !== 0) this.over(id);
        break;
      case FrameType.RST_STREAM:
        this.over(id);
        break;
      case FrameType.SETTINGS:
        if ((flags & Flag.ACK) === 0) this.onSettings(bytes, start, end);
        break;
      case FrameType.PING:
        if ((flags & Flag.ACK) !== 0) this.pings.shift()?.();
        else {
          this.send(frame(FrameType.PING, Flag.ACK, 0, Buffer.from(bytes.subarray(start, end))));
        }
        break;
      case FrameType.WINDOW_UPDATE:
        this.onWindowUpdate(id, bytes.readUInt32BE(start));
        break;
    }
  }

  private over(id: number): void {
    const stream = this.streams.get(id);
    this.streams.delete(id);
    stream?.ended();
  }

  private onSettings(bytes: Buffer, start: number, end: number): void {
    for (let at = start; at < end; at += 6) {
      if (bytes.readUInt16BE(at) !== Setting.INITIAL_WINDOW_SIZE) continue;
      const size = bytes.readUInt32BE(at + 2);
      for (const stream of this.streams.values()) stream.sendWindow += size - this.initialSendWindow;
      this.initialSendWindow = size;
    }
    this.send(frame(FrameType.SETTINGS, Flag.ACK, 0, EMPTY));
    this.sendWaiting();
  }

  private onWindowUpdate(id: number, bytes: number): void {
    if (id === 0) this.sendWindow += bytes;
    else {
      const stream = this.streams.get(id);
      if (stream !== undefined) stream.sendWindow += bytes;
    }
    this.sendWaiting();
  }

  /** Streams have a window that no run uses up; the connection's is opened again. */
  private reopen(): void {
    if (this.received < REOPEN_AFTER) return;
    this.send(windowUpdate(0, this.received));
    this.received = 0;
  }
}

/** Pseudo headers come before all others (RFC 9113 §8.3). */
function pseudoFirst([a]: Field, [b]: Field): number {
  return Number(b.startsWith(":")) - Number(a.startsWith(":"));
}
