/** Connections that are wrong: each is closed, with an answer where one is possible, and the server serves on. */
import { once } from "node:events";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { startServerUnowned, type TestServer } from "../../helpers/server.js";
import { expectServing, frame, HTTP2_PREFACE, http2Session, RawConnection } from "./raw.js";

let running: TestServer;

beforeEach(async () => {
  running = await startServerUnowned({
    requestTimeoutMs: 300,
    idleTimeoutMs: 1000,
    keepaliveIntervalMs: 300,
    maxConnections: 50,
  });
});

afterEach(async () => {
  await expectServing(running.url);
  expect(running.logs.filter(({ level }) => level >= 50)).toEqual([]);
  await running.server.close();
});

const connection = (): RawConnection => new RawConnection(running.port);
const RPC = "/opscore.v1.AgentService/RegisterAgent";

describe("HTTP/1.1", () => {
  it.each([
    ["garbage", "\x00\x01\x02\x03\xff\xfe\r\n\r\n"],
    ["a TLS hello", Buffer.from("16030100c8010000c40303", "hex")],
    ["half of the HTTP/2 preface, then something else", "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n"],
    ["a request line without end", "GET ".padEnd(100_000, "a")],
    ["a header without end", `GET / HTTP/1.1\r\nHost: x\r\nX: ${"a".repeat(100_000)}`],
    ["10,000 headers", `GET / HTTP/1.1\r\n${"X: y\r\n".repeat(10_000)}\r\n`],
    ["two lengths", `POST ${RPC} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}`],
    [
      "a length and chunks",
      `POST ${RPC} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    ],
    ["a negative length", `POST ${RPC} HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n`],
    ["a chunk that is none", `POST ${RPC} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n`],
    ["no host", "GET /healthz HTTP/1.1\r\n\r\n"],
    ["a version that does not exist", "GET / HTTP/9.9\r\nHost: x\r\n\r\n"],
  ])("%s", async (_, data) => {
    expect(await connection().send(data).closed()).toMatch(/^$|^HTTP\/1\.1 4\d\d /);
  });

  it.each([
    ["a host that is none", "["],
    ["an empty host", ""],
    ["a host with spaces", "a b c"],
  ])("%s", async (_, host) => {
    const request = `POST ${RPC} HTTP/1.1\r\nHost: ${host}\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}`;
    expect(await connection().send(request).closed()).toMatch(/^HTTP\/1\.1 400 [\s\S]*Host header/);
  });

  it.each([
    ["asks for a tunnel", "CONNECT example.com:443 HTTP/1.1\r\nHost: x\r\n\r\n"],
    [
      "asks to change to a WebSocket",
      "GET /nope HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\n\r\n",
    ],
    ["expects the impossible", "GET /healthz HTTP/1.1\r\nHost: x\r\nExpect: miracles\r\nConnection: close\r\n\r\n"],
  ])("a client that %s", async (_, data) => {
    expect(await connection().send(data).closed()).toMatch(/^$|^HTTP\/1\.1 4\d\d /);
  });

  it("a client that half-closes after its request still gets its answer", async () => {
    const answer = await connection().send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").end().closed();
    expect(answer).toMatch(/^HTTP\/1\.1 200 [\s\S]*\{"status":"ok"\}/);
  });

  it("requests in one packet are answered in order", async () => {
    const request = (path: string, more = ""): string => `GET ${path} HTTP/1.1\r\nHost: x\r\n${more}\r\n`;
    const answers = await connection()
      .send(request("/healthz") + request("/nope") + request("/readyz", "Connection: close\r\n"))
      .closed();
    expect(answers.match(/HTTP\/1\.1 \d+/g)).toEqual(["HTTP/1.1 200", "HTTP/1.1 404", "HTTP/1.1 200"]);
  });

  it("a request that comes byte by byte is understood", async () => {
    const client = connection();
    for (const byte of "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n") client.send(byte);
    expect(await client.closed()).toMatch(/^HTTP\/1\.1 200 /);
  });
});

describe("slow clients", () => {
  it("one that does not finish its headers is answered 408 and closed", async () => {
    expect(await connection().send("GET /healthz HTTP/1.1\r\nHost: x\r\n").closed()).toMatch(/^HTTP\/1\.1 408 /);
  });

  it("one that does not finish its body is answered 408 and closed", async () => {
    const head = `POST ${RPC} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{`;
    expect(await connection().send(head).closed()).toMatch(/^HTTP\/1\.1 408 /);
  });

  it("one that goes on and on is closed all the same", async () => {
    const client = connection().send("GET /healthz HTTP/1.1\r\nHost: x\r\n");
    const drip = setInterval(() => client.send("X: y\r\n"), 20);
    try {
      expect(await client.closed()).toMatch(/^HTTP\/1\.1 408 /);
    } finally {
      clearInterval(drip);
    }
  });

  it("an idle one is closed after the idle time-out", async () => {
    expect(await connection().send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").closed()).toMatch(/^HTTP\/1\.1 200 /);
  });
});

describe("HTTP/2", () => {
  const SETTINGS = frame(4, 0, 0);
  const preface = Buffer.concat([Buffer.from(HTTP2_PREFACE, "latin1"), SETTINGS]);

  it.each([
    ["garbage after the preface", Buffer.from("00".repeat(100), "hex")],
    ["text after the preface", "GET / HTTP/1.1\r\nHost: x\r\n\r\n".repeat(10)],
    ["a frame that is too large", frame(0, 0, 1, Buffer.alloc(20_000))],
    ["data on a stream that is not open", frame(0, 1, 1, "x")],
    ["headers on stream 0", frame(1, 4, 0, "x")],
    ["headers on an even stream", frame(1, 4, 2, Buffer.from([0x82, 0x84, 0x86]))],
    ["headers that cannot be decompressed", frame(1, 5, 1, Buffer.alloc(100, 0xff))],
    ["a continuation of nothing", frame(9, 4, 1, "x")],
    ["settings of a wrong length", frame(4, 0, 0, "12345")],
    ["a window of 0", frame(8, 0, 0, Buffer.alloc(4))],
    ["a window that overflows", Buffer.concat([windowUpdate(0x7fffffff), windowUpdate(0x7fffffff)])],
    ["a ping of a wrong length", frame(6, 0, 0, "1")],
    ["a push", frame(5, 4, 1, Buffer.alloc(10))],
  ])("%s ends the connection", async (_, data) => {
    const client = connection().send(preface);
    client.send(Buffer.isBuffer(data) ? data : Buffer.from(data, "latin1"));
    await client.closed();
  });

  it("the preface byte by byte is understood", async () => {
    const client = connection();
    for (const byte of preface) client.send(Buffer.from([byte]));
    // A ping is answered once the session is there; the client then closes.
    client.send(frame(6, 0, 0, "12345678")).end();
    await client.closed();
    expect(client.received.includes(frame(6, 1, 0, "12345678"))).toBe(true);
  });

  it.each([
    ["settings", frame(4, 0, 0, Buffer.from("000300000064", "hex"))],
    ["pings", frame(6, 0, 0, "12345678")],
    ["empty data on a closed stream", frame(0, 0, 1)],
    ["priorities", frame(2, 0, 1, Buffer.from("0000000010", "hex"))],
  ])("a flood of %s is survived", async (_, data) => {
    const client = connection().send(preface);
    for (let i = 0; i < 20; i += 1) client.send(Buffer.concat(Array.from({ length: 1000 }, () => data)));
    client.end();
    await client.closed();
  });

  it("a flood of continuations ends the connection", async () => {
    const client = connection()
      .send(preface)
      .send(frame(1, 0, 1, Buffer.from([0x82])));
    const part = frame(
      9,
      0,
      1,
      Buffer.concat([Buffer.from([0x40, 1, 0x78, 0x7f, 0x81, 0x7e]), Buffer.alloc(16_000, 97)]),
    );
    for (let i = 0; i < 100; i += 1) client.send(part);
    await client.closed();
  });

  it("calls that are reset as fast as they are made end the connection or nothing", async () => {
    const session = await http2Session(running.url);
    for (let i = 0; i < 5000 && !session.destroyed; i += 1) {
      const stream = session.request({ ":method": "POST", ":path": RPC, "content-type": "application/grpc" });
      stream.on("error", () => undefined);
      stream.close(8);
    }
    session.close();
    if (!session.destroyed) await once(session, "close");
  });

  it("more open calls than are allowed are held back by the client, or refused", async () => {
    await running.server.close();
    running = await startServerUnowned({ maxConnectionCalls: 5, requestTimeoutMs: 300 });
    const session = await http2Session(running.url);
    const closed = Array.from({ length: 20 }, () => {
      const stream = session.request({ ":method": "POST", ":path": RPC, "content-type": "application/grpc" });
      stream.on("error", () => undefined);
      return new Promise<void>((resolve) => stream.once("close", () => resolve()));
    });
    await Promise.all(closed);
    session.close();
  });
});

describe("connections", () => {
  it("beyond the limit are closed at once, and one that leaves makes room", async () => {
    await running.server.close();
    running = await startServerUnowned({ maxConnections: 2 });
    const sessions = [await http2Session(running.url), await http2Session(running.url)];
    expect(await connection().send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").closed()).toBe("");
    const [first] = sessions;
    first?.destroy();
    const stop = new Promise<void>((resolve) => first?.once("close", () => resolve()));
    await stop;
  });

  it("of clients that vanished are found by ping", async () => {
    await running.server.close();
    running = await startServerUnowned({ keepaliveIntervalMs: 100 });
    // Its settings are never acknowledged, and neither are pings.
    const client = connection().send(Buffer.concat([Buffer.from(HTTP2_PREFACE, "latin1"), frame(4, 0, 0)]));
    await client.closed();
    expect(client.received.includes(frame(6, 0, 0, Buffer.alloc(0)).subarray(3, 5))).toBe(true);
  });
});

function windowUpdate(increment: number): Buffer {
  const payload = Buffer.alloc(4);
  payload.writeUInt32BE(increment);
  return frame(8, 0, 0, payload);
}
