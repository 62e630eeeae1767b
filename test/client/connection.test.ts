/** What a client makes of peers that misbehave: the same on every lane, whatever the transport below calls it. */
import { Code } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { createOpsCoreClient, errorReason, type OpsCoreClientOptions } from "../../src/client/index.js";
import { failure, rejection } from "./helpers/failures.js";
import { http1Peer, http2Peer, nobody, tcpPeer } from "./helpers/peers.js";
import { HastyScheduler } from "./helpers/fake-scheduler.js";

type Lane = Pick<OpsCoreClientOptions, "transport" | "httpVersion"> & { readonly mime: string };

const HTTP2_LANES: readonly Lane[] = [
  { transport: "grpc", httpVersion: "2", mime: "application/grpc+proto" },
  { transport: "connect", httpVersion: "2", mime: "application/connect+proto" },
  { transport: "grpc-web", httpVersion: "2", mime: "application/grpc-web+proto" },
];
const LANES: readonly Lane[] = [
  ...HTTP2_LANES,
  { transport: "connect", httpVersion: "1.1", mime: "application/connect+proto" },
  { transport: "grpc-web", httpVersion: "1.1", mime: "application/grpc-web+proto" },
];

/** Calls once, and answers what a caller sees of it. */
async function unary(baseUrl: string, { transport, httpVersion }: Lane, timeoutMs?: number) {
  await using client = createOpsCoreClient({ baseUrl, transport, httpVersion, retry: { maxAttempts: 1 } });
  return await rejection(client.states.getState({ agentId: "a" }, timeoutMs === undefined ? {} : { timeoutMs }));
}

/** Watches until that is given up, and answers why. */
async function watch(baseUrl: string, { transport, httpVersion }: Lane) {
  await using client = createOpsCoreClient({ baseUrl, transport, httpVersion });
  return await rejection(client.watchState({}, { reconnect: { maxAttempts: 1 } }).next());
}

describe.each(LANES)("$transport over HTTP/$httpVersion", (lane) => {
  test.each([
    ["nobody listens", nobody],
    ["the peer hangs up", () => tcpPeer((socket) => socket.on("data", () => socket.destroy()))],
    ["the peer resets the connection", () => tcpPeer((socket) => socket.on("data", () => socket.resetAndDestroy()))],
  ])("%s: UNAVAILABLE", async (_, peer) => {
    const url = await peer();
    expect((await unary(url, lane)).code).toBe(Code.Unavailable);
    expect((await watch(url, lane)).code).toBe(Code.Unavailable);
  });

  test("a peer that never answers: DEADLINE_EXCEEDED, without a reason", async () => {
    const error = await unary(await tcpPeer(() => undefined), lane, 20);
    expect(error.code).toBe(Code.DeadlineExceeded);
    expect(errorReason(error)).toBeUndefined();
  });

  test("a peer that speaks something else is not taken for one that is away", async () => {
    const url = await tcpPeer((socket) => socket.write("220 mail.example.com ESMTP\r\n"));
    expect((await unary(url, lane)).code).not.toBe(Code.Unavailable);
    expect((await watch(url, lane)).code).not.toBe(Code.Unavailable);
  });
});

describe.each(HTTP2_LANES)("$transport over HTTP/2", (lane) => {
  test.each([
    ["is reset as an internal error", http2Code(2)],
    ["is refused", http2Code(7)],
    ["is canceled", http2Code(8)],
    ["is told to calm down", http2Code(11)],
    ["loses its connection", () => http2Peer((stream) => stream.session?.destroy())],
    [
      "gets a GOAWAY and loses its connection",
      () =>
        http2Peer((stream) => {
          stream.session?.goaway(0);
          stream.session?.destroy();
        }),
    ],
    [
      "is cut off in the middle of a message",
      () =>
        http2Peer((stream) => {
          stream.respond({ ":status": 200, "content-type": lane.mime });
          stream.end(Buffer.from([0, 0, 0, 0, 9, 1]));
        }),
    ],
    [
      "ends without a status",
      () =>
        http2Peer((stream) => {
          stream.respond({ ":status": 200, "content-type": lane.mime });
          stream.end();
        }),
    ],
  ])("a stream that %s: UNAVAILABLE, with its cause", async (_, peer) => {
    const error = await watch(await peer(), lane);
    expect(error.code).toBe(Code.Unavailable);
    expect(error.rawMessage).toMatch(/^connection lost: /);
    expect(error.cause).toBeDefined();
  });
});

function http2Code(code: number) {
  return () => http2Peer((stream) => stream.close(code));
}

test.each([502, 503, 504])("a proxy's HTTP %i: UNAVAILABLE", async (status) => {
  const url = await http1Peer((_, response) => response.writeHead(status).end("no"));
  const lane: Lane = { transport: "connect", httpVersion: "1.1", mime: "" };
  expect((await unary(url, lane)).code).toBe(Code.Unavailable);
});

test("a connection that is lost again and again is tried as often as the policy says", async () => {
  let streams = 0;
  const baseUrl = await http2Peer((stream) => {
    streams += 1;
    stream.session?.destroy();
  });
  await using client = createOpsCoreClient({ baseUrl, scheduler: new HastyScheduler(), retry: { maxAttempts: 4 } });
  expect((await rejection(client.states.getState({ agentId: "a" }))).code).toBe(Code.Unavailable);
  expect(streams).toBe(4);
});

test("a server's own failure stays what it is", async () => {
  const { callFailure } = await import("../../src/client/calls/failures.js");
  for (const reason of ["INTERNAL", "STALE_SEQUENCE", "INVALID_FIELD", "STORAGE_UNAVAILABLE"] as const) {
    const error = failure(reason);
    expect(callFailure(error, false)).toBe(error);
  }
});
