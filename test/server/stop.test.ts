import { createClient, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { connect } from "node:net";
import { pino } from "pino";
import { describe, expect, it } from "vitest";
import { ErrorInfoSchema, RetryInfoSchema } from "../../gen/google/rpc/error_details_pb.js";
import { AgentService } from "../../gen/opscore/v1/agent_service_pb.js";
import { State, WatchKind } from "../../gen/opscore/v1/common_pb.js";
import { StateService } from "../../gen/opscore/v1/state_service_pb.js";
import type { AgentKey, Storage } from "../../src/storage/storage.js";
import { createMemoryStorage } from "../../src/storage/memory/index.js";
import { build, loadConfig } from "../../src/server.js";
import { dynamicClient } from "../helpers/grpc-js.js";
import { startServer } from "../helpers/server.js";
import { failureFromConnect, rejection } from "../transport/harness.js";

const TRANSPORTS: Record<string, (baseUrl: string) => Transport> = {
  gRPC: (baseUrl) => createGrpcTransport({ baseUrl }),
  "gRPC-Web over HTTP/1.1": (baseUrl) => createGrpcWebTransport({ baseUrl, httpVersion: "1.1" }),
  "Connect over HTTP/1.1": (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "1.1" }),
  "Connect over HTTP/2": (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "2" }),
};

/** A storage whose reads of agents wait until they are let go. */
function slowStorage() {
  const storage = createMemoryStorage();
  let release: () => void = () => undefined;
  let begun: () => void = () => undefined;
  const reading = new Promise<void>((resolve) => (begun = resolve));
  const released = new Promise<void>((resolve) => (release = resolve));
  const read = storage.getAgent.bind(storage);
  const slow = Object.create(storage, {
    getAgent: {
      value: async (key: AgentKey) => {
        begun();
        await released;
        return read(key);
      },
    },
  }) as Storage;
  return { storage: slow, reading, release };
}

describe.each(Object.entries(TRANSPORTS))("over %s", (_, transportFor) => {
  it("a watch is told its last token, then UNAVAILABLE", async () => {
    const { url, server } = await startServer();
    const states = createClient(StateService, transportFor(url));
    await createClient(AgentService, transportFor(url)).registerAgent({ agentId: "a" });
    const tokens: string[] = [];
    const watch = (async () => {
      for await (const message of states.watchState({})) {
        tokens.push(message.resumeToken);
        if (message.kind !== WatchKind.SYNCED) continue;
        await states.setState({ agentId: "a", state: State.IDLE });
        void server.close();
      }
    })();
    const failure = failureFromConnect(await rejection(watch));
    expect(failure.code).toBe("UNAVAILABLE");
    expect(failure.details(ErrorInfoSchema)).toMatchObject([{ reason: "SERVER_STOPPING" }]);
    expect(failure.details(RetryInfoSchema)).toHaveLength(1);
    expect(tokens.length).toBeGreaterThanOrEqual(2);
    expect(tokens.at(-1)).not.toBe("");
    await server.close();
  });

  it("a call in flight finishes, and only then is the server closed", async () => {
    const { storage, reading, release } = slowStorage();
    const { url, server } = await startServer({}, { storage });
    const agents = createClient(AgentService, transportFor(url));
    await agents.registerAgent({ agentId: "a" });
    const order: string[] = [];
    const call = agents.getAgent({ agentId: "a" }).then(({ agent }) => order.push(`answered ${agent?.agentId ?? ""}`));
    await reading;
    const closed = server.close().then(() => order.push("closed"));
    const refused = await rejection(agents.getAgent({ agentId: "a" }));
    // When the client hears of the end before its call has left, it refuses the stream itself, and connect-node calls that INTERNAL.
    expect(String(refused)).toMatch(/^ConnectError: \[unavailable\]|NGHTTP2_REFUSED_STREAM/);
    release();
    await Promise.all([call, closed]);
    expect(order).toEqual(["answered a", "closed"]);
  });

  it("a call that does not finish is cut off after the drain time-out", async () => {
    const { storage, reading } = slowStorage();
    const { url, server, logs } = await startServer({ drainTimeoutMs: 50 }, { storage });
    const call = rejection(createClient(AgentService, transportFor(url)).getAgent({ agentId: "a" }));
    await reading;
    await server.close();
    expect(await call).toBeInstanceOf(Error);
    expect(logs.map(({ msg }) => msg)).toContain("calls were cut off");
  });

  it("a report that is held hears why it was not applied", async () => {
    const { url, server, logs } = await startServer({ drainTimeoutMs: 50 });
    const states = createClient(StateService, transportFor(url));
    const held = rejection(states.setState({ agentId: "a", state: State.IDLE, waitForRegistration: { seconds: 60n } }));
    // Whatever is answered on a connection says that what was sent before has arrived.
    await rejection(states.getState({ agentId: "a" }));
    await server.close();
    expect(failureFromConnect(await held)).toMatchObject({ code: "UNAVAILABLE", message: "the server is stopping" });
    expect(logs.some(({ rpc, code }) => rpc === "opscore.v1.StateService/SetState" && code === "UNAVAILABLE")).toBe(
      true,
    );
  });
});

describe("connections", () => {
  it("idle ones are closed at once", async () => {
    const { url, port, server } = await startServer({ drainTimeoutMs: 60_000 });
    const http2 = connectHttp2(url);
    await once(http2, "remoteSettings");
    const goaway = once(http2, "goaway");
    const http1 = connect(port, "127.0.0.1");
    http1.write("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
    await once(http1, "data");
    const silent = connect(port, "127.0.0.1");
    await once(silent, "connect");
    const gone = [once(http2, "close"), once(http1, "close"), once(silent, "close")];
    await server.close();
    await Promise.all([goaway, ...gone]);
  });

  it("no new ones are accepted", async () => {
    const { port, server } = await startServer();
    await server.close();
    const [error] = (await once(connect(port, "127.0.0.1"), "error")) as [NodeJS.ErrnoException];
    expect(error.code).toBe("ECONNREFUSED");
  });

  it("a busy HTTP/1.1 one is closed after its answer", async () => {
    const { storage, reading, release } = slowStorage();
    const { port, server } = await startServer({ drainTimeoutMs: 60_000 }, { storage });
    const socket = connect(port, "127.0.0.1");
    const body = '{"agentId":"a"}';
    socket.write(
      "POST /opscore.v1.AgentService/GetAgent HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" +
        `Content-Length: ${body.length}\r\n\r\n${body}`,
    );
    await reading;
    const closed = server.close();
    release();
    let answer = "";
    for await (const chunk of socket) answer += String(chunk);
    expect(answer).toMatch(/^HTTP\/1\.1 404 /);
    await closed;
  });
});

describe("a call while the server stops", () => {
  it("is refused on a connection that is still there", async () => {
    const { storage, reading, release } = slowStorage();
    const { port, server } = await startServer({}, { storage });
    const agents = dynamicClient(port, "opscore.v1.AgentService");
    const inFlight = agents.unary("GetAgent", { agent_id: "a" });
    await reading;
    const closed = server.close();
    await expect(agents.unary("GetAgent", { agent_id: "a" })).rejects.toMatchObject({ code: 14 });
    release();
    await expect(inFlight).rejects.toMatchObject({ code: 5 });
    await closed;
  });
});

describe("close()", () => {
  it("answers all callers together, and again", async () => {
    const { server } = await startServer();
    expect(server.close()).toBe(server.close());
    await server.close();
    expect(server.address).toBeUndefined();
  });

  it("may come before listen()", async () => {
    const server = await build(loadConfig(), { logger: pino({ level: "silent" }) });
    await server.close();
  });

  it("leaves a storage open that it was given", async () => {
    const storage = createMemoryStorage();
    const first = await startServer({}, { storage });
    await createClient(AgentService, createGrpcTransport({ baseUrl: first.url })).registerAgent({ agentId: "a" });
    await first.server.close();
    const second = await startServer({}, { storage });
    const { agent } = await createClient(AgentService, createGrpcTransport({ baseUrl: second.url })).getAgent({
      agentId: "a",
    });
    expect(agent?.agentId).toBe("a");
  });
});

it("a port that is taken is the system's error", async () => {
  const { port } = await startServer();
  await expect(startServer({ port })).rejects.toMatchObject({ code: "EADDRINUSE" });
});
