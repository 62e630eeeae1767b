/** What HTTP allows and clients do: on bare sockets, where nothing is tidied up on the way. */
import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { connect, type Socket } from "node:net";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { loadConfig } from "../../../src/config/index.js";
import { startServerUnowned, type TestServer } from "../../helpers/server.js";
import { RawConnection } from "../../server/abuse/raw.js";
import { aReport, register, stateOf, statePath } from "./harness.js";

let running: TestServer;
const PATH = statePath("a");

beforeEach(async () => {
  running = await startServerUnowned({ maxRequestBytes: 4096, requestTimeoutMs: 500 });
  await register(running.url, "a");
});

afterEach(async () => {
  await register(running.url, "bystander");
  expect(running.logs.filter(({ level }) => level >= 50)).toEqual([]);
  await running.server.close();
});

/** A client that reads answers one after another. */
class Wire {
  private readonly socket: Socket;
  private received = "";
  private wake: (() => void) | undefined;

  constructor() {
    this.socket = connect(running.port, "127.0.0.1");
    this.socket.on("error", () => undefined);
    this.socket.setEncoding("latin1").on("data", (text: string) => {
      this.received += text;
      this.wake?.();
    });
    onTestFinished(() => {
      this.socket.destroy();
    });
  }

  send(text: string): this {
    this.socket.write(text, "latin1");
    return this;
  }

  leave(): void {
    this.socket.destroy();
  }

  /** The next answer: its status, its headers as text, its body. */
  async answer(): Promise<readonly [status: number, body: string, head: string]> {
    const head = await this.take(/^[\s\S]*?\r\n\r\n/);
    const status = Number(/^HTTP\/1\.1 (\d+)/.exec(head)?.[1]);
    const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0);
    return [status, await this.take(new RegExp(`^[\\s\\S]{${length}}`)), head];
  }

  private async take(pattern: RegExp): Promise<string> {
    for (;;) {
      const match = pattern.exec(this.received);
      if (match !== null) {
        this.received = this.received.slice(match[0].length);
        return match[0];
      }
      await new Promise<void>((resolve) => (this.wake = resolve));
    }
  }
}

const body = (state: string, more: object = {}): string => JSON.stringify(aReport("a", state, more));
const head = (headers: string, path = PATH): string =>
  `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n${headers}\r\n`;
const request = (text: string, headers = ""): string => head(`Content-Length: ${text.length}\r\n${headers}`) + text;
const chunked = (...chunks: string[]): string =>
  head("Transfer-Encoding: chunked\r\n") +
  [...chunks, ""].map((text) => `${text.length.toString(16)}\r\n${text}\r\n`).join("");

describe("a connection", () => {
  it("is kept, and says for how long", async () => {
    const wire = new Wire();
    for (const state of ["idle", "active", "idle"]) {
      const [status, , headers] = await wire.send(request(body(state))).answer();
      expect(status).toBe(202);
      expect(headers).toMatch(/\r\nConnection: keep-alive\r\nKeep-Alive: timeout=90\r\n/);
    }
  });

  it("is kept for longer than clients leave it alone, by default", () => {
    expect(loadConfig().idleTimeoutMs).toBeGreaterThanOrEqual(75_000);
  });

  it("is kept for as long as the setting says and no longer", async () => {
    await running.server.close();
    running = await startServerUnowned({ idleTimeoutMs: 1_000 });
    await register(running.url, "a");
    const raw = new RawConnection(running.port).send(request(body("idle")));
    // It closes by itself: the client neither half-closes nor asks for it.
    expect(await raw.closed()).toMatch(/^HTTP\/1\.1 202 [\s\S]*Keep-Alive: timeout=1\r\n/);
  });

  it("is closed when its client asks for that", async () => {
    const text = await new RawConnection(running.port).send(request(body("idle"), "Connection: close\r\n")).closed();
    expect(text).toMatch(/^HTTP\/1\.1 202 [\s\S]*Connection: close\r\n/);
  });

  it("of HTTP/1.0 is closed after its answer", async () => {
    const text = await new RawConnection(running.port).send(request(body("idle")).replace("/1.1", "/1.0")).closed();
    expect(text).toMatch(/^HTTP\/1\.1 202 /);
  });

  it("takes many requests at once and answers in their order", async () => {
    const wire = new Wire();
    const states = ["active", "idle", "napping", "error"];
    wire.send(states.map((state) => request(body(state))).join("") + `GET ${PATH} HTTP/1.1\r\nHost: x\r\n\r\n`);
    for (const state of states) expect([state, (await wire.answer())[0]]).toEqual([state, 202]);
    const [status, text] = await wire.answer();
    expect([status, JSON.parse(text)]).toMatchObject([200, { state: "error" }]);
  });

  it("goes on after a request that was refused, whatever its body was", async () => {
    const wire = new Wire();
    const refused: readonly [string, number][] = [
      [request("{"), 422],
      [request("x".repeat(10_000)), 413],
      [chunked("x".repeat(3_000), "x".repeat(3_000), "x".repeat(30_000)), 413],
      [head("Content-Length: 3\r\n", "/v1/nothing") + "abc", 404],
      [`DELETE ${PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc`, 405],
    ];
    for (const [text, status] of refused) {
      expect((await wire.send(text).answer())[0]).toBe(status);
      expect((await wire.send(request(body("idle"))).answer())[0]).toBe(202);
    }
  });
});

/** Starts a server anew that tells when it notices that a client has left. */
async function whenOneLeaves(): Promise<{ readonly left: Promise<void> }> {
  await running.server.close();
  let told: () => void = () => undefined;
  const left = new Promise<void>((resolve) => (told = resolve));
  const write = (line: string): void => {
    if (line.includes('"code":"CANCELLED"')) told();
  };
  running = await startServerUnowned({}, { logger: pino({ base: null }, { write }) });
  await register(running.url, "a");
  return { left };
}

describe("a request for a whole URL", () => {
  it.each([
    ["GET", `http://x${PATH}`, 200],
    ["GET", `HTTP://[::1]:8080${PATH}?a=http://b/`, 200],
    ["GET", "http://x", 404],
    ["GET", "http://x?a", 404],
    ["OPTIONS", "*", 404],
  ])("is one for its path: %s %s", async (method, url, expected) => {
    const [status] = await new Wire().send(`${method} ${url} HTTP/1.1\r\nHost: x\r\n\r\n`).answer();
    expect(status).toBe(expected);
  });

  it("is sent to the same path without its last slash", async () => {
    const [status, , headers] = await new Wire().send(`GET http://x${PATH}/?a HTTP/1.1\r\nHost: x\r\n\r\n`).answer();
    expect([status, /^location: (.*)$/im.exec(headers)?.[1]]).toEqual([307, `../${PATH.split("/").at(-1)}?a`]);
  });
});

describe("a body", () => {
  it("may come in chunks, cut anywhere", async () => {
    const text = body("idle", { details: { word: "\u00c3\u00a9" } });
    const wire = new Wire();
    expect((await wire.send(chunked(...Array.from(text))).answer())[0]).toBe(202);
    expect(await stateOf(running.url, "a")).toMatchObject({ details: { word: "é" } });
  });

  it("may come byte by byte", async () => {
    const wire = new Wire();
    for (const byte of request(body("idle"))) wire.send(byte);
    expect((await wire.answer())[0]).toBe(202);
  });

  it("may be waited with until the server wants it", async () => {
    const wire = new Wire();
    const text = body("idle");
    wire.send(head(`Content-Length: ${text.length}\r\nExpect: 100-continue\r\n`));
    expect((await wire.answer())[0]).toBe(100);
    expect((await wire.send(text).answer())[0]).toBe(202);
  });

  it("that is too large is refused before it comes", async () => {
    const [status, text] = await new Wire().send(head("Content-Length: 1000000\r\n")).answer();
    expect([status, text]).toEqual([413, '{"detail":"the request is larger than 4096 bytes"}']);
  });

  it("without an end is refused when it is too large, and cut off when it goes on", async () => {
    const raw = new RawConnection(running.port).send(head("Transfer-Encoding: chunked\r\n"));
    const drip = setInterval(() => raw.send(`400\r\n${"x".repeat(1024)}\r\n`), 20);
    try {
      expect(await raw.closed()).toMatch(/^HTTP\/1\.1 413 /);
    } finally {
      clearInterval(drip);
    }
  });

  it("whose client leaves in the middle is nobody's", async () => {
    const { left } = await whenOneLeaves();
    const text = body("error");
    const wire = new Wire().send(head(`Content-Length: ${text.length}\r\n`) + text.slice(0, 20));
    const other = new Wire();
    // What is answered on another connection says that the first was read; the client then leaves.
    await other.send(request(body("idle"))).answer();
    wire.leave();
    await left;
    expect(await stateOf(running.url, "a")).toMatchObject({ state: "idle" });
  });

  it("of a report that is held is taken although its client has left", async () => {
    const { left } = await whenOneLeaves();
    const text = JSON.stringify(aReport("later", "idle"));
    const wire = new Wire().send(head(`Content-Length: ${text.length}\r\n`, statePath("later")) + text);
    await new Wire().send(request(body("idle"))).answer();
    wire.leave();
    await left;
    await register(running.url, "later");
    expect(await stateOf(running.url, "later")).toMatchObject({ state: "idle" });
  });
});

describe("headers", () => {
  it("of signatures that come twice are one wrong signature", async () => {
    await running.server.close();
    running = await startServerUnowned({ webhookInsecure: false, apiKey: "k", maxRequestBytes: 4096 });
    const twice = "Authorization: Bearer k\r\nAuthorization: Bearer wrong\r\n";
    const [status] = await new Wire().send(head(`Content-Length: 2\r\n${twice}`) + "{}").answer();
    expect(status).toBe(422);
    const wrong = "Authorization: Bearer wrong\r\nAuthorization: Bearer k\r\n";
    expect((await new Wire().send(head(`Content-Length: 2\r\n${wrong}`) + "{}").answer())[0]).toBe(401);
    await running.server.close();
    running = await startServerUnowned();
    await register(running.url, "a");
  });

  it("may be in any case, and their values in any bytes", async () => {
    const text = body("idle");
    const raw = `POST ${PATH} HTTP/1.1\r\nHOST: x\r\nCONTENT-TYPE: APPLICATION/JSON\r\nx-more: \xff\xfe\r\nCONTENT-LENGTH: ${text.length}\r\n\r\n${text}`;
    expect((await new Wire().send(raw).answer())[0]).toBe(202);
  });
});

describe("HTTP/2", () => {
  it("serves the same routes", async () => {
    const session = connectHttp2(running.url);
    onTestFinished(() => session.destroy());
    const ask = async (method: string, path: string, text = "") => {
      const stream = session.request({ ":method": method, ":path": path, "content-type": "application/json" });
      if (!stream.writableEnded) stream.end(text);
      const [headers] = (await once(stream, "response")) as [Record<string, unknown>];
      let answer = "";
      for await (const chunk of stream) answer += String(chunk);
      return [headers[":status"], answer];
    };
    expect(await ask("POST", PATH, body("idle"))).toEqual([
      202,
      '{"status":"success","message":"State update accepted"}',
    ]);
    expect((await ask("POST", PATH, "x".repeat(5_000)))[0]).toBe(413);
    expect((await ask("POST", PATH))[0]).toBe(422);
    expect((await ask("DELETE", PATH))[0]).toBe(405);
    expect((await ask("GET", `${PATH}/`))[0]).toBe(307);
    const [status, text] = await ask("GET", PATH);
    expect([status, JSON.parse(String(text))]).toMatchObject([200, { state: "idle" }]);
  });
});

describe("the log", () => {
  it("has one line for each call, as for any other", async () => {
    await new Wire().send(request(body("idle"))).answer();
    await new Wire().send(request("{")).answer();
    const lines = running.logs.filter(({ rpc }) => rpc === "opscore.v1.StateService/SetState");
    expect(lines).toMatchObject([
      { agentId: "a", namespace: "default", code: "OK" },
      { code: "INVALID_ARGUMENT", reason: "INVALID_FIELD", msg: "body.1: JSON decode error" },
    ]);
    expect(lines[0]?.["durationMs"]).toBeGreaterThan(0);
  });
});
