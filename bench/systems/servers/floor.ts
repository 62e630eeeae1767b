/**
 * The floor: what Node's HTTP/2 costs with nothing behind it. Every answer and every event is a constant of the right size; no
 * request is read, nothing is checked, nothing is kept.
 */
import { createServer, type ServerHttp2Stream } from "node:http2";
import { State } from "../../../gen/opscore/v1/common_pb.js";
import { WatchKind } from "../../../gen/opscore/v1/common_pb.js";
import {
  GetStateResponseSchema,
  ReportStatesResponseSchema,
  SetStateResponseSchema,
  StateEvent_Type,
  WatchStateResponseSchema,
} from "../../../gen/opscore/v1/state_service_pb.js";
import { encode } from "../../load/dialects/opscore.js";
import { envelope } from "../../load/http2/stream.js";
import { agentId } from "../population.js";
import { countEnvelopes } from "./envelopes.js";
import { serve } from "./serve.js";

const NOW = { seconds: 1_800_000_000n, nanos: 123_000_000 };
const STATE = {
  agentId: agentId(0),
  state: State.ACTIVE,
  liveness: 1,
  incarnation: 1n,
  sequence: 100_000n,
  commitTime: NOW,
  revision: 1_000_000n,
  actor: "api-key",
} as const;
const TOKEN = "x".repeat(40);
const SYNCED = envelope(encode(WatchStateResponseSchema, { kind: WatchKind.SYNCED, resumeToken: TOKEN }));
const EVENT = envelope(
  encode(WatchStateResponseSchema, {
    kind: WatchKind.EVENTS,
    events: [{ type: StateEvent_Type.TRANSITION, state: STATE, previous: STATE }],
    resumeToken: TOKEN,
  }),
);
const REPORTED = envelope(
  encode(ReportStatesResponseSchema, {
    index: 100_000n,
    result: { case: "accepted", value: { state: STATE, changed: true } },
  }),
);
const ANSWERS: Readonly<Record<string, Buffer>> = {
  SetState: envelope(encode(SetStateResponseSchema, { state: STATE, changed: true })),
  GetState: envelope(encode(GetStateResponseSchema, { state: STATE })),
};

const HEADERS = { ":status": 200, "content-type": "application/grpc+proto" } as const;
const OPTIONS = { waitForTrailers: true, sendDate: false };
const TRAILERS = { "grpc-status": "0" };

const watchers = new Set<ServerHttp2Stream>();
let pending = 0;

function commit(): void {
  if (watchers.size === 0) return;
  if (pending === 0) setImmediate(deliver);
  pending += 1;
}

/** All events of one turn, in one write for each watcher. */
function deliver(): void {
  const events = Buffer.concat(Array.from({ length: pending }, () => EVENT));
  pending = 0;
  for (const watcher of watchers) watcher.write(events);
}

function answer(stream: ServerHttp2Stream, method: string): void {
  const bytes = ANSWERS[method];
  if (bytes === undefined) throw new Error(`the floor has no ${method}`);
  stream.on("data", () => {
    if (method === "SetState") commit();
    stream.respond(HEADERS, OPTIONS);
    stream.once("wantTrailers", () => stream.sendTrailers(TRAILERS));
    stream.end(bytes);
  });
}

function watch(stream: ServerHttp2Stream): void {
  stream.resume();
  stream.respond(HEADERS, OPTIONS);
  stream.write(SYNCED);
  watchers.add(stream);
  stream.once("close", () => watchers.delete(stream));
}

function report(stream: ServerHttp2Stream): void {
  const count = countEnvelopes();
  stream.respond(HEADERS, OPTIONS);
  stream.on("data", (chunk: Buffer) => {
    stream.write(Buffer.concat(Array.from({ length: count(chunk) }, () => REPORTED)));
  });
}

serve(async ({ host }) => {
  const server = createServer({ settings: { initialWindowSize: 1024 * 1024, maxConcurrentStreams: 20_000 } });
  server.on("session", (session) => session.setLocalWindowSize(1024 * 1024));
  server.on("stream", (stream, headers) => {
    stream.on("error", () => stream.destroy());
    const method = headers[":path"]?.split("/")[2] ?? "";
    if (method === "WatchState") watch(stream);
    else if (method === "ReportStates") report(stream);
    else answer(stream, method);
  });
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("a TCP server has a port");
  return address.port;
});
