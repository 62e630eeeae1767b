/** Which streams may write when what waits for a client's windows is much already. */
import { describe, expect, it } from "vitest";
import { ErrorCode, FrameType, Setting } from "../../../src/transport/http2/protocol.js";
import type { Stream } from "../../../src/transport/http2/stream.js";
import { frame } from "../../server/abuse/raw.js";
import { bare, Client, number, useBareServer } from "./bare.js";

/** With two of these the client is crowded: more than 4 MiB wait for it. */
const MUCH = Buffer.alloc(2_200_000);

useBareServer();

/**
 * Streams 1 and 3 have written much that there is no window for; stream 5 has asked before it writes `short`, and must wait.
 *
 * @param window of each stream, in bytes
 */
async function crowd(window: number): Promise<{ readonly client: Client; readonly streams: Map<number, Stream> }> {
  const streams = new Map<number, Stream>();
  let mayWrite: boolean | undefined;
  bare.serve = (stream) => {
    streams.set(stream.id, stream);
    stream.on("data", () => undefined);
    stream.respond({ ":status": 200 }, {});
    if (stream.id <= 3) stream.end(MUCH);
    else {
      stream.on("drain", () => stream.end(Buffer.from("short")));
      mayWrite = stream.askForRoom();
    }
  };
  const client = new Client([[Setting.INITIAL_WINDOW_SIZE, window]]);
  client.request(1).request(3).request(5);
  await client.of(FrameType.HEADERS, 5);
  expect(mayWrite).toBe(false);
  return { client, streams };
}

describe("a stream that was never written to", () => {
  it("waits until the others have sent most of what they had", async () => {
    const { client } = await crowd(0);
    client.window(0, MUCH.length * 3);
    client.window(1, MUCH.length);
    expect(await client.body(1)).toHaveLength(MUCH.length);
    // Half of what was too much is still waiting.
    client.window(3, 300_000);
    expect(await client.body(3, 300_000)).toHaveLength(300_000);
    client.window(5, 10);
    expect((await client.body(5)).toString()).toBe("short");
  });

  it("does not wait for those that are not read when it could send at once", async () => {
    const { client } = await crowd(0);
    client.window(5, 10);
    expect((await client.body(5)).toString()).toBe("short");
  });

  it("goes on when the window of all streams opens", async () => {
    const { client } = await crowd(65_535);
    client.window(0, 200_000);
    expect((await client.body(5)).toString()).toBe("short");
  });

  it("goes on when those that crowded it out are gone", async () => {
    const { client, streams } = await crowd(0);
    const wrote = new Promise<void>((resolve) => streams.get(5)?.on("drain", resolve));
    for (const id of [1, 3]) client.send(frame(FrameType.RST_STREAM, 0, id, number(ErrorCode.CANCEL)));
    await wrote;
    expect(bare.connections[0]?.unsentBytes).toBe(0);
  });
});
