/** Clients that want the server to work, or to hold, more than they do themselves. */
import { once } from "node:events";
import { describe, expect, it } from "vitest";
import { encodeHeaders } from "../../../src/transport/http2/hpack/index.js";
import { ErrorCode, Flag, FrameType, Setting } from "../../../src/transport/http2/protocol.js";
import { encodeSettings } from "../../../src/transport/http2/settings.js";
import type { Stream } from "../../../src/transport/http2/stream.js";
import { collectGarbage } from "../../helpers/garbage.js";
import { frame } from "../../server/abuse/raw.js";
import { bare, Client, useBareServer } from "./bare.js";

useBareServer();

const MIB = 1024 * 1024;
const REQUEST = { ":method": "POST", ":scheme": "http", ":path": "/" };
const LARGE_WINDOWS = [[Setting.INITIAL_WINDOW_SIZE, 0x7fff_ffff]] as const;

/** What is held by this process, client and server, in bytes. */
function held(): number {
  collectGarbage();
  collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

describe("without end", () => {
  it("settings", async () => {
    const client = new Client();
    for (let i = 0; i < 1_200; i += 1) {
      client.send(frame(FrameType.SETTINGS, 0, 0, encodeSettings([[Setting.INITIAL_WINDOW_SIZE, i % 2]])));
    }
    expect(await client.ended()).toBe(ErrorCode.ENHANCE_YOUR_CALM);
  });

  it("requests that are refused", async () => {
    bare.serve = () => undefined;
    const client = new Client();
    for (let i = 0; i < 12_000 && !client.isClosed; i += 1) client.request(2 * i + 1, 0);
    expect(await client.ended()).toBe(ErrorCode.ENHANCE_YOUR_CALM);
  });

  it("requests that are none", async () => {
    const client = new Client();
    for (let i = 0; i < 12_000 && !client.isClosed; i += 1) client.request(2 * i + 1, 1, { connection: "close" });
    expect(await client.ended()).toBe(ErrorCode.ENHANCE_YOUR_CALM);
  });

  it("continuations, be they empty", async () => {
    const client = new Client().send(frame(FrameType.HEADERS, 0, 1, encodeHeaders(REQUEST)));
    for (let i = 0; i < 2_000; i += 1) client.send(frame(FrameType.CONTINUATION, 0, 1));
    expect(await client.ended()).toBe(ErrorCode.ENHANCE_YOUR_CALM);
  });

  it("pings whose answers are not read: they are read no more", async () => {
    const client = new Client().request(1);
    await client.body(1);
    const [socket] = bare.sockets;
    if (socket === undefined) throw new Error("there is a connection");
    client.pause();
    const paused = once(socket, "pause");
    const pings = Buffer.concat(Array.from({ length: 1_000 }, () => frame(FrameType.PING, 0, 0, "12345678")));
    for (let i = 0; i < 2_000; i += 1) client.send(pings);
    await paused;
    expect(socket.writableLength).toBeLessThan(6 * MIB);
  });
});

describe("frames that bring little", () => {
  it("take no more memory than a window when nobody reads them", async () => {
    let paused: Stream | undefined;
    bare.serve = (stream) => {
      paused = stream.pause();
      stream.on("data", () => undefined);
    };
    const client = new Client().request(1, 0);
    const before = held();
    const crumbs = Buffer.concat(Array.from({ length: 1_000 }, () => frame(FrameType.DATA, 0, 1, "x")));
    for (let i = 0; i < 500; i += 1) {
      client.send(crumbs, frame(FrameType.PING, 0, 0, "12345678"));
      await client.of(FrameType.PING);
    }
    expect(held() - before).toBeLessThan(16 * MIB);
    expect(paused?.isPaused()).toBe(true);
  });

  it("and much with them: what is kept of a chunk is not the whole chunk", async () => {
    bare.serve = (stream) => void stream.pause();
    const client = new Client().request(1, 0);
    const before = held();
    // A kibibyte to keep in each chunk of 64.
    const rest = frame(0x99, 0, 0, Buffer.alloc(16_000));
    for (let i = 0; i < 500; i += 1) {
      client.data(1, Buffer.alloc(1_024)).send(rest, rest, rest, frame(FrameType.PING, 0, 0, "12345678"));
      await client.of(FrameType.PING);
    }
    expect(held() - before).toBeLessThan(8 * MIB);
  });

  it("and are padded: the window of what padded them is given back", async () => {
    const client = new Client().request(1, 0);
    const padding = frame(FrameType.DATA, Flag.PADDED, 1, Buffer.concat([Buffer.of(255), Buffer.alloc(255)]));
    const many = Buffer.concat(Array.from({ length: 1_000 }, () => padding));
    await client.of(FrameType.WINDOW_UPDATE);
    for (let i = 0; i < 8; i += 1) {
      client.send(many);
      if (i % 4 === 3) await client.of(FrameType.WINDOW_UPDATE, 1);
    }
    expect((await client.data(1, "data", Flag.END_STREAM).body(1)).toString()).toBe("data");
  });

  it("of headers that become large ones: the request is refused, and its block decoded", async () => {
    const entry = Buffer.concat([
      Buffer.of(0x40, 3),
      Buffer.from("x-a"),
      Buffer.of(0x7f, 0xa1, 0x1e),
      Buffer.alloc(4_000, 97),
    ]);
    const block = Buffer.concat([encodeHeaders(REQUEST), entry, Buffer.alloc(12_000, 0x80 | 62)]);
    const client = new Client();
    const before = held();
    for (let id = 1; id < 200; id += 2) {
      client.send(frame(FrameType.HEADERS, 5, id, block));
      expect(await client.resetCode(id)).toBe(ErrorCode.ENHANCE_YOUR_CALM);
    }
    expect(held() - before).toBeLessThan(8 * MIB);
    expect(await client.request(201).body(201)).toHaveLength(0);
  });
});

describe("windows", () => {
  it("of single bytes: everything comes, byte by byte", async () => {
    const client = new Client([[Setting.INITIAL_WINDOW_SIZE, 1]]).request(1, 0).data(1, "abcdef", Flag.END_STREAM);
    const pieces: string[] = [];
    for (let i = 0; i < 6; i += 1) {
      pieces.push((await client.of(FrameType.DATA, 1)).payload.toString());
      client.window(1, 1);
    }
    expect(pieces).toEqual(["a", "b", "c", "d", "e", "f"]);
  });

  it("of the connection are shared by turns", async () => {
    bare.serve = (stream) => {
      stream.respond({ ":status": 200 }, {});
      stream.end(Buffer.alloc(100_000, stream.id));
    };
    const client = new Client(LARGE_WINDOWS).request(1).request(3).request(5);
    await client.body(1, 65_535);
    const turns: number[] = [];
    for (let i = 0; i < 6; i += 1) {
      client.window(0, 10);
      turns.push((await client.next(({ type }) => type === FrameType.DATA)).streamId);
    }
    expect(turns).toEqual([1, 3, 5, 1, 3, 5]);
  });

  it("of a stream that has none do not stand in the way of those of the connection", async () => {
    bare.serve = (stream) => {
      stream.respond({ ":status": 200 }, {});
      stream.end(Buffer.alloc(20, stream.id));
    };
    const client = new Client([[Setting.INITIAL_WINDOW_SIZE, 0]]).request(1).request(3);
    for (let i = 0; i < 100; i += 1) client.window(0, 1);
    client.window(3, 100);
    expect(await client.body(3)).toHaveLength(20);
    client.send(frame(FrameType.SETTINGS, 0, 0, encodeSettings([[Setting.INITIAL_WINDOW_SIZE, 20]])));
    expect(await client.body(1)).toHaveLength(20);
  });

  it("beyond the largest by a setting are a fault", async () => {
    bare.serve = () => undefined;
    const client = new Client().request(1, 0).window(1, 0x7fff_ffff - 65_535);
    client.send(frame(FrameType.SETTINGS, 0, 0, encodeSettings([[Setting.INITIAL_WINDOW_SIZE, 65_536]])));
    expect(await client.ended()).toBe(ErrorCode.FLOW_CONTROL_ERROR);
  });
});

describe("a client that does not read", () => {
  /** Answers with so much that nothing more goes out. */
  function answerMuch(stream: Stream): void {
    stream.respond({ ":status": 200 }, {});
    stream.end(Buffer.alloc(16 * MIB));
  }

  it("and half-closes is let go", async () => {
    bare.serve = answerMuch;
    const client = new Client(LARGE_WINDOWS).window(0, 0x7fff_0000 - 65_535).request(1);
    await client.of(FrameType.HEADERS, 1);
    client.pause();
    client.halfClose();
    const [socket] = bare.sockets;
    if (socket === undefined) throw new Error("there is a connection");
    expect(socket.writableLength).toBeGreaterThan(0);
    await once(socket, "close");
  });

  it("and has no window gets no more kept for it than may be, however much it had asked for", async () => {
    const open: Stream[] = [];
    bare.serve = (stream) => void open.push(stream);
    const client = new Client([[Setting.INITIAL_WINDOW_SIZE, 0]]).request(1).request(3).request(5);
    client.send(frame(FrameType.PING, 0, 0, "12345678"));
    await client.of(FrameType.PING);
    const before = held();
    for (const stream of open) {
      stream.respond({ ":status": 200 }, {});
      for (let i = 0; i < 40; i += 1) stream.write(Buffer.alloc(MIB));
      stream.end();
    }
    expect(held() - before).toBeLessThan(70 * MIB);
    // The first was within the bounds, and the second not to its end.
    expect(open.map(({ rstCode }) => rstCode)).toEqual([0, ErrorCode.ENHANCE_YOUR_CALM, ErrorCode.ENHANCE_YOUR_CALM]);
    client.window(0, 0x7000_0000).window(1, 0x7000_0000);
    expect(await client.body(1)).toHaveLength(40 * MIB);
  });

  it("for a while, and again and again, gets what was said last", async () => {
    bare.serve = answerMuch;
    const client = new Client(LARGE_WINDOWS).window(0, 0x7fff_0000 - 65_535).request(1);
    await client.of(FrameType.HEADERS, 1);
    // The answer is on its way: with that the connection is over.
    bare.connections[0]?.leave();
    // Each less long than it may take nothing, and longer all together.
    client.takeBreaks(4, 400);
    let last: number;
    do last = (await client.of(FrameType.DATA, 1)).flags;
    while ((last & Flag.END_STREAM) === 0);
  });

  it("is not read from either when what waited for room has filled it again", async () => {
    let isReading: boolean | undefined;
    const begun = new Promise<void>((resolve) => {
      bare.serve = (stream) => {
        stream.respond({ ":status": 200 }, {});
        stream.on("drain", () => {
          if (isReading !== undefined) return;
          stream.end(Buffer.alloc(16 * MIB));
          process.nextTick(() => (isReading = bare.sockets[0]?.isPaused() === false));
        });
        while (stream.write(Buffer.alloc(64 * 1024)));
        resolve();
      };
    });
    const client = new Client(LARGE_WINDOWS).window(0, 0x7fff_0000 - 65_535);
    client.pause();
    client.request(1);
    await begun;
    client.resume();
    expect((await client.body(1)).length).toBeGreaterThan(16 * MIB);
    expect(isReading).toBe(false);
  });
});
