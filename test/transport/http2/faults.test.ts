/** What clients may not do. */
import { once } from "node:events";
import { connect } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { ErrorCode, Flag, FrameType, PREFACE, Setting } from "../../../src/transport/http2/protocol.js";
import { encodeSettings } from "../../../src/transport/http2/settings.js";
import { frame } from "../../server/abuse/raw.js";
import { bare, Client, number, useBareServer } from "./bare.js";

useBareServer();

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
    const socket = connect(bare.port, "127.0.0.1");
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
    bare.serve = () => undefined;
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
    bare.serve = () => undefined;
    const client = new Client();
    for (let i = 0; i < 12_000 && !client.isClosed; i += 1) {
      client.request(2 * i + 1, 0).send(frame(FrameType.RST_STREAM, 0, 2 * i + 1, number(ErrorCode.CANCEL)));
    }
    expect(await client.ended()).toBe(ErrorCode.ENHANCE_YOUR_CALM);
  });
});

describe("streams that are reset because of what their client does", () => {
  it("without end are a fault too", async () => {
    bare.serve = () => undefined;
    const client = new Client();
    for (let i = 0; i < 12_000 && !client.isClosed; i += 1) client.request(2 * i + 1, 0).window(2 * i + 1, 0);
    expect(await client.ended()).toBe(ErrorCode.ENHANCE_YOUR_CALM);
  });
});
