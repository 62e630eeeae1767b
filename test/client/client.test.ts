/** What a client costs, what it holds open, and how it lets go. */
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { Code, createClient } from "@connectrpc/connect";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { HealthCheckResponse_ServingStatus } from "../../gen/health/v1/health_pb.js";
import { State, WatchKind } from "../../gen/opscore/v1/common_pb.js";
import { StateService } from "../../gen/opscore/v1/state_service_pb.js";
import { callFailure } from "../../src/client/calls/failures.js";
import { openNodeTransport } from "../../src/client/calls/node-transport.js";
import { createOpsCoreClient } from "../../src/client/index.js";
import { root } from "../helpers/repository.js";
import { startServer } from "../helpers/server.js";
import { rejection } from "./helpers/failures.js";
import { tcpPeer } from "./helpers/peers.js";
import { Proxy } from "./helpers/proxy.js";

test("importing the client loads nothing of the runtime, so that browsers can, and no HTTP stack", () => {
  const STATIC = /^(?:import|export) (?!type\b)(?:[^;"]*? from )?"([^"]+)";/gm;
  const loaded = new Set(["src/index.ts"]);
  const packages = new Set<string>();
  for (const path of loaded) {
    for (const [, name = ""] of readFileSync(join(root, path), "utf8").matchAll(STATIC)) {
      if (name.startsWith(".")) loaded.add(join(dirname(path), name).replace(/\.js$/, ".ts"));
      else packages.add(name);
    }
  }
  expect(loaded).not.toContain("src/client/calls/node-transport.ts");
  expect(loaded).toContain("src/client/calls/lazy-transport.ts");
  expect([...packages].sort()).toEqual([
    "@bufbuild/protobuf",
    "@bufbuild/protobuf/codegenv2",
    "@bufbuild/protobuf/wkt",
    "@connectrpc/connect",
  ]);
});

describe.each([
  ["grpc", "2"],
  ["connect", "2"],
  ["connect", "1.1"],
  ["grpc-web", "1.1"],
] as const)("over %s, HTTP/%s", (transport, httpVersion) => {
  test("a client that is closed lets go of its connections, and of calls that wait on them", async () => {
    const { url } = await startServer();
    const proxy = await Proxy.start(url);
    const client = createOpsCoreClient({ baseUrl: proxy.url, transport, httpVersion });
    await client.health.check({});
    const waiting = rejection(client.states.waitForState({ agentId: "a", states: [3] }));
    await proxy.connected();
    client.close();
    expect(await waiting).toMatchObject({ rawMessage: "the client was closed" });
    await proxy.disconnected();
    expect(await rejection(client.health.check({}))).toMatchObject({ rawMessage: "the client was closed" });
    client.close();
  });

  test("a call that was made right before the end opens no connection after it", async () => {
    const { url } = await startServer();
    const proxy = await Proxy.start(url);
    const client = createOpsCoreClient({ baseUrl: proxy.url, transport, httpVersion });
    await client.health.check({});
    const waiting = rejection(client.states.waitForState({ agentId: "a", states: [3] }));
    client.close();
    expect(await waiting).toMatchObject({ rawMessage: "the client was closed" });
    await proxy.disconnected();
    expect(proxy.connections).toBe(1);
  });

  test("deadlines of any length, also in fractions, are no mistake", async () => {
    const { url } = await startServer();
    await using client = createOpsCoreClient({ baseUrl: url, transport, httpVersion, defaultTimeoutMs: 2 ** 40 });
    await client.health.check({});
    await client.health.check({}, { timeoutMs: 100_000_000 });
    for (const timeoutMs of [2 ** 31, 100_000_000, 30_000.5]) {
      for await (const { kind } of client.states.watchState({}, { timeoutMs })) {
        expect(kind).toBe(WatchKind.SYNCED);
        break;
      }
    }
  });
});

describe("over a transport that is somebody else's", () => {
  async function borrow() {
    const { url } = await startServer();
    const opened = openNodeTransport({ baseUrl: url, protocol: "grpc", httpVersion: "2" });
    onTestFinished(() => opened.close(new Error("the test is over")));
    return { url, transport: opened.transport, client: createOpsCoreClient({ baseUrl: url, ...opened }) };
  }

  test("a client that is closed ends its calls, and no others", async () => {
    const { url, transport, client } = await borrow();
    const other = createOpsCoreClient({ baseUrl: url, transport });
    await client.health.check({});
    const waiting = rejection(client.waitForState({ agentId: "a", states: [State.IDLE] }));
    const stream = client.states.watchState({})[Symbol.asyncIterator]();
    await stream.next();
    const streaming = rejection(stream.next());
    const staying = other.waitForState({ agentId: "a", states: [State.IDLE] });
    client.close();
    expect(await waiting).toMatchObject({ rawMessage: "the client was closed" });
    expect(await streaming).toMatchObject({ rawMessage: "the client was closed" });
    await other.agents.registerAgent({ agentId: "a", initialState: State.IDLE });
    expect((await staying).state?.agentId).toBe("a");
  });

  test("a signal ends its call, and is let go of by calls that are over", async () => {
    const { client } = await borrow();
    const controller = new AbortController();
    const { signal } = controller;
    const added = vi.spyOn(signal, "addEventListener");
    const removed = vi.spyOn(signal, "removeEventListener");
    await client.health.check({}, { signal });
    await rejection(client.agents.getAgent({ agentId: "none" }, { signal }));
    for await (const message of client.states.watchState({ agentIds: ["b"] }, { signal })) {
      if (message.kind !== WatchKind.SYNCED) continue;
      await client.agents.registerAgent({ agentId: "b" }, { signal });
      await client.agents.deregisterAgent({ agentId: "b" }, { signal });
    }
    const left = new Set(added.mock.calls.map(([, listener]) => listener));
    for (const [, listener] of removed.mock.calls) left.delete(listener);
    // The calls in the middle of the watch share its listener.
    expect(added).toHaveBeenCalledTimes(3);
    expect(left.size).toBe(0);
    const waiting = rejection(client.states.waitForState({ agentId: "a", states: [State.IDLE] }, { signal }));
    controller.abort();
    expect((await waiting).code).toBe(Code.Canceled);
  });
});

test("health, asked once and watched", async () => {
  const { url } = await startServer();
  await using client = createOpsCoreClient({ baseUrl: url });
  const watch = client.health.watch({ service: "opscore.v1.StateService" })[Symbol.asyncIterator]();
  expect((await watch.next()).value).toMatchObject({ status: HealthCheckResponse_ServingStatus.SERVING });
  await watch.return?.();
  const { statuses } = await client.health.list({});
  expect(Object.keys(statuses)).toContain("opscore.v1.StateService");
  expect(await rejection(client.health.check({ service: "none" }))).toMatchObject({ code: Code.NotFound });
});

test("many calls share one connection", async () => {
  const { url } = await startServer();
  const proxy = await Proxy.start(url);
  await using client = createOpsCoreClient({ baseUrl: proxy.url });
  await Promise.all(Array.from({ length: 50 }, () => client.health.check({})));
  await using watch = client.watchState();
  await watch.next();
  expect(proxy.connections).toBe(1);
});

test("a client that was closed before its first call was made", async () => {
  const client = createOpsCoreClient({ baseUrl: "http://127.0.0.1:1" });
  const call = rejection(client.health.check({}));
  client.close();
  expect(await call).toMatchObject({ rawMessage: "the client was closed" });
});

describe("a peer that is not there", () => {
  const PATIENCE = { pingIntervalMs: 20, pingTimeoutMs: 20, connectTimeoutMs: 30 };

  test("is noticed while a call waits on it, although nothing says so", async () => {
    const { url } = await startServer();
    const proxy = await Proxy.start(url);
    const opened = openNodeTransport({ baseUrl: proxy.url, protocol: "grpc", httpVersion: "2" }, PATIENCE);
    const waiting = createClient(StateService, opened.transport).waitForState({ agentId: "a", states: [3] });
    await proxy.connected();
    proxy.freeze();
    expect(callFailure(await rejection(waiting), false)).toMatchObject({ code: 14 });
    opened.close(new Error("the test is over"));
  });

  test("is noticed while it is being connected to", async () => {
    // A port that is open, and nobody behind it who would shake hands.
    const baseUrl = (await tcpPeer(() => undefined)).replace("http:", "https:");
    const opened = openNodeTransport({ baseUrl, protocol: "grpc", httpVersion: "2" }, PATIENCE);
    const call = createClient(StateService, opened.transport).getState({ agentId: "a" });
    expect(callFailure(await rejection(call), false)).toMatchObject({ code: 14 });
    opened.close(new Error("the test is over"));
  });
});
