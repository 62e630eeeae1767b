/** Requests that go wrong on their way to Node's HTTP/2, sent as bare frames. */
import { once } from "node:events";
import { createServer } from "node:http2";
import { Worker } from "node:worker_threads";
import { expect, it, onTestFinished } from "vitest";
import { Bridge } from "../../../src/transport/http2/bridge.js";
import { encodeHeaders } from "../../../src/transport/http2/hpack/index.js";
import { ErrorCode, Flag, FrameType } from "../../../src/transport/http2/protocol.js";
import { frame } from "../../server/abuse/raw.js";
import { bare, Client, useBareServer } from "./bare.js";

useBareServer();

const STUCK_MS = 10_000;

/** Ends the process when the test does not: where Node's HTTP/2 sends without end, nothing else runs in this thread, and memory runs out. */
async function watched(): Promise<void> {
  const kill = `setTimeout(() => process.kill(process.pid, "SIGKILL"), ${STUCK_MS})`;
  const watchdog = new Worker(kill, { eval: true });
  onTestFinished(async () => {
    await watchdog.terminate();
  });
  await once(watchdog, "online");
}

it("a request that is reset when it has its answer, with data still to be sent on, is over", async () => {
  await watched();
  const inner = createServer();
  // It answers at once and goes on reading, so that the stream stays open.
  inner.on("stream", (stream) => {
    stream.on("error", () => undefined).resume();
    stream.respond({ ":status": 200 });
    stream.end("early");
  });
  const bridge = new Bridge((socket) => inner.emit("connection", socket));
  onTestFinished(() => {
    bridge.close();
  });
  bare.serve = (stream, headers, ended) => {
    bridge.forward(stream, headers, ended);
  };
  const client = new Client().request(1, 0);
  expect((await client.body(1)).toString()).toBe("early");
  const wrong = frame(FrameType.HEADERS, Flag.END_HEADERS, 1, encodeHeaders({ "x-more": "follows" }));
  client.send(frame(FrameType.DATA, 0, 1, "test"), wrong);
  expect(await client.resetCode(1)).toBe(ErrorCode.PROTOCOL_ERROR);
  expect((await client.request(3).body(3)).toString()).toBe("early");
});
