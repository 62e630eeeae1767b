/** The windows of both sides, and clients that do not use them. */
import { once } from "node:events";
import { describe, expect, it } from "vitest";
import { ErrorCode, Flag, FrameType, Setting } from "../../../src/transport/http2/protocol.js";
import { encodeSettings } from "../../../src/transport/http2/settings.js";
import type { Stream } from "../../../src/transport/http2/stream.js";
import { frame } from "../../server/abuse/raw.js";
import { bare, Client, echo, number, type Frame, useBareServer } from "./bare.js";

useBareServer();

describe("the window of the server", () => {
  it("is not taken up by data beyond what was announced", async () => {
    const client = new Client();
    for (let id = 1; id < 2 * 70; id += 2) {
      client.request(id, 0, { "content-length": "1" }).data(id, Buffer.alloc(16_384));
      expect(await client.resetCode(id)).toBe(ErrorCode.PROTOCOL_ERROR);
    }
    client.request(201, 0).data(201, Buffer.alloc(16_384)).data(201, "", Flag.END_STREAM);
    expect(await client.body(201)).toHaveLength(16_384);
  });
});

describe("a request that goes on", () => {
  it("keeps nothing in memory of what came with its pieces", async () => {
    const kept: Buffer[] = [];
    bare.serve = (stream) => {
      stream.isTimed = true;
      stream
        .on("data", (chunk) => kept.push(chunk))
        .on("end", () => stream.respond({ ":status": 204 }, { endStream: true }));
    };
    const unknown = frame(0x99, 0, 0, Buffer.alloc(16_000));
    const client = new Client();
    const piece = frame(FrameType.DATA, 0, 1, "short");
    client
      .request(1, 0)
      .send(Buffer.concat([piece, unknown, unknown, piece, unknown]))
      .data(1, "", Flag.END_STREAM);
    await client.of(FrameType.HEADERS, 1);
    expect(Buffer.concat(kept).toString()).toBe("shortshort");
    expect(Math.max(...kept.map(({ buffer }) => buffer.byteLength))).toBeLessThan(100);
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
    bare.serve = (stream) => {
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
    bare.serve = (stream) => {
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
    bare.serve = (stream) => {
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
    bare.serve = (stream) => void stream.pause();
    const client = new Client().request(1, 0);
    for (let i = 0; i < 66; i += 1) client.data(1, Buffer.alloc(16_000));
    expect(await client.ended()).toBe(ErrorCode.FLOW_CONTROL_ERROR);
  });

  it("of a paused stream is read later, in order, and its end too", async () => {
    let paused: Stream | undefined;
    bare.serve = (stream) => {
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
    bare.serve = (stream) => stream.close(ErrorCode.CANCEL);
    const client = new Client().request(1, 0);
    await client.resetCode(1);
    for (let i = 0; i < 100; i += 1) {
      client.data(1, Buffer.alloc(16_000));
      if (i % 33 === 32) await client.of(FrameType.WINDOW_UPDATE);
    }
    bare.serve = echo;
    expect(await client.request(3).body(3)).toHaveLength(0);
  });
});

describe("a client that does not read", () => {
  it("is read from no more when its answers pile up, and all of them come when it reads again", async () => {
    let most = 0;
    bare.serve = (stream) => {
      stream.respond({ ":status": 200 }, {});
      stream.end(Buffer.alloc(16_000));
      most = Math.max(most, bare.sockets[0]?.writableLength ?? 0);
    };
    const client = new Client([[Setting.INITIAL_WINDOW_SIZE, 1_000_000]]).window(0, 0x7fff_0000 - 65_535);
    await client.request(1).body(1);
    client.pause();
    const [socket] = bare.sockets;
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
