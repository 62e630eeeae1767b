import { createHmac } from "node:crypto";
import type * as Dns from "node:dns";
import { once } from "node:events";
import { createServer, type IncomingMessage, type RequestListener, type Server } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import { createServer as createTcpServer, type AddressInfo, type Socket } from "node:net";
import { afterEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { post, type OutboundOutcome } from "../../../src/services/outbound/post.js";
import { signedHeaders } from "../../../src/services/outbound/sign.js";
import { Certificates } from "../../helpers/certificates.js";
import { collectGarbage } from "../../helpers/garbage.js";

// No name leads inside on every machine that runs this.
vi.mock("node:dns", async (importOriginal) => {
  const dns = await importOriginal<typeof Dns>();
  type Found = (error: NodeJS.ErrnoException | null, addresses: Dns.LookupAddress[]) => void;
  const lookup = (hostname: string, options: Dns.LookupAllOptions, found: Found): void => {
    if (hostname === "inside.example") found(null, [{ address: "10.0.0.7", family: 4 }]);
    else dns.lookup(hostname, options, found);
  };
  return { ...dns, lookup };
});

/** A limit that a test never reaches unless it fails. */
const LONG_MS = 20_000;
const ONLY_WITH = "and the server sends there only with OPSCORE_OUTBOUND_ALLOW_PRIVATE=true";

const servers: { close(): unknown; closeAllConnections?(): void }[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections?.();
    server.close();
  }
});

async function listen(listener: RequestListener): Promise<string> {
  const server: Server = createServer(listener);
  servers.push(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function send(url: string, request: { timeoutMs?: number; allowInside?: boolean; signal?: AbortSignal } = {}) {
  return post({ url, body: '{"a":1}', timeoutMs: LONG_MS, allowInside: true, ...request });
}

/** A peer that takes a connection and does what it likes with it. */
async function listenRaw(onData: (socket: Socket) => void): Promise<number> {
  const server = createTcpServer((socket) => socket.once("data", () => onData(socket)));
  servers.push(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

describe("post", () => {
  it("sends a body with its headers, and brings the answer", async () => {
    const seen: unknown[] = [];
    const url = await listen((request, response) => {
      void textOf(request).then((body) => {
        seen.push(request.method, request.url, request.headers["content-type"], request.headers["x-a"], body);
        response.writeHead(202).end("ok");
      });
    });
    const outcome = await post({
      url: `${url}/run?x=1`,
      body: '{"ä":1}',
      headers: { "x-a": "b" },
      timeoutMs: LONG_MS,
      allowInside: true,
    });
    expect(outcome).toEqual({ kind: "answered", status: 202, body: "ok" });
    expect(seen).toEqual(["POST", "/run?x=1", "application/json", "b", '{"ä":1}']);
  });

  it("follows no redirect", async () => {
    let calls = 0;
    const url = await listen((_request, response) => {
      calls += 1;
      response.writeHead(307, { location: "/elsewhere" }).end();
    });
    expect(await send(url)).toMatchObject({ kind: "answered", status: 307 });
    expect(calls).toBe(1);
  });

  it("reads no more of an answer than it must", async () => {
    const url = await listen((_request, response) => {
      const pour = (): void => {
        while (response.write("x".repeat(16_384)));
        response.once("drain", pour);
      };
      pour();
    });
    const outcome = await send(url);
    expect(outcome.kind === "answered" && outcome.body.length).toBe(64 * 1024);
  });

  it.each([
    "http://127.0.0.1:9/",
    "http://[::1]:9/",
    "http://localhost:9/",
    "http://2130706433:9/",
    "http://0x7f.1:9/",
  ])("reaches nothing inside, and says which setting is about that: %s", async (url) => {
    expect(await send(url, { allowInside: false })).toMatchObject({
      kind: "forbidden",
      error: `${new URL(url).hostname} is an address inside, ${ONLY_WITH}`,
    });
  });

  it("finds out where a name leads, and says that address", async () => {
    expect(await send("http://inside.example:9/", { allowInside: false })).toEqual({
      kind: "forbidden",
      error: `inside.example is 10.0.0.7, which is an address inside, ${ONLY_WITH}`,
    });
  });

  it.each(["ftp://example.org/", "file:///etc/passwd", "not a url", ""])("takes HTTP only: %o", async (url) => {
    expect(await send(url)).toMatchObject({ kind: "forbidden" });
  });

  it("knows that nothing was sent where nobody listens", async () => {
    const url = await listen(() => undefined);
    const [server] = servers;
    server?.close();
    expect(await send(url)).toMatchObject({ kind: "unreached" });
    expect(await send("http://nobody.invalid/")).toMatchObject({ kind: "unreached" });
  });

  it("knows that nothing was sent to who has not shown who it is", async () => {
    const certificates = new Certificates();
    onTestFinished(() => certificates.remove());
    const { cert, key } = certificates.client;
    let bytes = 0;
    const server = createHttpsServer({ cert, key });
    server.on("secureConnection", (socket) => socket.on("data", (chunk: Buffer) => (bytes += chunk.length)));
    servers.push(server);
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    expect(await send(`https://127.0.0.1:${port}/`)).toEqual({
      kind: "unreached",
      error: "unable to verify the first certificate",
    });
    const closed = once(server, "close");
    server.close();
    await closed;
    expect(bytes).toBe(0);
    const breaking = await listenRaw((socket) => socket.resetAndDestroy());
    expect(await send(`https://127.0.0.1:${breaking}/`)).toMatchObject({ kind: "unreached" });
  });

  it("does not know what became of a request whose connection broke", async () => {
    const port = await listenRaw((socket) => socket.resetAndDestroy());
    expect(await send(`http://127.0.0.1:${port}/`)).toMatchObject({ kind: "unanswered" });
  });

  it("takes another protocol, for which nobody asked, for the answer", async () => {
    const port = await listenRaw((socket) =>
      socket.write("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: other\r\n\r\n"),
    );
    expect(await send(`http://127.0.0.1:${port}/`)).toEqual({ kind: "answered", status: 101, body: "" });
  });

  it("ends when it is told to", async () => {
    const stop = new AbortController();
    const url = await listen(() => stop.abort());
    expect(await send(url, { signal: stop.signal })).toMatchObject({ kind: "unanswered" });
  });

  it("ends in time, whatever garbage is collected meanwhile", async () => {
    const silent = await listen(() => setImmediate(collectGarbage));
    const { signal } = new AbortController();
    const outcome: OutboundOutcome = await send(silent, { timeoutMs: 50, signal });
    expect(outcome).toEqual({ kind: "unanswered", error: "no answer within 50 ms" });
  });

  it("takes the status for the answer when the body does not end in time", async () => {
    const url = await listen((_request, response) => void response.writeHead(201).write("Created, as"));
    expect(await send(url, { timeoutMs: 50 })).toEqual({ kind: "answered", status: 201, body: "Created, as" });
  });
});

describe("signedHeaders", () => {
  it("signs timestamp, dot and body", () => {
    const { "x-opscore-timestamp": timestamp, "x-opscore-signature": signature } = signedHeaders(
      "secret",
      "{}",
      1_700_000_000_999,
    );
    expect(timestamp).toBe("1700000000");
    expect(signature).toBe(createHmac("sha256", "secret").update("1700000000.{}").digest("hex"));
  });
});
