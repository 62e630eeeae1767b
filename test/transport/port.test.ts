import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { Port } from "../../src/transport/port.js";

/** A port that says which protocol each connection speaks. */
async function open(silenceMs?: number) {
  const spoken: string[] = [];
  let tell: () => void = () => undefined;
  const take = (protocol: string) => (socket: Socket) => {
    socket.once("data", (chunk: Buffer) => {
      spoken.push(`${protocol} ${chunk.toString("latin1").slice(0, 3)}`);
      socket.destroy();
      tell();
    });
    socket.resume();
  };
  const port = new Port({
    maxConnections: 10,
    http1: take("http1"),
    http2: take("http2"),
    onError: (error) => expect.unreachable(error.message),
    ...(silenceMs === undefined ? {} : { silenceMs }),
  });
  const address = await port.listen("127.0.0.1", 0);
  onTestFinished(() => {
    port.stopListening();
    port.destroy();
  });
  const client = (): Socket => {
    const socket = connect(address.port, "127.0.0.1").setNoDelay();
    socket.on("error", () => undefined);
    onTestFinished(() => {
      socket.destroy();
    });
    return socket;
  };
  return { port, client, spoken, told: () => new Promise<void>((resolve) => (tell = resolve)) };
}

const PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

describe("Port", () => {
  it.each([
    ["an HTTP/2 preface", [PREFACE], "http2 PRI"],
    ["a preface with more behind it", [`${PREFACE}\0\0\0`], "http2 PRI"],
    ["a preface in two parts", [PREFACE.slice(0, 10), PREFACE.slice(10)], "http2 PRI"],
    ["a GET", ["GET / HTTP/1.1\r\n\r\n"], "http1 GET"],
    ["a PRI that is none", ["PRI / HTTP/1.1\r\n\r\n"], "http1 PRI"],
    ["a P, then a POST", ["P", "OST / HTTP/1.1\r\n\r\n"], "http1 POS"],
    ["a single byte", ["\x16"], "http1 \x16"],
  ])("%s", async (_, parts, expected) => {
    const { client, spoken, told } = await open();
    const socket = client();
    const decided = told();
    for (const part of parts) await new Promise((resolve) => socket.write(part, "latin1", resolve));
    await decided;
    expect(spoken).toEqual([expected]);
  });

  it.each(["", "PRI * HTTP"])("closes a connection that says only %j", async (start) => {
    const { port, client, spoken } = await open(30);
    const socket = client();
    socket.write(start);
    socket.resume();
    await once(socket, "close");
    expect(spoken).toEqual([]);
    await port.emptied();
    expect(port.connections).toBe(0);
  });

  it("closes a connection that ends before it says anything", async () => {
    const { port, client, spoken } = await open();
    const socket = client();
    socket.end();
    socket.resume();
    await once(socket, "close");
    await port.emptied();
    expect(spoken).toEqual([]);
  });

  it("tells when the last connection is gone", async () => {
    const { port, client } = await open();
    const sockets = [client(), client()];
    await Promise.all(sockets.map((socket) => once(socket, "connect")));
    let isEmpty = false;
    const emptied = port.emptied().then(() => (isEmpty = true));
    for (const socket of sockets) {
      expect(isEmpty).toBe(false);
      const closed = once(socket, "close");
      socket.resume().end();
      await closed;
    }
    await emptied;
  });
});
