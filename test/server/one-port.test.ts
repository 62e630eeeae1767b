/** One port, every protocol: each registers an agent, reports, waits and watches. */
import { createClient, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { constants } from "node:http2";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { AgentService } from "../../gen/opscore/v1/agent_service_pb.js";
import { State, WatchKind } from "../../gen/opscore/v1/common_pb.js";
import { StateEvent_Type, StateService, WaitOutcome } from "../../gen/opscore/v1/state_service_pb.js";
import { dynamicClient } from "../helpers/grpc-js.js";
import { startServer, type TestServer } from "../helpers/server.js";
import { http2Session } from "./abuse/raw.js";

const run = promisify(execFile);

const TRANSPORTS: Record<string, (baseUrl: string) => Transport> = {
  gRPC: (baseUrl) => createGrpcTransport({ baseUrl }),
  "gRPC-Web over HTTP/1.1": (baseUrl) => createGrpcWebTransport({ baseUrl, httpVersion: "1.1" }),
  "gRPC-Web over HTTP/2": (baseUrl) => createGrpcWebTransport({ baseUrl, httpVersion: "2" }),
  "Connect over HTTP/1.1": (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "1.1" }),
  "Connect over HTTP/2": (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "2" }),
  "Connect over HTTP/1.1, JSON": (baseUrl) =>
    createConnectTransport({ baseUrl, httpVersion: "1.1", useBinaryFormat: false }),
};

describe.each(Object.entries(TRANSPORTS))("%s", (_, transportFor) => {
  it("registers, watches, reports and waits", async () => {
    const { url } = await startServer();
    const agents = createClient(AgentService, transportFor(url));
    const states = createClient(StateService, transportFor(url));
    expect(await agents.registerAgent({ agentId: "a" })).toMatchObject({ created: true });
    const abort = new AbortController();
    const seen: State[] = [];
    for await (const { kind, events } of states.watchState({ agentIds: ["a"] }, { signal: abort.signal })) {
      seen.push(...events.map(({ state }) => state?.state ?? State.UNSPECIFIED));
      if (kind === WatchKind.SYNCED) {
        const wait = states.waitForState({ agentId: "a", states: [State.ACTIVE] });
        await states.setState({ agentId: "a", state: State.IDLE });
        await states.setState({ agentId: "a", state: State.ACTIVE });
        expect(await wait).toMatchObject({ outcome: WaitOutcome.REACHED });
      }
      if (seen.length === 2) break;
    }
    expect(seen).toEqual([State.IDLE, State.ACTIVE]);
    abort.abort();
  });
});

describe("gRPC by grpc-js, from the proto files", () => {
  it("registers, watches, reports on a stream and waits", async () => {
    const { port } = await startServer();
    const agents = dynamicClient(port, "opscore.v1.AgentService");
    const states = dynamicClient(port, "opscore.v1.StateService");
    const watch = states.serverStream("WatchState", { agent_ids: ["a"] });
    const events = readEvents(watch);
    await agents.unary("RegisterAgent", { agent_id: "a", labels: { env: "prod" } });
    const reports = states.bidi("ReportStates");
    reports.write({ report: { agent_id: "a", state: "STATE_IDLE" } });
    reports.write({ report: { agent_id: "a", state: "STATE_UNSPECIFIED" } });
    reports.write({ report: { agent_id: "a", state: "STATE_FINISHED" } });
    reports.end();
    const answers: unknown[] = [];
    for await (const answer of reports) answers.push(answer);
    expect(answers).toMatchObject([
      { index: "0", accepted: { changed: true } },
      { index: "1", failed: { code: 3, reason: "INVALID_FIELD" } },
      { index: "2", accepted: { state: { state: "STATE_FINISHED" } } },
    ]);
    const wait = await states.unary("WaitForState", { agent_id: "a", states: ["STATE_IDLE"], after_revision: 1 });
    expect(wait).toMatchObject({ outcome: "WAIT_OUTCOME_REACHED" });
    await agents.unary("DeregisterAgent", { agent_id: "a" });
    expect(await events).toEqual(["TYPE_REGISTERED", "TYPE_TRANSITION", "TYPE_TRANSITION", "TYPE_DEREGISTERED"]);
  });

  /** Reads to the end, which comes with the last watched agent's. */
  async function readEvents(stream: AsyncIterable<unknown>): Promise<string[]> {
    const types: string[] = [];
    for await (const message of stream) {
      types.push(...(message as { events: { type: string }[] }).events.map(({ type }) => type));
    }
    return types;
  }
});

describe("JSON over HTTP/1.1", () => {
  it("by fetch", async () => {
    const { url } = await startServer();
    const call = async (rpc: string, body: unknown): Promise<unknown> => {
      const response = await fetch(`${url}/opscore.v1.${rpc}`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body),
      });
      expect(response.status).toBe(200);
      return response.json();
    };
    await call("AgentService/RegisterAgent", { agentId: "a", leaseTtl: "30s" });
    await call("StateService/SetState", { agentId: "a", state: "STATE_IDLE", details: { queue: [1, null, "x"] } });
    expect(await call("StateService/GetState", { agentId: "a" })).toMatchObject({
      state: { state: "STATE_IDLE", details: { queue: [1, null, "x"] }, incarnation: "1" },
    });
  });

  it("does not leave out a condition that it cannot read", async () => {
    const { url } = await startServer();
    const call = (rpc: string, body: unknown): Promise<Response> =>
      fetch(`${url}/opscore.v1.${rpc}`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body),
      });
    await call("AgentService/RegisterAgent", { agentId: "a", initialState: "STATE_IDLE" });
    const report = { agentId: "a", state: "STATE_ACTIVE" };
    for (const condition of [{ expectedStates: ["ERROR"] }, { expectedState: ["STATE_ERROR"] }]) {
      expect((await call("StateService/SetState", { ...report, ...condition })).status).toBe(400);
    }
    const state = await (await call("StateService/GetState", { agentId: "a" })).json();
    expect(state).toMatchObject({ state: { state: "STATE_IDLE" } });
  });

  it("by GET, for methods without side effects", async () => {
    const { url } = await startServer();
    const query = (rpc: string): Promise<Response> =>
      fetch(`${url}/opscore.v1.${rpc}?encoding=json&message=${encodeURIComponent('{"agentId":"a"}')}`);
    expect((await query("AgentService/GetAgent")).status).toBe(404);
    expect((await query("AgentService/DeregisterAgent")).status).toBe(405);
  });

  it.each([
    ["AgentService/GetAgent", "DELETE", undefined, 405, "a call is a POST or a GET"],
    ["AgentService/RegisterAgent", "GET", undefined, 405, "a call is a POST"],
    ["AgentService/GetAgent", "GET", undefined, 415, "?encoding=json&message={...}"],
    ["AgentService/GetAgent", "POST", undefined, 415, "content-type must be application/json, "],
    ["AgentService/GetAgent", "POST", "text/plain", 415, "content-type must be application/json, "],
    ["StateService/WatchState", "POST", "application/json", 415, "content-type must be application/connect+json, "],
  ])("says what it wants of %s in place of %s with %s", async (rpc, method, type, status, message) => {
    const { url } = await startServer();
    const body = method === "POST" ? Buffer.from("{}") : null;
    const headers: Record<string, string> = type === undefined ? {} : { "content-type": type };
    const response = await fetch(`${url}/opscore.v1.${rpc}`, { method, headers, body });
    expect([response.status, response.headers.get("content-type")]).toEqual([status, "application/json"]);
    const verbs = rpc === "AgentService/GetAgent" ? "GET, POST" : "POST";
    expect(response.headers.get("allow")).toBe(status === 405 ? verbs : null);
    expect(await response.json()).toMatchObject({
      code: "unimplemented",
      message: expect.stringContaining(message) as string,
    });
  });

  it.each(["--http1.1", "--http1.0", "--http2", "--http2-prior-knowledge"])("by curl %s", async (version) => {
    const { url } = await startServer();
    const curl = async (...args: string[]): Promise<unknown> => {
      const { stdout } = await run("curl", ["--silent", "--show-error", "--noproxy", "*", version, ...args]);
      return JSON.parse(stdout);
    };
    const json = ["--header", "content-type: application/json"];
    const registered = await curl(...json, "--data", '{"agentId":"a"}', `${url}/opscore.v1.AgentService/RegisterAgent`);
    expect(registered).toMatchObject({ created: true });
    expect(await curl(...json, "--data", '{"agentId":"b"}', `${url}/opscore.v1.AgentService/GetAgent`)).toMatchObject({
      code: "not_found",
    });
    expect(await curl(`${url}/healthz`)).toEqual({ status: "ok" });
    expect(await curl(`${url}/readyz`)).toEqual({ status: "ready" });
  });
});

describe("plain HTTP", () => {
  const request = async ({ url }: TestServer, path: string, init: RequestInit = {}) => {
    const response = await fetch(`${url}${path}`, init);
    return { status: response.status, type: response.headers.get("content-type"), body: await response.text() };
  };

  it("answers health and readiness", async () => {
    const running = await startServer({ apiKey: "k" });
    expect(await request(running, "/healthz")).toMatchObject({ status: 200, type: "application/json" });
    expect(await request(running, "/readyz")).toMatchObject({ status: 200, body: '{"status":"ready"}' });
    expect(await request(running, "/healthz?verbose=1", { method: "HEAD" })).toMatchObject({ status: 200, body: "" });
    expect(await request(running, "/healthz", { method: "DELETE" })).toMatchObject({ status: 405 });
  });

  it.each([
    ["/healthz", 200],
    ["/opscore.v1.AgentService/GetAgent", 405],
  ])("answers HEAD %s over HTTP/2 without a body", async (path, status) => {
    const { url, logs } = await startServer();
    const args = ["--silent", "--noproxy", "*", "--http2-prior-knowledge", "--head", `${url}${path}`];
    const { stdout } = await run("curl", args);
    expect(stdout).toContain(`HTTP/2 ${status}`);
    expect(logs.filter(({ code }) => code !== undefined)).toEqual([]);
  });

  it("answers anything else with a JSON 404", async () => {
    const running = await startServer();
    for (const path of ["/", "/nope", "/opscore.v1.AgentService", "/opscore.v1.AgentService/Nope", "//", "/%00"]) {
      const { status, type, body } = await request(running, path, { method: "POST", body: "x" });
      expect({ status, type, code: (JSON.parse(body) as { code: string }).code }, path).toEqual({
        status: 404,
        type: "application/json",
        code: "unimplemented",
      });
    }
  });
});

it("tells a gRPC client that a method is not implemented", async () => {
  const { port } = await startServer();
  const client = dynamicClient(port, "grpc.health.v1.Health", "health/v1/health.proto");
  await expect(client.unary("Check", { service: "nope" })).rejects.toMatchObject({ code: 5 });
  const grpc = createGrpcTransport({ baseUrl: `http://127.0.0.1:${port}` });
  const unknown = { ...StateService.method.getState, name: "Nope" } as typeof StateService.method.getState;
  await expect(grpc.unary(unknown, undefined, 1000, undefined, { agentId: "a" })).rejects.toMatchObject({ code: 12 });
  // In headers that end the stream: clients built on gRPC's C core take a status from no other headers.
  const session = await http2Session(`http://127.0.0.1:${port}`);
  const stream = session.request({ ":method": "POST", ":path": "/a.B/C", "content-type": "application/grpc" });
  const [headers, flags] = (await once(stream, "response")) as [object, number];
  expect(headers).toMatchObject({ ":status": 200, "grpc-status": "12" });
  expect(flags & constants.NGHTTP2_FLAG_END_STREAM).not.toBe(0);
  stream.close(constants.NGHTTP2_CANCEL);
});

it("serves events of other lanes to each lane", async () => {
  const { port, url } = await startServer();
  const abort = new AbortController();
  const web = createClient(StateService, createGrpcWebTransport({ baseUrl: url, httpVersion: "1.1" }));
  const types: StateEvent_Type[] = [];
  for await (const { kind, events } of web.watchState({}, { signal: abort.signal })) {
    if (kind === WatchKind.SYNCED) {
      await dynamicClient(port, "opscore.v1.AgentService").unary("RegisterAgent", { agent_id: "a" });
    }
    types.push(...events.map(({ type }) => type));
    if (types.length > 0) break;
  }
  expect(types).toEqual([StateEvent_Type.REGISTERED]);
  abort.abort();
});
