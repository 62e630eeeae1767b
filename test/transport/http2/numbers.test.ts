/** Streams that are over, or never were: what still comes on them, and what begins with a number that cannot be used any more. */
import { once } from "node:events";
import { connect, type IncomingHttpHeaders } from "node:http2";
import { describe, expect, it, onTestFinished } from "vitest";
import { encodeHeaders } from "../../../src/transport/http2/hpack/index.js";
import { ErrorCode, Flag, FrameType, Setting } from "../../../src/transport/http2/protocol.js";
import type { Stream } from "../../../src/transport/http2/stream.js";
import { frame } from "../../server/abuse/raw.js";
import { bare, Client, echo, number, useBareServer } from "./bare.js";

useBareServer();

const REQUEST = { ":method": "POST", ":scheme": "http", ":path": "/" };
const TRAILERS = encodeHeaders({ "x-last": "1" });
/** As an encoder does that uses the table: the field is the newest entry from then on. */
const indexed = (name: string, value: string): Buffer =>
  Buffer.concat([Buffer.of(0x40, name.length), Buffer.from(name), Buffer.of(value.length), Buffer.from(value)]);

/** Answers when everything that was sent before has been looked at. */
async function seen(client: Client): Promise<void> {
  client.send(frame(FrameType.PING, 0, 0, "whatever"));
  await client.next(({ type, flags }) => type === FrameType.PING && flags === Flag.ACK);
}

describe("a stream that ended", () => {
  it("cannot begin again", async () => {
    const client = new Client().request(1);
    await client.body(1);
    expect(await client.request(1).ended()).toBe(ErrorCode.STREAM_CLOSED);
  });

  it("is reset when data comes, once, and the connection goes on", async () => {
    const client = new Client().request(1);
    await client.body(1);
    expect(await client.data(1, "more").resetCode(1)).toBe(ErrorCode.STREAM_CLOSED);
    const resets: number[] = [];
    client.data(1, "and more").request(3);
    await client.next(({ type, streamId, flags }) => {
      if (type === FrameType.RST_STREAM) resets.push(streamId);
      return streamId === 3 && (flags & Flag.END_STREAM) !== 0;
    });
    expect(resets).toEqual([]);
  });

  it("is reset too when the client had reset it itself", async () => {
    bare.serve = () => undefined;
    const client = new Client().request(1, 0).send(frame(FrameType.RST_STREAM, 0, 1, number(ErrorCode.CANCEL)));
    expect(await client.data(1, "more").resetCode(1)).toBe(ErrorCode.STREAM_CLOSED);
  });

  it("takes what may still come: windows and resets", async () => {
    const client = new Client().request(1);
    await client.body(1);
    client.window(1, 100).send(frame(FrameType.RST_STREAM, 0, 1, number(ErrorCode.NO_ERROR)));
    client.send(frame(FrameType.PRIORITY, 0, 1, "12345"));
    expect(await client.request(3).body(3)).toHaveLength(0);
  });

  it("on the client's side only, takes no headers", async () => {
    bare.serve = () => undefined;
    const client = new Client().request(1).send(frame(FrameType.HEADERS, 5, 1, TRAILERS));
    expect(await client.resetCode(1)).toBe(ErrorCode.STREAM_CLOSED);
  });
});

describe("a stream that was reset here", () => {
  it("is passed over: its client did not know yet", async () => {
    bare.serve = (stream) => (stream.id === 1 ? stream.close(ErrorCode.CANCEL) : echo(stream));
    const client = new Client().request(1, 0);
    expect(await client.resetCode(1)).toBe(ErrorCode.CANCEL);
    client
      .data(1, "more")
      .window(1, 10)
      .send(frame(FrameType.HEADERS, 5, 1, TRAILERS));
    expect(await client.request(3).body(3)).toHaveLength(0);
  });

  it("is passed over however many there are", async () => {
    bare.serve = (stream) => (stream.id < 5_000 ? stream.close(ErrorCode.REFUSED_STREAM) : echo(stream));
    const client = new Client();
    for (let id = 1; id < 5_000; id += 2) client.request(id, 0);
    for (let id = 1; id < 5_000; id += 2) client.send(frame(FrameType.HEADERS, 5, id, TRAILERS));
    expect(await client.request(5_001).body(5_001)).toHaveLength(0);
  });
});

describe("numbers", () => {
  it("that were left out cannot be used later", async () => {
    expect(await new Client().request(5).request(3).ended()).toBe(ErrorCode.PROTOCOL_ERROR);
  });

  it("go up to the highest, after which there are none", async () => {
    const client = new Client().request(0x7fff_ffff);
    expect(await client.body(0x7fff_ffff)).toHaveLength(0);
    expect(await client.request(1).ended()).toBe(ErrorCode.PROTOCOL_ERROR);
  });

  it.each([0, 2])("of others are none of the client's: %i", async (id) => {
    const client = new Client().send(frame(FrameType.HEADERS, 5, id, encodeHeaders(REQUEST)));
    expect(await client.ended()).toBe(ErrorCode.PROTOCOL_ERROR);
  });

  it("that were not used yet have no data and no priority of a wrong size", async () => {
    expect(await new Client().data(1, "x").ended()).toBe(ErrorCode.PROTOCOL_ERROR);
    // It cannot be reset, so that the whole connection is at fault.
    expect(await new Client().send(frame(FrameType.PRIORITY, 0, 1, "123")).ended()).toBe(ErrorCode.FRAME_SIZE_ERROR);
  });
});

describe("streams that begin when no more are taken", () => {
  it("are passed over with all that belongs to them; those before go on to their end", async () => {
    let open: Stream | undefined;
    bare.serve = (stream) => {
      open = stream;
      echo(stream);
    };
    const client = new Client().request(1, 0);
    await seen(client);
    bare.connections[0]?.leave();
    expect((await client.of(FrameType.GOAWAY)).payload.readUInt32BE(0)).toBe(1);
    const late = Buffer.concat([encodeHeaders(REQUEST), indexed("x-late", "1")]);
    client
      .send(frame(FrameType.HEADERS, Flag.END_HEADERS, 3, late))
      .data(3, "too late")
      .window(3, 10);
    client.send(frame(FrameType.HEADERS, 5, 3, TRAILERS), frame(FrameType.RST_STREAM, 0, 5, number(8)));
    // The table of the client has what it sent in vain, too.
    client.data(1, "in time").send(frame(FrameType.HEADERS, 5, 1, Buffer.of(0x80 | 62)));
    expect((await client.body(1)).toString()).toBe("in time");
    expect(open?.id).toBe(1);
    await expect(client.of(FrameType.SETTINGS)).rejects.toThrow("closed");
  });

  it("take no window from those before", async () => {
    const client = new Client().request(1, 0);
    await seen(client);
    bare.connections[0]?.leave();
    await client.of(FrameType.GOAWAY);
    client.request(3, 0);
    for (let i = 0; i < 100; i += 1) {
      client.data(3, Buffer.alloc(16_000));
      if (i % 33 === 32) await client.of(FrameType.WINDOW_UPDATE);
    }
    expect((await client.data(1, "still here", Flag.END_STREAM).body(1)).toString()).toBe("still here");
  });
});

describe("the table for header blocks", () => {
  const shrunk = [Setting.HEADER_TABLE_SIZE, 0] as const;

  it("is given up when the client makes it smaller, in the next block and only there", async () => {
    const client = new Client([shrunk]).request(1);
    expect((await client.of(FrameType.HEADERS, 1)).payload[0]).toBe(0x20);
    expect((await client.of(FrameType.HEADERS, 1)).payload[0]).not.toBe(0x20);
  });

  it("is not spoken of when it is made larger", async () => {
    const client = new Client([[Setting.HEADER_TABLE_SIZE, 65_536]]).request(1);
    expect((await client.of(FrameType.HEADERS, 1)).payload[0]).toBe(0x88);
  });

  it("of nghttp2, which insists on that, is not missed", async () => {
    const session = connect(`http://127.0.0.1:${bare.port}`, { settings: { headerTableSize: 0 } });
    onTestFinished(() => {
      session.destroy();
    });
    for (let i = 0; i < 3; i += 1) {
      const stream = session.request({ ":method": "POST" }).end();
      const [headers] = (await once(stream.resume(), "response")) as [IncomingHttpHeaders];
      expect(headers[":status"]).toBe(200);
      await once(stream, "close");
    }
  });
});
