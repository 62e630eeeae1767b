/**
 * The server's HTTP/2 under clients that come and go, well and badly, for a long time: it holds as much at the end as after the first
 * rounds, it lost no report that it acknowledged, and nothing hung.
 *
 * `OPSCORE_SOAK_SECONDS` says how long it lasts (90). What was held is printed once a minute.
 */
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { expect, it, onTestFinished } from "vitest";
import { StateService } from "../../gen/opscore/v1/state_service_pb.js";
import { call, Ledger, prepare, WAYS, whileWatching } from "./http2-soak/callers.js";
import { callByGrpcJs } from "./http2-soak/grpc-js.js";
import { MISDEEDS } from "./http2-soak/misdeeds.js";
import { ProbedServer, type Holdings } from "./http2-soak/probed-server.js";

const SECONDS = Number(process.env["OPSCORE_SOAK_SECONDS"] ?? 90);
/** Until then caches, logs and histories fill up. */
const FIRST_ROUNDS = 8;
/** What is held goes up and down: some rounds are looked at together. */
const LOOKED_AT = 5;
/** What there is for each connection and stream, of ours and of Node's. */
const KINDS = ["Connection", "Stream", "Bridge", "ServerHttp2Session", "ServerHttp2Stream"];
/** The last ones of a kind may be kept by what ran last. */
const FORGOTTEN_LATE = 5;
const PRINT_EVERY_MS = 60_000;
const MIB = 1024 * 1024;
/** How much more may be held at the end than after the first rounds, in bytes. */
const MAX_GROWTH = { heap: 8 * MIB, buffers: 8 * MIB, rss: 64 * MIB };

/** Small, so that they are full after the first rounds. */
const SETTINGS = { OPSCORE_HISTORY_MAX_ENTRIES: "500", OPSCORE_LOG_MAX_ENTRIES: "2000" };

function median(held: readonly Holdings[], what: keyof Holdings): number {
  const sorted = held.map((each) => each[what]).sort((one, other) => one - other);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

it("holds no more after many rounds than after a few", { timeout: SECONDS * 1000 + 5 * 60_000 }, async () => {
  const server = await ProbedServer.start(SETTINGS);
  onTestFinished(() => server.stop());
  const { files } = await server.holdings();
  await prepare(server.url);
  await whileWatching(server.url, async () => {
    for (const [name, number] of Object.entries(await server.objects(...KINDS)))
      expect(number, name).toBeGreaterThan(0);
  });
  const ledgers = new Map([...Object.keys(WAYS), "grpc-js"].map((way) => [way, new Ledger(`agent-${way}`)]));
  const round = async (): Promise<void> => {
    const good = [...ledgers].map(([way, ledger]) =>
      way === "grpc-js" ? callByGrpcJs(server.port, ledger) : call(server.url, way, ledger),
    );
    const bad = Object.entries(MISDEEDS).map(async ([name, misdeed]) => {
      try {
        await misdeed(server.port);
      } catch (thrown) {
        throw new Error(`${name} went wrong`, { cause: thrown });
      }
    });
    await Promise.all([...good, ...bad]);
  };

  const held: Holdings[] = [];
  const until = performance.now() + SECONDS * 1000;
  let printed = -Infinity;
  while (performance.now() < until || held.length < FIRST_ROUNDS + 2 * LOOKED_AT) {
    await round();
    const now = await server.holdings();
    expect(now.sockets, `after round ${held.length}`).toBe(0);
    held.push(now);
    if (performance.now() - printed < PRINT_EVERY_MS) continue;
    printed = performance.now();
    console.log(`round ${held.length}: ${describeHoldings(now)}, reports ${sum(ledgers)}`);
  }

  const first = held.slice(FIRST_ROUNDS, FIRST_ROUNDS + LOOKED_AT);
  const last = held.slice(-LOOKED_AT);
  console.log(
    `${held.length} rounds, ${sum(ledgers)} reports; first ${describeHoldings(first[0])}, last ${describeHoldings(last.at(-1))}`,
  );
  for (const [what, growth] of Object.entries(MAX_GROWTH) as [keyof typeof MAX_GROWTH, number][]) {
    expect(median(last, what) - median(first, what), what).toBeLessThan(growth);
  }
  expect(median(last, "files")).toBe(median(first, "files"));
  expect(files).toBeLessThanOrEqual(median(first, "files"));
  const objects = await server.objects(...KINDS);
  for (const [name, number] of Object.entries(objects)) expect(number, name).toBeLessThanOrEqual(FORGOTTEN_LATE);
  // Once more by somebody who was not there: every history is as long as it may be.
  const sessionManager = new Http2SessionManager(server.url);
  const states = createClient(StateService, createGrpcTransport({ baseUrl: server.url, sessionManager }));
  for (const { agentId, acknowledged } of ledgers.values()) {
    expect(acknowledged).toBeGreaterThan(0);
    const { events } = await states.getStateHistory({ agentId, pageSize: 1000 });
    expect(events.length).toBeGreaterThanOrEqual(Math.min(acknowledged, 500));
  }
  sessionManager.abort();
});

function sum(ledgers: ReadonlyMap<string, Ledger>): number {
  return [...ledgers.values()].reduce((all, { acknowledged }) => all + acknowledged, 0);
}

function describeHoldings(held: Holdings | undefined): string {
  if (held === undefined) return "nothing";
  const mib = (bytes: number): string => `${(bytes / MIB).toFixed(1)} MiB`;
  return `heap ${mib(held.heap)}, buffers ${mib(held.buffers)}, rss ${mib(held.rss)}, ${held.files} files`;
}
