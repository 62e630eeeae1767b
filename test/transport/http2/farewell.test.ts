/** That a connection which ends takes nothing from a client that has not read everything yet. */
import { once } from "node:events";
import type { Socket } from "node:net";
import { describe, expect, it } from "vitest";
import { Flag, FrameType } from "../../../src/transport/http2/protocol.js";
import { frame } from "../../server/abuse/raw.js";
import { bare, Client, reader, useBareServer } from "./bare.js";

/** The systems of both sides take all of it, so that the server has nothing left to do. */
const WITH_SYSTEMS = 2 * 1024 * 1024;
/** Some of it waits at first, and much of it when the server has nothing left to do. */
const MUCH = 4 * 1024 * 1024;

useBareServer();

function serverSocket(): Socket {
  const [socket] = bare.sockets;
  if (socket === undefined) throw new Error("nobody has connected");
  return socket;
}

async function leave(client: Client): Promise<void> {
  await client.of(FrameType.HEADERS, 1);
  bare.connections[0]?.leave();
}

describe("a server that leaves", () => {
  it("ends the connection of a client that has read everything at once", async () => {
    const client = new Client().request(1);
    await leave(client);
    expect(await client.ended()).toBe(0);
  });

  it("asks a client that has much to read, and ends the connection when that has read up to the question", async () => {
    const client = reader(WITH_SYSTEMS);
    await leave(client);
    expect(await client.body(1)).toHaveLength(WITH_SYSTEMS);
    const { payload } = await client.of(FrameType.PING);
    expect(serverSocket().writableEnded).toBe(false);
    client.send(frame(FrameType.PING, Flag.ACK, 0, payload));
    await expect(client.of(FrameType.PING)).rejects.toThrow("closed");
  });

  it("is patient with one that reads slowly, and goes on talking", async () => {
    const client = reader(MUCH);
    await leave(client);
    client.takeBreaks(40, 60);
    expect(await client.body(1)).toHaveLength(MUCH);
  });

  it("does not wait for ever for one that says nothing", async () => {
    bare.stallMs = 200;
    const client = reader(WITH_SYSTEMS);
    await leave(client);
    client.pause();
    await once(serverSocket(), "close");
  });
});
