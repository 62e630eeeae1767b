/** Calls that are begun and not finished. */
import { create, toBinary } from "@bufbuild/protobuf";
import { once } from "node:events";
import { constants, type ClientHttp2Stream } from "node:http2";
import { describe, expect, it } from "vitest";
import { WatchStateRequestSchema } from "../../../gen/opscore/v1/state_service_pb.js";
import { startServer } from "../../helpers/server.js";
import { envelope, expectServing, http2Session } from "./raw.js";

const CONNECTIONS = 5;
const CALLS = 10_000;
const UNARY = "/opscore.v1.AgentService/RegisterAgent";
const SERVER_STREAM = "/opscore.v1.StateService/WatchState";

/** Begins calls on several connections, and answers when all of them have reached the server. */
async function beginCalls(url: string, type: string, path: string): Promise<ClientHttp2Stream[]> {
  const streams: ClientHttp2Stream[] = [];
  for (let i = 0; i < CONNECTIONS; i += 1) {
    const session = await http2Session(url);
    for (let j = 0; j < CALLS / CONNECTIONS; j += 1) {
      const stream = session.request({ ":method": "POST", ":path": path, "content-type": type });
      stream.on("error", () => undefined);
      streams.push(stream);
    }
    // What was sent before a ping has arrived when it is answered.
    await new Promise((resolve) => session.ping(resolve));
  }
  return streams;
}

describe.each([
  ["gRPC, a unary call", "application/grpc", UNARY],
  ["gRPC, a server stream", "application/grpc", SERVER_STREAM],
  ["Connect, a unary call", "application/proto", UNARY],
  ["gRPC-Web, a server stream", "application/grpc-web+proto", SERVER_STREAM],
])("%s", (_, type, path) => {
  it(`${CALLS} half-open ones are ended, and others are served meanwhile`, async () => {
    const { url, logs } = await startServer({ requestTimeoutMs: 1500 });
    const streams = await beginCalls(url, type, path);
    await expectServing(url);
    const codes = await Promise.all(
      streams.map(async (stream) => {
        if (!stream.closed) await once(stream, "close");
        return stream.rstCode;
      }),
    );
    expect(new Set(codes)).toEqual(new Set([constants.NGHTTP2_CANCEL]));
    await expectServing(url);
    expect(logs.filter(({ level }) => level >= 50).slice(0, 3)).toEqual([]);
  }, 60_000);
});

it("a call that is finished in time is not ended, however long its answer takes", async () => {
  const { url } = await startServer({ requestTimeoutMs: 100 });
  const session = await http2Session(url);
  const watch = session.request({ ":method": "POST", ":path": SERVER_STREAM, "content-type": "application/grpc" });
  const request = create(WatchStateRequestSchema, { progressInterval: { seconds: 0n, nanos: 400_000_000 } });
  watch.end(envelope(toBinary(WatchStateRequestSchema, request)));
  const messages = watch.on("error", () => undefined)[Symbol.asyncIterator]();
  // SYNCED at once, PROGRESS after four times the time-out.
  for (let i = 0; i < 2; i += 1) expect((await messages.next()).done).toBe(false);
  watch.close(constants.NGHTTP2_CANCEL);
});

it("a stream of reports may stay open although nothing comes", async () => {
  const { url } = await startServer({ requestTimeoutMs: 50 });
  const session = await http2Session(url);
  const begin = (path: string): ClientHttp2Stream =>
    session
      .request({ ":method": "POST", ":path": path, "content-type": "application/grpc" })
      .on("error", () => undefined);
  const reports = begin("/opscore.v1.StateService/ReportStates");
  // Two in a row: when the second is ended, both generations have been swept since the first call.
  for (let i = 0; i < 2; i += 1) await once(begin(UNARY), "close");
  expect(reports.closed).toBe(false);
  reports.close(constants.NGHTTP2_CANCEL);
});
