/** A bare connection of our HTTP/2, and a client that sends it the frames it is told to. */
import { once } from "node:events";
import type { IncomingHttpHeaders } from "node:http2";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { afterEach, beforeEach, onTestFinished } from "vitest";
import { Connection } from "../../../src/transport/http2/connection.js";
import { encodeHeaders } from "../../../src/transport/http2/hpack/index.js";
import { Flag, FrameType, MAX_WINDOW_BYTES, PREFACE, Setting } from "../../../src/transport/http2/protocol.js";
import { encodeSettings } from "../../../src/transport/http2/settings.js";
import type { Stream } from "../../../src/transport/http2/stream.js";
import { frame } from "../../server/abuse/raw.js";

export const MAX_STREAMS = 3;
export const KEEPALIVE_MS = 500;

export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
  readonly payload: Buffer;
}

/** The server of a test. */
export const bare = {
  /** Answers each stream; the test says how. */
  serve: echo as (stream: Stream, headers: IncomingHttpHeaders, ended: boolean) => void,
  stallMs: 60_000,
  connections: [] as Connection[],
  sockets: [] as Socket[],
  port: 0,
};

/** Gives each test of a file a server of its own. */
export function useBareServer(): void {
  let server: Server;

  beforeEach(async () => {
    bare.connections = [];
    bare.sockets = [];
    bare.serve = echo;
    bare.stallMs = 60_000;
    server = createServer({ allowHalfOpen: true }, (socket) => {
      const connection = new Connection(socket, {
        maxConcurrentStreams: MAX_STREAMS,
        keepaliveIntervalMs: KEEPALIVE_MS,
        stallMs: bare.stallMs,
        onStream: (stream, headers, ended) => bare.serve(stream, headers, ended),
        onClose: () => undefined,
      });
      bare.connections.push(connection);
      bare.sockets.push(socket);
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    bare.port = (server.address() as AddressInfo).port;
  });

  afterEach(async () => {
    for (const connection of bare.connections) connection.close();
    server.close();
    await once(server, "close");
  });
}

/** Sends back what comes, and trailers. */
export function echo(stream: Stream): void {
  const chunks: Buffer[] = [];
  stream.on("data", (chunk) => chunks.push(Buffer.from(chunk)));
  stream.on("end", () => {
    stream.respond({ ":status": 200 }, { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers({ "x-bytes": String(Buffer.concat(chunks).length) }));
    stream.end(Buffer.concat(chunks));
  });
}

/** A client that has asked for an answer of so many bytes and could be sent all of it. */
export function reader(bytes: number): Client {
  bare.serve = (stream) => {
    stream.on("data", () => undefined);
    stream.respond({ ":status": 200 }, {});
    stream.end(Buffer.alloc(bytes));
  };
  const client = new Client([[Setting.INITIAL_WINDOW_SIZE, MAX_WINDOW_BYTES]]);
  return client.window(0, bytes).request(1);
}

/** A client that sends the frames it is told to. */
export class Client {
  private readonly frames: Frame[] = [];
  private readonly socket: Socket;
  private unread = Buffer.alloc(0);
  private wake: () => void = () => undefined;
  isClosed = false;

  constructor(settings: readonly (readonly [number, number])[] = []) {
    this.socket = connect({ port: bare.port, host: "127.0.0.1", noDelay: true });
    onTestFinished(() => void this.socket.destroy());
    this.socket.on("data", (chunk) => this.receive(chunk)).on("error", () => undefined);
    this.socket.on("close", () => {
      this.isClosed = true;
      this.wake();
    });
    this.send(PREFACE, frame(FrameType.SETTINGS, 0, 0, encodeSettings(settings)));
  }

  send(...frames: readonly Buffer[]): this {
    this.socket.write(Buffer.concat(frames));
    return this;
  }

  request(streamId: number, flags: number = Flag.END_STREAM, more: Record<string, string> = {}): this {
    const block = encodeHeaders({ ":method": "POST", ":scheme": "http", ":path": "/", ...more });
    return this.send(frame(FrameType.HEADERS, flags | Flag.END_HEADERS, streamId, block));
  }

  data(streamId: number, payload: Buffer | string, flags = 0): this {
    return this.send(frame(FrameType.DATA, flags, streamId, payload));
  }

  window(streamId: number, bytes: number): this {
    return this.send(frame(FrameType.WINDOW_UPDATE, 0, streamId, number(bytes)));
  }

  /** The next frame that `isWanted`; others before it are dropped. */
  async next(isWanted: (frame: Frame) => boolean): Promise<Frame> {
    for (;;) {
      for (let each = this.frames.shift(); each !== undefined; each = this.frames.shift()) {
        if (isWanted(each)) return each;
      }
      if (this.isClosed) throw new Error("the connection was closed");
      await new Promise<void>((resolve) => (this.wake = resolve));
    }
  }

  of(type: number, streamId = 0): Promise<Frame> {
    return this.next((each) => each.type === type && each.streamId === streamId);
  }

  /** The data of a stream up to its end, or to `bytes`. */
  async body(streamId: number, bytes = Infinity): Promise<Buffer> {
    const parts: Buffer[] = [];
    let length = 0;
    while (length < bytes) {
      const { type, flags, payload } = await this.next((each) => each.streamId === streamId);
      if (type === FrameType.DATA) parts.push(payload);
      length += type === FrameType.DATA ? payload.length : 0;
      if (type <= FrameType.HEADERS && (flags & Flag.END_STREAM) !== 0) break;
    }
    return Buffer.concat(parts);
  }

  /** The code with which the server ends the connection. */
  async ended(): Promise<number> {
    const { payload } = await this.of(FrameType.GOAWAY);
    while (!this.isClosed) await new Promise<void>((resolve) => (this.wake = resolve));
    return payload.readUInt32BE(4);
  }

  async resetCode(streamId: number): Promise<number> {
    return (await this.of(FrameType.RST_STREAM, streamId)).payload.readUInt32BE(0);
  }

  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }

  /** Reads something after each break of so many milliseconds, and says so. */
  takeBreaks(breaks: number, ms: number): void {
    if (breaks === 0) return;
    this.socket.pause();
    setTimeout(() => {
      this.window(0, 1);
      this.socket.resume();
      this.socket.once("data", () => this.takeBreaks(breaks - 1, ms));
    }, ms);
  }

  halfClose(): void {
    this.socket.end();
  }

  private receive(chunk: Buffer): void {
    this.unread = Buffer.concat([this.unread, chunk]);
    while (this.unread.length >= 9 && this.unread.length >= 9 + this.unread.readUIntBE(0, 3)) {
      const end = 9 + this.unread.readUIntBE(0, 3);
      this.frames.push({
        type: this.unread.readUInt8(3),
        flags: this.unread.readUInt8(4),
        streamId: this.unread.readUInt32BE(5),
        payload: this.unread.subarray(9, end),
      });
      this.unread = this.unread.subarray(end);
    }
    this.wake();
  }
}

export function number(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
