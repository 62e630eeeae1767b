/** One signal that ends many things, as a program has one to stop with. */
import { getEventListeners } from "node:events";
import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, onTestFinished, test } from "vitest";
import { State } from "../../gen/opscore/v1/common_pb.js";
import { Agent, createOpsCoreClient, type OpsCoreClientOptions } from "../../src/client/index.js";
import { onAbort } from "../../src/client/signals.js";
import { startServer } from "../helpers/server.js";

/** More than the ten listeners at which Node warns. */
const MANY = 15;

/** What Node has warned of since. */
function warningsFromNow(): readonly Error[] {
  const warnings: Error[] = [];
  const note = (warning: Error) => warnings.push(warning);
  process.on("warning", note);
  onTestFinished(() => void process.off("warning", note));
  return warnings;
}

const many = <T>(make: (n: number) => T): T[] => Array.from({ length: MANY }, (_, n) => make(n));

async function toEnd(values: AsyncIterable<unknown>): Promise<void> {
  const iterator = values[Symbol.asyncIterator]();
  while ((await iterator.next()).done !== true);
}

const LANES: readonly Pick<OpsCoreClientOptions, "transport" | "httpVersion">[] = [
  { transport: "grpc" },
  { transport: "connect" },
  { transport: "connect", httpVersion: "1.1" },
  { transport: "grpc-web" },
];

describe.each(LANES)("%j", (lane) => {
  test("a signal ends any number of calls, waits and watches, without a warning, and is let go by what is over", async () => {
    const { url } = await startServer();
    const client = createOpsCoreClient({ baseUrl: url, ...lane });
    onTestFinished(() => client.close());
    const warnings = warningsFromNow();
    const stop = new AbortController();
    const { signal } = stop;

    await Promise.all(many((n) => client.agents.registerAgent({ agentId: `a${n}` }, { signal })));
    const agents = await Promise.all(many((n) => Agent.start({ client, agentId: `b${n}`, signal })));
    await Promise.all(agents.map((agent) => agent.stop()));
    expect(getEventListeners(signal, "abort")).toEqual([]);

    const condition = { agentId: "a0", states: [State.FINISHED] };
    const calls = many(() => client.states.waitForState(condition, { signal }));
    const waits = many(() => client.waitForState(condition, { signal }));
    const watches = many(() => client.watchState({}, { signal }));
    const streams = many(() => client.states.watchState({}, { signal })[Symbol.asyncIterator]());
    await Promise.all([
      ...watches.map((watch) => watch[Symbol.asyncIterator]().next()),
      ...streams.map((stream) => stream.next()),
    ]);
    const ended = Promise.all(watches.map(toEnd));
    const nexts = streams.map((stream) => stream.next());
    const ends = Promise.allSettled([...calls, ...waits, ...nexts]);
    stop.abort();
    for (const end of await ends) {
      expect(end.status === "rejected" && ConnectError.from(end.reason).code).toBe(Code.Canceled);
    }
    await ended;
    expect(warnings).toEqual([]);
    expect(getEventListeners(signal, "abort")).toEqual([]);
  });
});

describe("onAbort", () => {
  test("tells all who listen, once, and nobody who stopped", () => {
    const stop = new AbortController();
    const told: string[] = [];
    onAbort(stop.signal, () => told.push("a"));
    const off = onAbort(stop.signal, () => told.push("b"));
    onAbort(stop.signal, () => told.push("c"));
    off();
    off();
    stop.abort();
    stop.abort();
    onAbort(stop.signal, () => told.push("late"));
    expect(told).toEqual(["a", "c", "late"]);
    expect(getEventListeners(stop.signal, "abort")).toEqual([]);
  });

  test("listens anew after all have stopped", () => {
    const stop = new AbortController();
    onAbort(stop.signal, () => undefined)();
    const told: string[] = [];
    onAbort(stop.signal, () => told.push("again"));
    stop.abort();
    expect(told).toEqual(["again"]);
    onAbort(undefined, () => told.push("never"))();
    expect(told).toEqual(["again"]);
  });
});
