/** Our side of an HTTP/2 connection against bare frames: what comes, and how it ends. */
import type { IncomingHttpHeaders } from "node:http2";
import { connect } from "node:net";
import { describe, expect, it } from "vitest";
import { encodeHeaders } from "../../../src/transport/http2/hpack/index.js";
import { ErrorCode, Flag, FrameType, PREFACE } from "../../../src/transport/http2/protocol.js";
import type { Stream } from "../../../src/transport/http2/stream.js";
import { frame } from "../../server/abuse/raw.js";
import { bare, Client, echo, useBareServer } from "./bare.js";

useBareServer();

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
    bare.serve = (stream, headers) => {
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
    bare.serve = (stream, headers) => {
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
    ["a pseudo field that nobody knows", { ":method": "POST", ":scheme": "http", ":path": "/", ":protocol": "x" }],
    ["a path without a beginning", { ":method": "POST", ":scheme": "http", ":path": "a/b" }],
    ["a path with a space", { ":method": "POST", ":scheme": "http", ":path": "/a b" }],
    ["the path of OPTIONS", { ":method": "POST", ":scheme": "http", ":path": "*" }],
    ["a method with a space", { ":method": "GET /", ":scheme": "http", ":path": "/" }],
    ["a scheme that is none", { ":method": "POST", ":scheme": "ht tp", ":path": "/" }],
    ["a host with a path", { ":method": "POST", ":scheme": "http", ":path": "/", ":authority": "a/b" }],
    ["white space before a value", { ":method": "POST", ":scheme": "http", ":path": "/", "x-a": " 1" }],
    ["white space after a value", { ":method": "POST", ":scheme": "http", ":path": "/", "x-a": "1\t" }],
    [
      "two lengths",
      { ":method": "POST", ":scheme": "http", ":path": "/", "content-length": ["0", "0"] as unknown as string },
    ],
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

  it.each([
    ["a pseudo field", { ":path": "/" }, ErrorCode.PROTOCOL_ERROR],
    ["a name in upper case", { "X-Upper": "1" }, ErrorCode.PROTOCOL_ERROR],
    ["a field of HTTP/1.1", { connection: "close" }, ErrorCode.PROTOCOL_ERROR],
    ["more than may be", { "x-large": "a".repeat(16_360) }, ErrorCode.ENHANCE_YOUR_CALM],
  ])("whose trailers have %s is refused", async (_, trailers, code) => {
    const client = new Client().request(1, 0).data(1, "hello");
    client.send(frame(FrameType.HEADERS, 5, 1, encodeHeaders(trailers)));
    expect(await client.resetCode(1)).toBe(code);
    expect(await client.request(3).body(3)).toHaveLength(0);
  });

  it("has trailers once, and they end it", async () => {
    const trailers = encodeHeaders({ "x-last": "1" });
    const client = new Client().request(1, 0).send(frame(FrameType.HEADERS, Flag.END_HEADERS, 1, trailers));
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
    bare.serve = () => undefined;
    const client = new Client().request(1).data(1, "more");
    expect(await client.resetCode(1)).toBe(ErrorCode.STREAM_CLOSED);
  });
});

describe("the end", () => {
  it("is announced, what comes meanwhile is served, and the last stream takes the connection with it", async () => {
    let open: Stream | undefined;
    bare.serve = (stream) => {
      open ??= stream;
      if (stream !== open) echo(stream);
    };
    const client = new Client().request(1, 0);
    client.send(frame(FrameType.PING, 0, 0, "12345678"));
    await client.of(FrameType.PING);
    const [connection] = bare.connections;
    connection?.announceEnd();
    connection?.pings.ask(() => connection.leave());
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
      bare.serve = (stream) => {
        stream.on("aborted", () => aborted.push(stream.id));
        stream.on("close", () => {
          if (aborted.length === 3) resolve();
        });
        if (stream.id === 5) opened();
      };
    });
    const socket = connect(bare.port, "127.0.0.1");
    const block = encodeHeaders({ ":method": "POST", ":scheme": "http", ":path": "/" });
    const frames = [1, 3, 5].map((id) => frame(FrameType.HEADERS, Flag.END_HEADERS, id, block));
    socket.write(Buffer.concat([PREFACE, frame(FrameType.SETTINGS, 0, 0), ...frames]));
    await all;
    socket.destroy();
    await left;
    expect(new Set(aborted)).toEqual(new Set([1, 3, 5]));
  });
});
