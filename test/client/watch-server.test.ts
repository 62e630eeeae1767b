/** Watches over real sockets against the real server: cut lines, restarts, cancels. */
import { setInterval } from "node:timers/promises";
import { pino } from "pino";
import { describe, expect, test } from "vitest";
import { State } from "../../gen/opscore/v1/common_pb.js";
import { SessionStatus } from "../../gen/opscore/v1/session_service_pb.js";
import { StateEvent_Type } from "../../gen/opscore/v1/state_service_pb.js";
import { createOpsCoreClient, type StateEntry, type StateWatch } from "../../src/client/index.js";
import { State as StateNumber } from "../../src/storage/records.js";
import { aRegistration, aReport } from "../helpers/records.js";
import { startServer, type LogLine } from "../helpers/server.js";
import { Proxy } from "./helpers/proxy.js";
import { RestartableServer } from "./helpers/restartable-server.js";

const LANES = [
  ["grpc", "2"],
  ["connect", "2"],
  ["connect", "1.1"],
  ["grpc-web", "2"],
  ["grpc-web", "1.1"],
] as const;

const SOON = { reconnect: { initialBackoffMs: 1, maxBackoffMs: 20 } };

describe.each(LANES)("over %s, HTTP/%s", (transport, httpVersion) => {
  test("snapshot, synced, events, and the end when the last agent is gone", async () => {
    const { url } = await startServer();
    await using client = createOpsCoreClient({ baseUrl: url, transport, httpVersion });
    await client.agents.registerAgent({ agentId: "a", initialState: State.IDLE });
    const watch = client.watchState({ agentIds: ["a"] });
    const seen: string[] = [];
    for await (const item of watch) {
      seen.push(describeItem(item));
      if (item.type === "synced") await client.states.setState({ agentId: "a", state: State.ACTIVE });
      if (seen.length === 3) await client.agents.deregisterAgent({ agentId: "a" });
    }
    expect(seen).toEqual(["snapshot IDLE", "synced", "TRANSITION ACTIVE", "DEREGISTERED ACTIVE"]);
  });

  test("a watch that is aborted while it waits ends, and the server learns of it", async () => {
    const ends = new LogLines();
    const { url } = await startServer({}, { logger: pino({ level: "debug" }, ends) });
    await using client = createOpsCoreClient({ baseUrl: url, transport, httpVersion });
    const controller = new AbortController();
    const watch = client.watchState({}, { signal: controller.signal });
    await watch.next();
    const next = watch.next();
    controller.abort();
    expect(await next).toEqual({ done: true, value: undefined });
    expect(await ends.next("WatchState")).toMatchObject({ code: "CANCELLED" });
  });

  test("a line that is cut is mended without a word", async () => {
    const { url } = await startServer();
    const proxy = await Proxy.start(url);
    await using client = createOpsCoreClient({ baseUrl: proxy.url, transport, httpVersion });
    await using direct = createOpsCoreClient({ baseUrl: url });
    await direct.agents.registerAgent({ agentId: "a" });
    const watch = client.watchState({}, SOON);
    expect(await take(watch, 2)).toEqual(["snapshot UNKNOWN", "synced"]);
    proxy.sever();
    await direct.states.setState({ agentId: "a", state: State.IDLE });
    await direct.states.setState({ agentId: "a", state: State.ACTIVE });
    proxy.mend();
    expect(await take(watch, 2)).toEqual(["TRANSITION IDLE", "TRANSITION ACTIVE"]);
    watch.close();
  });
});

test("a server that stops and comes back without its memory: resync, and what is there now", async () => {
  const server = await RestartableServer.start();
  await using client = createOpsCoreClient({ baseUrl: server.url });
  await client.agents.registerAgent({ agentId: "a", initialState: State.IDLE });
  const watch = client.watchState({}, SOON);
  expect(await take(watch, 2)).toEqual(["snapshot IDLE", "synced"]);
  const next = watch.next();
  await server.restart();
  expect((await next).value).toEqual({ type: "resync" });
  expect(await take(watch, 1)).toEqual(["synced"]);
  await client.agents.registerAgent({ agentId: "b", initialState: State.ACTIVE });
  expect(await take(watch, 1)).toEqual(["REGISTERED ACTIVE"]);
  watch.close();
});

test("sessions are watched in the same way", async () => {
  const { url } = await startServer();
  const proxy = await Proxy.start(url);
  await using client = createOpsCoreClient({ baseUrl: proxy.url });
  await using direct = createOpsCoreClient({ baseUrl: url });
  await direct.agents.registerAgent({ agentId: "a" });
  await direct.sessions.startSession({ agentId: "a", sessionId: "s" });
  const watch = client.watchSessions({ agentIds: ["a"] }, SOON);
  expect((await watch.next()).value).toMatchObject({ type: "snapshot", session: { sessionId: "s" } });
  expect((await watch.next()).value).toEqual({ type: "synced" });
  proxy.sever();
  await direct.sessions.updateSession({ session: { sessionId: "s", status: SessionStatus.RUNNING } });
  proxy.mend();
  expect((await watch.next()).value).toMatchObject({
    type: "event",
    event: { session: { status: SessionStatus.RUNNING }, previousStatus: SessionStatus.STARTED },
  });
  watch.close();
});

test("closing a client ends every watch of it, and hundreds of watches are no reason for a warning", async () => {
  const { url } = await startServer();
  const warnings: Error[] = [];
  const note = (warning: Error) => warnings.push(warning);
  process.on("warning", note);
  const client = createOpsCoreClient({ baseUrl: url });
  const watches = Array.from({ length: 200 }, () => client.watchState());
  await Promise.all(watches.map((watch) => watch.next()));
  const waiting = watches.map((watch) => watch.next());
  client.close();
  expect(new Set((await Promise.all(waiting)).map(({ done }) => done))).toEqual(new Set([true]));
  process.off("warning", note);
  expect(warnings).toEqual([]);
});

/**
 * The guarantee that everything else rests on, through the whole stack: lines are cut at any moment, also while the watch is just
 * coming back, and commits never stop.
 */
test(
  "a watch that is cut off and resumed a thousand times loses and repeats nothing",
  { timeout: 90_000 },
  async () => {
    const CUTS = 1_000;
    const AGENTS = 20;
    /** 2,000 commits a second. */
    const TICK_MS = 5;
    const COMMITS_A_TICK = 10;

    const { url, server } = await startServer({ logLevel: "silent" });
    const proxy = await Proxy.start(url);
    await using client = createOpsCoreClient({ baseUrl: proxy.url });
    const ids = Array.from({ length: AGENTS }, (_, index) => `agent-${index}`);
    for (const id of ids) await server.storage.registerAgent(aRegistration(id));
    const watch = client.watchState({}, { includeSnapshot: false, ...SOON });
    expect((await watch.next()).value).toEqual({ type: "synced" });

    const committed = new Map<string, bigint[]>(ids.map((id) => [id, []]));
    let outstanding = 0;
    async function commit(): Promise<void> {
      const id = ids[Math.floor(random() * AGENTS)] ?? "";
      const revisions = committed.get(id) ?? [];
      const state = revisions.length % 2 === 0 ? StateNumber.IDLE : StateNumber.ACTIVE;
      outstanding += 1;
      const outcome = await server.storage.setState(aReport(id, state));
      revisions.push(BigInt(outcome.state.revision));
    }

    const load = { isOver: false };
    const random = seeded(20_301);
    async function disturb(): Promise<void> {
      let cuts = 0;
      const ticks = setInterval(TICK_MS)[Symbol.asyncIterator]();
      while (cuts < CUTS) {
        await ticks.next();
        for (let count = 0; count < COMMITS_A_TICK; count++) {
          await commit();
          if (random() < 0.12 && proxy.cut()) cuts += 1;
        }
      }
      await ticks.return?.();
    }

    const disturbing = disturb().finally(() => {
      load.isOver = true;
      if (outstanding === 0) watch.close();
    });
    const seen = new Map<string, bigint[]>(ids.map((id) => [id, []]));
    for await (const item of watch) {
      if (item.type !== "event") throw new Error(`a gap: ${item.type}`);
      seen.get(item.event.state?.agentId ?? "")?.push(item.event.state?.revision ?? 0n);
      outstanding -= 1;
      if (load.isOver && outstanding === 0) break;
    }
    await disturbing;
    expect(seen).toEqual(committed);
    expect(proxy.connections).toBeGreaterThan(CUTS);
  },
);

async function take(watch: StateWatch, count: number): Promise<string[]> {
  const items: string[] = [];
  while (items.length < count) {
    const { value } = await watch.next();
    if (value === undefined) throw new Error("the watch has ended");
    items.push(describeItem(value));
  }
  return items;
}

function describeItem(item: StateEntry | { readonly type: "synced" | "resync" }): string {
  if (item.type === "snapshot") return `snapshot ${State[item.state.state]}`;
  if (item.type !== "event") return item.type;
  return `${StateEvent_Type[item.event.type]} ${State[item.event.state?.state ?? State.UNSPECIFIED]}`;
}

/** Chance that is the same in every run. */
function seeded(seed: number): () => number {
  return () => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647;
}

/** Where a server logs to: what it logs of an operation can be waited for. */
class LogLines {
  private readonly lines: LogLine[] = [];
  private waiting: (() => void)[] = [];

  write(line: string): void {
    this.lines.push(JSON.parse(line) as LogLine);
    for (const resolve of this.waiting.splice(0)) resolve();
  }

  async next(method: string): Promise<LogLine> {
    for (;;) {
      const line = this.lines.find((candidate) => JSON.stringify(candidate).includes(method));
      if (line !== undefined) return line;
      await new Promise<void>((resolve) => this.waiting.push(resolve));
    }
  }
}
