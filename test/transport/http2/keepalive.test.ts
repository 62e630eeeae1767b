/** Which clients are taken for vanished. */
import { describe, expect, it, onTestFinished } from "vitest";
import { Flag, FrameType } from "../../../src/transport/http2/protocol.js";
import type { Connection } from "../../../src/transport/http2/connection.js";
import { bare, Client, KEEPALIVE_MS, reader, useBareServer } from "./bare.js";

/** More than is read ahead of what was sent. */
const MUCH = 16 * 1024 * 1024;

useBareServer();

/** The connection of the one client, once everything that it says by itself has been heard. */
async function connectionOf(client: Client): Promise<Connection> {
  await client.next(({ type, flags }) => type === FrameType.SETTINGS && flags === Flag.ACK);
  const [connection] = bare.connections;
  if (connection === undefined) throw new Error("nobody has connected");
  return connection;
}

describe("a client that is asked whether it is there", () => {
  it("is disconnected when it has said nothing by the next time", async () => {
    const client = new Client();
    const connection = await connectionOf(client);
    connection.checkAlive();
    await client.of(FrameType.PING);
    connection.checkAlive();
    await expect(client.of(FrameType.PING)).rejects.toThrow("closed");
  });

  it("may say anything", async () => {
    const client = new Client();
    const connection = await connectionOf(client);
    for (let times = 0; times < 3; times += 1) {
      connection.checkAlive();
      await client.of(FrameType.PING);
      await client.request(2 * times + 1).of(FrameType.HEADERS, 2 * times + 1);
    }
    expect(client.isClosed).toBe(false);
  });
});

describe("a client that has much to read", () => {
  it("is not asked before it has read it", async () => {
    const client = reader(MUCH);
    const connection = await connectionOf(client);
    await client.of(FrameType.HEADERS, 1);
    client.pause();
    for (let times = 0; times < 3; times += 1) connection.checkAlive();
    client.resume();
    expect(await client.body(1)).toHaveLength(MUCH);
    connection.checkAlive();
    await client.of(FrameType.PING);
  });

  it("has the longer to answer the more there is for it to read before, but not for ever", async () => {
    // All of it is with the systems of both sides, which do not tell how much of it was read.
    const client = reader(400_000);
    const connection = await connectionOf(client);
    await client.of(FrameType.HEADERS, 1);
    client.pause();
    const [socket] = bare.sockets;
    let checks = 0;
    for (; socket?.destroyed === false; checks += 1) connection.checkAlive();
    expect(checks).toBe(10);
  });

  it("is kept as long as it goes on reading, however slowly", async () => {
    bare.stallMs = 2_000;
    const client = reader(MUCH);
    const connection = await connectionOf(client);
    const keepalive = setInterval(() => connection.checkAlive(), KEEPALIVE_MS);
    onTestFinished(() => clearInterval(keepalive));
    client.takeBreaks(100, 20);
    expect(await client.body(1)).toHaveLength(MUCH);
  });

  it("is disconnected when it does not read", async () => {
    bare.stallMs = 200;
    const client = reader(MUCH);
    await client.of(FrameType.HEADERS, 1);
    client.pause();
    const [socket] = bare.sockets;
    await new Promise((resolve) => socket?.once("close", resolve));
    client.resume();
    await expect(client.body(1)).rejects.toThrow("closed");
  });
});
