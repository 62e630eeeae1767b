/** The client over a transport of `fetch`, as in a browser. */
import { Code, ConnectError } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-web";
import { expect, onTestFinished, test } from "vitest";
import { callFailure } from "../../src/client/calls/failures.js";
import { createOpsCoreClient, State, type RetryOptions } from "../../src/index.js";
import { freePort } from "../helpers/processes.js";
import { startServer } from "../helpers/server.js";
import { rejection } from "./helpers/failures.js";

function fetchingClient(baseUrl: string, retry: RetryOptions = {}) {
  const client = createOpsCoreClient({ baseUrl, transport: createConnectTransport({ baseUrl }), retry });
  onTestFinished(() => client.close());
  return client;
}

test.each([
  ["Chromium", "Failed to fetch"],
  ["Chromium, in the middle of an answer", "network error"],
  ["Firefox", "NetworkError when attempting to fetch resource."],
  ["Firefox, in the middle of an answer", "Error in input stream"],
  ["Safari", "Load failed"],
  ["Node", "fetch failed"],
  ["Node, in the middle of an answer", "terminated"],
])("what %s says of a lost connection is UNAVAILABLE", (_, words) => {
  const thrown = ConnectError.from(new TypeError(words));
  expect(thrown.code).toBe(Code.Unknown);
  expect(callFailure(thrown, false)).toMatchObject({ code: Code.Unavailable, rawMessage: `connection lost: ${words}` });
});

test("a mistake of the program is none", () => {
  const thrown = ConnectError.from(new TypeError("Failed to execute 'set' on 'Headers': invalid value"));
  expect(callFailure(thrown, false)).toBe(thrown);
});

test("a server that is not there is UNAVAILABLE", async () => {
  const client = fetchingClient(`http://127.0.0.1:${await freePort()}`, { maxAttempts: 1 });
  expect(await rejection(client.states.getState({ agentId: "a" }))).toMatchObject({ code: Code.Unavailable });
});

test("a watch goes on over a restart of the server", async () => {
  const port = await freePort();
  const first = await startServer({ port });
  const client = fetchingClient(first.url);
  await client.agents.registerAgent({ agentId: "a" });
  const watch = client.watchState();
  expect(await watch.next()).toMatchObject({ value: { type: "snapshot" } });
  expect(await watch.next()).toMatchObject({ value: { type: "synced" } });
  await first.server.close();
  await startServer({ port });
  expect(await watch.next()).toMatchObject({ value: { type: "resync" } });
  expect(await watch.next()).toMatchObject({ value: { type: "synced" } });
  await client.agents.registerAgent({ agentId: "b", initialState: State.IDLE });
  expect(await watch.next()).toMatchObject({ value: { type: "event", event: { state: { agentId: "b" } } } });
});
