import { createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { describe, expect, it } from "vitest";
import { ErrorInfoSchema, RetryInfoSchema } from "../../gen/google/rpc/error_details_pb.js";
import { State } from "../../gen/opscore/v1/common_pb.js";
import { StateService } from "../../gen/opscore/v1/state_service_pb.js";
import { failureFromConnect, rejection, startTransport } from "../transport/harness.js";

/** Handlers that say when a stream began and when it ended, and otherwise stay open. */
function openHandlers() {
  const ended: (() => void)[] = [];
  const waiting = (signal: AbortSignal): Promise<void> =>
    new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
  const handlers = {
    async *watchState(_: unknown, { signal }: { signal: AbortSignal }) {
      try {
        yield {};
        await waiting(signal);
      } finally {
        // The gate hears of the end after the handler returned.
        setImmediate(() => ended.shift()?.());
      }
    },
    async waitForState(_: unknown, { signal }: { signal: AbortSignal }) {
      await waiting(signal);
      return {};
    },
  };
  return { handlers, nextEnd: () => new Promise<void>((resolve) => ended.push(resolve)) };
}

describe.each([
  ["gRPC", (baseUrl: string) => createGrpcTransport({ baseUrl })],
  ["gRPC-Web", (baseUrl: string) => createGrpcWebTransport({ baseUrl, httpVersion: "1.1" })],
  ["Connect", (baseUrl: string) => createConnectTransport({ baseUrl, httpVersion: "2" })],
])("over %s", (_, transportFor) => {
  it("no more streams and waits are open than the limit, and one that ends makes room", async () => {
    const { handlers, nextEnd } = openHandlers();
    const { url, openCalls } = await startTransport({ states: handlers }, { maxStreams: 2 });
    const states = createClient(StateService, transportFor(url));
    const first = new AbortController();
    const streams = [first, new AbortController()].map(({ signal }) => states.watchState({}, { signal }));
    const iterators = streams.map((stream) => stream[Symbol.asyncIterator]());
    for (const iterator of iterators) await iterator.next();
    expect(openCalls.count).toBe(2);

    for (const refused of [
      states.watchState({})[Symbol.asyncIterator]().next(),
      states.waitForState({ agentId: "a", states: [State.IDLE] }),
    ]) {
      const failure = failureFromConnect(await rejection(refused));
      expect(failure.code).toBe("RESOURCE_EXHAUSTED");
      expect(failure.details(ErrorInfoSchema)).toMatchObject([{ reason: "TOO_MANY", metadata: { limit: "2" } }]);
      expect(failure.details(RetryInfoSchema)).toMatchObject([{ retryDelay: { seconds: 1n, nanos: 0 } }]);
    }

    const end = nextEnd();
    first.abort();
    await end;
    expect(openCalls.count).toBe(1);
    await states.watchState({})[Symbol.asyncIterator]().next();
    expect(openCalls.count).toBe(2);
  });

  it("a deadline ends a stream with DEADLINE_EXCEEDED, not as if it were over", async () => {
    const { handlers, nextEnd } = openHandlers();
    const { url, openCalls, logs } = await startTransport({ states: handlers });
    const end = nextEnd();
    const stream = createClient(StateService, transportFor(url)).watchState({}, { timeoutMs: 50 });
    const seen: unknown[] = [];
    const read = (async () => {
      for await (const message of stream) seen.push(message);
    })();
    expect(failureFromConnect(await rejection(read)).code).toBe("DEADLINE_EXCEEDED");
    await end;
    expect(openCalls.count).toBe(0);
    expect(logs.filter((line) => line["rpc"] === "opscore.v1.StateService/WatchState")).toMatchObject([
      { code: expect.stringMatching(/DEADLINE_EXCEEDED|CANCELLED/) as string, sent: 1 },
    ]);
  });
});
