/** Our side of an HTTP/2 connection against bare frames. */
import { once } from "node:events";
import type { IncomingHttpHeaders } from "node:http2";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { Connection } from "../../../src/transport/http2/connection.js";
import { encodeHeaders } from "../../../src/transport/http2/hpack/index.js";
import { ErrorCode, Flag, FrameType, PREFACE, Setting } from "../../../src/transport/http2/protocol.js";
import { encodeSettings } from "../../../src/transport/http2/settings.js";
import type { Stream } from "../../../src/transport/http2/stream.js";
import { frame } from "../../server/abuse/raw.js";

interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
  readonly payload: Buffer;
}

/** Answers each stream; the test says how. */
let serve: (stream: Stream, headers: IncomingHttpHeaders, ended: boolean) => void;
let connections: Connection[];
let sockets: Socket[];
let server: Server;

beforeEach(async () => {
  connections = [];
  sockets = [];
  serve = echo;
  server = createServer((socket) => {
    const connection = new Connection(socket, {
      maxConcurrentStreams: 3,
      onStream: (stream, headers, ended) => serve(stream, headers, ended),
      onClose: () => undefined,
    });
    connections.push(connection);
    sockets.push(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
});

afterEach(async () => {
  for (const connection of connections) connection.close();
  server.close();
  await once(server, "close");
});

const port = (): number => (server.address() as AddressInfo).port;

/** Sends back what comes, and trailers. */
function echo(stream: Stream): void {
  const chunks: Buffer[] = [];
  stream.on("data", (chunk) => chunks.push(Buffer.from(chunk)));
  stream.on("end", () => {
    stream.respond({ ":status": 200 }, { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers({ "x-bytes": String(Buffer.concat(chunks).length) }));
    stream.end(Buffer.concat(chunks));
  });
}

/** A client that sends the frames it is told to. */
class Client {
  private readonly frames: Frame[] = [];
  private readonly socket: Socket;
  private unread = Buffer.alloc(0);
  private wake: () => void = () => undefined;
  isClosed = false;

  constructor(settings: readonly (readonly [number, number])[] = []) {
    this.socket = connect(port(), "127.0.0.1");
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

function number(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

describe("a request", () => {
  it("is answered with headers, data and trailers", async () => {
    const client = new Client().request(1, 0).data(1, "hello", Flag.END_STREAM);
    expect((await client.of(FrameType.HEADERS, 1)).flags).toBe(Flag.END_HEADERS);
    expect((await client.of(FrameType.DATA, 1)).payload.toString()).toBe("hello");
    expect((await client.of(FrameType.HEADERS, 1)).flags).toBe(Flag.END_HEADERS | Flag.END_STREAM);
  });

  it("may come byte by byte", async () => {
    const block = encodeHeaders({ ":method": "POST", ":scheme": "http", ":path": "/" });
    const client = new Client();
    const bytes = Buffer.concat([frame(1, Flag.END_HEADERS, 1, block), frame(0, 0, 1, "he"), frame(0, 1, 1, "llo")]);
    for (const byte of bytes) client.send(Buffer.from([byte]));
    expect((await client.body(1)).toString()).toBe("hello");
  });

  it("may have padded frames, a priority, continuations and trailers", async () => {
    const block = encodeHeaders({ ":method": "POST", ":scheme": "http", ":path": "/", "x-long": "a".repeat(2000) });
    const [first, second, third] = [block.subarray(0, 3), block.subarray(3, 100), block.subarray(100)];
    const padded = Buffer.concat([Buffer.from([7]), Buffer.alloc(5), first, Buffer.alloc(7)]);
    const client = new Client();
    let seen: IncomingHttpHeaders = {};
    serve = (stream, headers) => {
      seen = headers;
      echo(stream);
    };
    client.send(
      frame(FrameType.HEADERS, Flag.PADDED | Flag.PRIORITY, 1, padded),
      frame(FrameType.CONTINUATION, 0, 1, second),
      frame(FrameType.CONTINUATION, Flag.END_HEADERS, 1, third),
      frame(FrameType.DATA, Flag.PADDED, 1, Buffer.concat([Buffer.from([3]), Buffer.from("hello"), Buffer.alloc(3)])),
      frame(FrameType.HEADERS, Flag.END_HEADERS | Flag.END_STREAM, 1, encodeHeaders({ "x-last": "1" })),
    );
    expect((await client.body(1)).toString()).toBe("hello");
    expect(seen["x-long"]).toHaveLength(2000);
  });

  it("has its repeated fields joined as Node joins them", async () => {
    let seen: IncomingHttpHeaders = {};
    serve = (stream, headers) => {
      seen = headers;
      echo(stream);
    };
    const block = encodeHeaders({
      ...{ ":method": "POST", ":scheme": "http", ":path": "/" },
      ...{ "x-a": ["1", "2"], cookie: ["a=1", "b=2"], age: ["1", "2"] as unknown as string, "set-cookie": ["a", "b"] },
      ...{ ["__proto__"]: "own", constructor: "own" },
    });
    await new Client().send(frame(FrameType.HEADERS, 5, 1, block)).body(1);
    expect(seen).toMatchObject({ "x-a": "1, 2", cookie: "a=1; b=2", age: "1", "set-cookie": ["a", "b"] });
    expect(Object.keys(seen)).toContain("constructor");
    expect(Object.keys(seen)).toContain("__proto__");
    expect("toString" in seen).toBe(false);
  });

  it.each([
    ["no method", { ":scheme": "http", ":path": "/" }],
    ["no path", { ":method": "POST", ":scheme": "http" }],
    ["an empty path", { ":method": "POST", ":scheme": "http", ":path": "" }],
    ["a name in upper case", { ":method": "POST", ":scheme": "http", ":path": "/", "X-Upper": "1" }],
    ["a value with a line break", { ":method": "POST", ":scheme": "http", ":path": "/", "x-a": "1\r\nx-b: 2" }],
    ["a field of HTTP/1.1", { ":method": "POST", ":scheme": "http", ":path": "/", connection: "close" }],
    ["another te than trailers", { ":method": "POST", ":scheme": "http", ":path": "/", te: "gzip" }],
    ["a pseudo field of an answer", { ":method": "POST", ":scheme": "http", ":path": "/", ":status": "200" }],
    ["a pseudo field twice", { ":method": "POST", ":scheme": "http", ":path": ["/", "/"] }],
    ["a length that is none", { ":method": "POST", ":scheme": "http", ":path": "/", "content-length": "x" }],
  ])("with %s is refused, and the next one answered", async (_, headers) => {
    const client = new Client().send(frame(FrameType.HEADERS, 5, 1, encodeHeaders(headers)));
    expect(await client.resetCode(1)).toBe(ErrorCode.PROTOCOL_ERROR);
    expect(await client.request(3).body(3)).toHaveLength(0);
  });

  it("with a pseudo field after others is refused", async () => {
    const parts = [{ ":method": "POST", ":scheme": "http" }, { "x-a": "1" }, { ":path": "/" }].map(encodeHeaders);
    const client = new Client().send(frame(FrameType.HEADERS, 5, 1, Buffer.concat(parts)));
    expect(await client.resetCode(1)).toBe(ErrorCode.PROTOCOL_ERROR);
  });

  it.each([
    ["longer", "hello!"],
    ["shorter", "hell"],
  ])("that is %s than announced is refused", async (_, text) => {
    const client = new Client().request(1, 0, { "content-length": "5" }).data(1, text, Flag.END_STREAM);
    expect(await client.resetCode(1)).toBe(ErrorCode.PROTOCOL_ERROR);
  });

  it("with more headers than may be is refused", async () => {
    const client = new Client().request(1, Flag.END_STREAM, { "x-large": "a".repeat(16_300) });
    expect(await client.resetCode(1)).toBe(ErrorCode.ENHANCE_YOUR_CALM);
    const many = Object.fromEntries(Array.from({ length: 130 }, (__, i) => [`x-${i}`, "1"]));
    expect(await client.request(3, Flag.END_STREAM, many).resetCode(3)).toBe(ErrorCode.ENHANCE_YOUR_CALM);
  });

  it("beyond as many as are allowed at once is refused, until one ends", async () => {
    const client = new Client().request(1, 0).request(3, 0).request(5, 0).request(7, 0);
    expect(await client.resetCode(7)).toBe(ErrorCode.REFUSED_STREAM);
    await client.data(1, "", Flag.END_STREAM).body(1);
    expect(await client.request(9).body(9)).toHaveLength(0);
  });

  it("that sends on after its end is reset", async () => {
    serve = () => undefined;
    const client = new Client().request(1).data(1, "more");
    expect(await client.resetCode(1)).toBe(ErrorCode.STREAM_CLOSED);
  });
});

describe("the window of the client", () => {
  it("is kept for each stream, and grows with updates and settings", async () => {
    const client = new Client([[Setting.INITIAL_WINDOW_SIZE, 10]]);
    client.request(1, 0).data(1, "0123456789abcdefghijklmnopqrstuvwxyz", Flag.END_STREAM);
    expect((await client.body(1, 10)).toString()).toBe("0123456789");
    client.window(1, 6);
    expect((await client.body(1, 6)).toString()).toBe("abcdef");
    client.send(frame(FrameType.SETTINGS, 0, 0, encodeSettings([[Setting.INITIAL_WINDOW_SIZE, 15]])));
    expect((await client.body(1, 5)).toString()).toBe("ghijk");
    // Less than is in use already: what is sent next must be earned first.
    client.send(frame(FrameType.SETTINGS, 0, 0, encodeSettings([[Setting.INITIAL_WINDOW_SIZE, 0]])));
    client.window(1, 15).window(1, 3);
    expect((await client.body(1, 3)).toString()).toBe("lmn");
    client.window(1, 1000);
    expect((await client.body(1)).toString()).toBe("opqrstuvwxyz");
  });

  it("is kept for all streams together, and shared by them", async () => {
    const client = new Client([[Setting.INITIAL_WINDOW_SIZE, 1_000_000]]);
    serve = (stream) => {
      stream.respond({ ":status": 200 }, {});
      stream.end(Buffer.alloc(60_000, stream.id));
    };
    client.request(1).request(3);
    expect(await client.body(1)).toHaveLength(60_000);
    expect(await client.body(3, 5_535)).toHaveLength(5_535);
    client.window(0, 100_000);
    expect(await client.body(3)).toHaveLength(60_000 - 5_535);
  });

  it("holds a writer back, and lets it go on", async () => {
    const client = new Client([[Setting.INITIAL_WINDOW_SIZE, 0]]);
    let writes = 0;
    serve = (stream) => {
      stream.respond({ ":status": 200 }, {});
      const write = (): void => {
        while (writes < 100) {
          writes += 1;
          if (!stream.write(Buffer.alloc(1000))) return;
        }
        stream.end();
      };
      stream.on("drain", write);
      write();
    };
    client.request(1);
    await client.of(FrameType.HEADERS, 1);
    expect(writes).toBeLessThan(20);
    client.window(1, 1_000_000).window(0, 1_000_000);
    expect(await client.body(1)).toHaveLength(100_000);
  });

  it("frees what was waiting for it when the stream is reset", async () => {
    const client = new Client([[Setting.INITIAL_WINDOW_SIZE, 0]]);
    let aborted = 0;
    serve = (stream) => {
      stream.on("aborted", () => (aborted = stream.rstCode));
      stream.respond({ ":status": 200 }, {});
      stream.write(Buffer.alloc(1000));
      if (stream.id === 3) stream.end();
    };
    client.request(1).send(frame(FrameType.RST_STREAM, 0, 1, number(ErrorCode.CANCEL)));
    client.request(3).window(0, 10).window(3, 1000);
    expect(await client.body(3)).toHaveLength(1000);
    expect(aborted).toBe(ErrorCode.CANCEL);
  });
});

describe("our own window", () => {
  it("is given back as it is read, on the stream and on the connection", async () => {
    const client = new Client().request(1, 0);
    await client.of(FrameType.WINDOW_UPDATE);
    const chunk = Buffer.alloc(16_000);
    for (let i = 0; i < 40; i += 1) client.data(1, chunk);
    const [onStream, onConnection] = await Promise.all([
      new Promise<Frame>((resolve) => void client.next(({ type }) => type === FrameType.WINDOW_UPDATE).then(resolve)),
      Promise.resolve(),
    ]);
    expect(onConnection).toBeUndefined();
    expect(onStream.payload.readUInt32BE(0)).toBeGreaterThanOrEqual(512 * 1024);
  });

  it("is not given back while nothing is read; more than it is a fault of the connection", async () => {
    serve = (stream) => void stream.pause();
    const client = new Client().request(1, 0);
    for (let i = 0; i < 66; i += 1) client.data(1, Buffer.alloc(16_000));
    expect(await client.ended()).toBe(ErrorCode.FLOW_CONTROL_ERROR);
  });

  it("of a paused stream is read later, in order, and its end too", async () => {
    let paused: Stream | undefined;
    serve = (stream) => {
      paused = stream.pause();
      echo(stream);
    };
    const client = new Client().request(1, 0).data(1, "a").data(1, "b").data(1, "c", Flag.END_STREAM);
    client.send(frame(FrameType.PING, 0, 0, "12345678"));
    await client.of(FrameType.PING);
    paused?.resume();
    expect((await client.body(1)).toString()).toBe("abc");
  });

  it("of streams that are over is given back", async () => {
    serve = (stream) => stream.close(ErrorCode.CANCEL);
    const client = new Client().request(1, 0);
    await client.resetCode(1);
    for (let i = 0; i < 100; i += 1) {
      client.data(1, Buffer.alloc(16_000));
      if (i % 33 === 32) await client.of(FrameType.WINDOW_UPDATE);
    }
    serve = echo;
    expect(await client.request(3).body(3)).toHaveLength(0);
  });
});

describe("the end", () => {
  it("is announced, what comes meanwhile is served, and the last stream takes the connection with it", async () => {
    let open: Stream | undefined;
    serve = (stream) => {
      open ??= stream;
      if (stream !== open) echo(stream);
    };
    const client = new Client().request(1, 0);
    client.send(frame(FrameType.PING, 0, 0, "12345678"));
    await client.of(FrameType.PING);
    const [connection] = connections;
    connection?.announceEnd();
    connection?.ping(() => connection.leave());
    expect((await client.of(FrameType.GOAWAY)).payload.readUInt32BE(0)).toBe(0x7fff_ffff);
    client.request(3);
    const { payload } = await client.of(FrameType.PING);
    client.send(frame(FrameType.PING, Flag.ACK, 0, payload));
    const { payload: last } = await client.of(FrameType.GOAWAY);
    expect([last.readUInt32BE(0), last.readUInt32BE(4)]).toEqual([3, ErrorCode.NO_ERROR]);
    open?.respond({ ":status": 204 }, { endStream: true });
    open?.close(ErrorCode.NO_ERROR);
    await expect(client.of(FrameType.SETTINGS)).rejects.toThrow("closed");
  });

  it("tells every stream when the client leaves", async () => {
    const aborted: number[] = [];
    let opened: () => void = () => undefined;
    const all = new Promise<void>((resolve) => (opened = resolve));
    const left = new Promise<void>((resolve) => {
      serve = (stream) => {
        stream.on("aborted", () => aborted.push(stream.id));
        stream.on("close", () => {
          if (aborted.length === 3) resolve();
        });
        if (stream.id === 5) opened();
      };
    });
    const socket = connect(port(), "127.0.0.1");
    const block = encodeHeaders({ ":method": "POST", ":scheme": "http", ":path": "/" });
    const frames = [1, 3, 5].map((id) => frame(FrameType.HEADERS, Flag.END_HEADERS, id, block));
    socket.write(Buffer.concat([PREFACE, frame(FrameType.SETTINGS, 0, 0), ...frames]));
    await all;
    socket.destroy();
    await left;
    expect(new Set(aborted)).toEqual(new Set([1, 3, 5]));
  });
});

describe("faults", () => {
  it.each([
    ["a frame before the settings", frame(FrameType.PING, 0, 0, "12345678"), ErrorCode.PROTOCOL_ERROR],
    ["settings that are an answer", frame(FrameType.SETTINGS, Flag.ACK, 0), ErrorCode.PROTOCOL_ERROR],
    ["half a setting", frame(FrameType.SETTINGS, 0, 0, "12345"), ErrorCode.FRAME_SIZE_ERROR],
    ["settings of a stream", frame(FrameType.SETTINGS, 0, 1), ErrorCode.PROTOCOL_ERROR],
    [
      "a window beyond the largest",
      frame(FrameType.SETTINGS, 0, 0, encodeSettings([[Setting.INITIAL_WINDOW_SIZE, 0x8000_0000]])),
      ErrorCode.FLOW_CONTROL_ERROR,
    ],
    [
      "a frame size that may not be",
      frame(FrameType.SETTINGS, 0, 0, encodeSettings([[Setting.MAX_FRAME_SIZE, 100]])),
      ErrorCode.PROTOCOL_ERROR,
    ],
    [
      "a push that is neither on nor off",
      frame(FrameType.SETTINGS, 0, 0, encodeSettings([[Setting.ENABLE_PUSH, 2]])),
      ErrorCode.PROTOCOL_ERROR,
    ],
  ])("at the beginning: %s", async (_, first, code) => {
    const client = new Client();
    // What the constructor has sent comes first; this client leaves it out.
    const socket = connect(port(), "127.0.0.1");
    onTestFinished(() => void socket.destroy());
    const chunks: Buffer[] = [];
    socket.on("data", (chunk) => chunks.push(chunk)).on("error", () => undefined);
    socket.write(Buffer.concat([PREFACE, first]));
    await once(socket, "close");
    const said = Buffer.concat(chunks);
    expect(said.readUInt32BE(said.length - 4)).toBe(code);
    expect(await client.request(1).body(1)).toHaveLength(0);
  });

  it.each([
    ["data of stream 0", frame(FrameType.DATA, 0, 0, "x"), ErrorCode.PROTOCOL_ERROR],
    ["more padding than data", frame(FrameType.DATA, Flag.PADDED, 1, Buffer.from([5, 0])), ErrorCode.PROTOCOL_ERROR],
    ["no padding", frame(FrameType.DATA, Flag.PADDED, 1), ErrorCode.FRAME_SIZE_ERROR],
    ["half a priority in headers", frame(FrameType.HEADERS, Flag.PRIORITY | 4, 3, "123"), ErrorCode.FRAME_SIZE_ERROR],
    ["another frame in a header block", frame(FrameType.HEADERS, 0, 3), ErrorCode.PROTOCOL_ERROR],
    [
      "a reset of a stream that was not opened",
      frame(FrameType.RST_STREAM, 0, 99, number(8)),
      ErrorCode.PROTOCOL_ERROR,
    ],
    ["half a reset", frame(FrameType.RST_STREAM, 0, 1, "12"), ErrorCode.FRAME_SIZE_ERROR],
    [
      "a window of a stream that was not opened",
      frame(FrameType.WINDOW_UPDATE, 0, 99, number(8)),
      ErrorCode.PROTOCOL_ERROR,
    ],
    ["half a window", frame(FrameType.WINDOW_UPDATE, 0, 0, "12"), ErrorCode.FRAME_SIZE_ERROR],
    ["a window of nothing", frame(FrameType.WINDOW_UPDATE, 0, 0, number(0)), ErrorCode.PROTOCOL_ERROR],
    ["too large a window", frame(FrameType.WINDOW_UPDATE, 0, 0, number(0x7fff_ffff)), ErrorCode.FLOW_CONTROL_ERROR],
    ["a ping of a stream", frame(FrameType.PING, 0, 1, "12345678"), ErrorCode.PROTOCOL_ERROR],
    ["a priority of no stream", frame(FrameType.PRIORITY, 0, 0, "12345"), ErrorCode.PROTOCOL_ERROR],
    ["an end of a stream", frame(FrameType.GOAWAY, 0, 1, "12345678"), ErrorCode.PROTOCOL_ERROR],
    ["half an end", frame(FrameType.GOAWAY, 0, 0, "1234"), ErrorCode.FRAME_SIZE_ERROR],
    [
      "a header block that is none",
      frame(FrameType.HEADERS, 4, 3, Buffer.alloc(20, 0xff)),
      ErrorCode.COMPRESSION_ERROR,
    ],
  ])("%s", async (_, wrong, code) => {
    serve = () => undefined;
    const client = new Client().request(1, 0).send(wrong, frame(FrameType.PING, 0, 0, "12345678"));
    expect(await client.ended()).toBe(code);
  });

  it("of one stream leave the others alone", async () => {
    const client = new Client().request(1, 0).request(3, 0);
    client.window(1, 0);
    expect(await client.resetCode(1)).toBe(ErrorCode.PROTOCOL_ERROR);
    client.send(frame(FrameType.PRIORITY, 0, 3, "123"));
    expect(await client.resetCode(3)).toBe(ErrorCode.FRAME_SIZE_ERROR);
    client.request(5, 0).window(5, 0x7fff_ffff);
    expect(await client.resetCode(5)).toBe(ErrorCode.FLOW_CONTROL_ERROR);
    expect(await client.request(7).body(7)).toHaveLength(0);
  });

  it("a frame of a type that nobody knows is passed over", async () => {
    expect(
      await new Client()
        .send(frame(0x99, 0xff, 5, "whatever"))
        .request(1)
        .body(1),
    ).toHaveLength(0);
  });

  it("streams that are opened and reset without end are one", async () => {
    serve = () => undefined;
    const client = new Client();
    for (let i = 0; i < 12_000 && !client.isClosed; i += 1) {
      client.request(2 * i + 1, 0).send(frame(FrameType.RST_STREAM, 0, 2 * i + 1, number(ErrorCode.CANCEL)));
    }
    expect(await client.ended()).toBe(ErrorCode.ENHANCE_YOUR_CALM);
  });
});

describe("streams that are reset because of what their client does", () => {
  it("without end are a fault too", async () => {
    serve = () => undefined;
    const client = new Client();
    for (let i = 0; i < 12_000 && !client.isClosed; i += 1) client.request(2 * i + 1, 0).window(2 * i + 1, 0);
    expect(await client.ended()).toBe(ErrorCode.ENHANCE_YOUR_CALM);
  });
});

describe("a client that does not read", () => {
  it("is read from no more when its answers pile up, and all of them come when it reads again", async () => {
    let most = 0;
    serve = (stream) => {
      stream.respond({ ":status": 200 }, {});
      stream.end(Buffer.alloc(16_000));
      most = Math.max(most, sockets[0]?.writableLength ?? 0);
    };
    const client = new Client([[Setting.INITIAL_WINDOW_SIZE, 1_000_000]]).window(0, 0x7fff_0000 - 65_535);
    await client.request(1).body(1);
    client.pause();
    const [socket] = sockets;
    if (socket === undefined) throw new Error("there is a connection");
    const paused = once(socket, "pause");
    const requests = 2000;
    for (let i = 1; i <= requests; i += 1) client.request(2 * i + 1);
    await paused;
    client.resume();
    for (let i = 1; i <= requests; i += 1) expect(await client.body(2 * i + 1)).toHaveLength(16_000);
    expect(most).toBeLessThan(6 * 1024 * 1024);
  });
});
