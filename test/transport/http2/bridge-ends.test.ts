/** What ends before its end, on either side of the bridge and on the bridge itself. */
import { createHash } from "node:crypto";
import { once } from "node:events";
import { type IncomingHttpHeaders, type ServerHttp2Stream } from "node:http2";
import { describe, expect, it } from "vitest";
import { ErrorCode } from "../../../src/transport/http2/protocol.js";
import { answerTo, closeOf, useBridge, type Answer } from "./bridge-stage.js";

const BODY = Buffer.alloc(5 * 1024 * 1024);
for (let index = 0; index < BODY.length; index += 4) BODY.writeUInt32LE(index, index);
const digest = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");

const on = useBridge();

describe("an end before the end", () => {
  it.each([ErrorCode.CANCEL, ErrorCode.INTERNAL_ERROR, ErrorCode.ENHANCE_YOUR_CALM])(
    "the client's reset, %i, reaches the handler",
    async (code) => {
      const serving = on.stage.handled((stream) => stream.respond({ ":status": 200 }));
      const stream = on.stage.request({ ":method": "POST" });
      await once(stream, "response");
      const far = await serving;
      const closed = closeOf(far);
      stream.close(code);
      await closed;
      expect(far.rstCode).toBe(code);
    },
  );

  it("the client's reset reaches a handler that has answered and reads on", async () => {
    const serving = on.stage.handled((stream) => {
      stream.on("data", () => undefined);
      stream.respond({ ":status": 200 });
      stream.end("early");
    });
    const stream = on.stage.request({ ":method": "POST" });
    stream.write("some");
    stream.resume();
    await once(stream, "end");
    const far = await serving;
    const closed = closeOf(far);
    stream.close(ErrorCode.CANCEL);
    await closed;
    expect(far.destroyed).toBe(true);
  });

  it.each([ErrorCode.CANCEL, ErrorCode.REFUSED_STREAM, ErrorCode.INTERNAL_ERROR])(
    "the handler's reset, %i, reaches the client, before an answer and within one",
    async (code) => {
      on.stage.serve = (stream) => stream.close(code);
      expect((await on.stage.get()).code).toBe(code);

      const serving = on.stage.handled((stream) => {
        stream.respond({ ":status": 200 });
        stream.write("half");
      });
      // Open: Node ends an answer before it resets its stream, which a client that is done takes for a good end.
      const stream = on.stage.request({ ":method": "POST" });
      const answer = answerTo(stream);
      stream.once("data", () => void serving.then((far) => far.close(code)));
      const { headers } = await answer;
      expect(headers[":status"]).toBe(200);
      expect(on.stage.outerStreams[1]?.rstCode).toBe(code);
    },
  );

  it("an early answer is read whole, and the client told to stop", async () => {
    on.stage.serve = (stream) => {
      stream.respond({ ":status": 413 });
      stream.end(BODY);
    };
    const stream = on.stage.request({ ":method": "POST" });
    stream.write(BODY);
    const { headers, body, code } = await answerTo(stream);
    expect(headers[":status"]).toBe(413);
    expect(digest(body)).toBe(digest(BODY));
    expect(code).toBe(ErrorCode.NO_ERROR);
  });

  it("a handler that has answered may read the request to its end", async () => {
    const received = new Promise<number>((resolve) => {
      on.stage.serve = (stream) => {
        let bytes = 0;
        stream.on("data", (chunk: Buffer) => (bytes += chunk.length));
        stream.on("end", () => resolve(bytes));
        stream.respond({ ":status": 200 });
        stream.end("early");
      };
    });
    const stream = on.stage.request({ ":method": "POST" });
    stream.once("end", () => stream.end(BODY));
    const { body, code } = await answerTo(stream);
    expect(body.toString()).toBe("early");
    expect(code).toBe(ErrorCode.NO_ERROR);
    expect(await received).toBe(BODY.length);
  });
});

describe("the connection inside", () => {
  /** One stream that waits for an answer, and one within it. */
  async function twoOpen(): Promise<{ waiting: Promise<Answer>; answered: Promise<Answer>; far: ServerHttp2Stream[] }> {
    const far: ServerHttp2Stream[] = [];
    const serving = on.stage.handled((stream) => {
      far.push(stream);
      stream.respond({ ":status": 200 });
      stream.write("half");
    });
    const stream = on.stage.request({}, true);
    const answered = answerTo(stream);
    await Promise.all([once(stream, "data"), serving]);
    const silent = on.stage.handled((other) => far.push(other));
    const waiting = on.stage.get();
    await silent;
    return { waiting, answered, far };
  }

  function echoPath(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    stream.respond({ ":status": 200 });
    stream.end(headers[":path"]);
  }

  it("destroyed: its streams end with an error, and the next one gets a new connection", async () => {
    const { waiting, answered } = await twoOpen();
    on.stage.farEnd?.destroy();
    expect((await waiting).code).toBe(ErrorCode.INTERNAL_ERROR);
    await answered;
    // Not what its client sees: Node ends an answer before it resets its stream.
    expect(on.stage.outerStreams[0]?.rstCode).toBe(ErrorCode.INTERNAL_ERROR);
    on.stage.serve = echoPath;
    expect((await on.stage.get({ ":path": "/next" })).body.toString()).toBe("/next");
    expect(on.stage.innerSessions.length).toBe(2);
  });

  it("drained: its streams go on to their end, and the next one gets a new connection", async () => {
    const { waiting, answered, far } = await twoOpen();
    const left = Promise.all(on.stage.innerSessions.map((session) => closeOf(session)));
    on.stage.innerSessions[0]?.close();
    on.stage.serve = echoPath;
    expect((await on.stage.get({ ":path": "/next" })).body.toString()).toBe("/next");
    far[0]?.end(" whole");
    far[1]?.respond({ ":status": 204 }, { endStream: true });
    expect((await answered).body.toString()).toBe("half whole");
    expect((await waiting).headers[":status"]).toBe(204);
    await left;
  });

  it("closed with the bridge: handlers learn of it, also those of a connection that was drained", async () => {
    const { waiting, answered, far } = await twoOpen();
    on.stage.innerSessions[0]?.close();
    const another = on.stage.handled();
    const third = on.stage.get();
    far.push(await another);
    expect(on.stage.innerSessions.length).toBe(2);
    const learned = Promise.all([...far, ...on.stage.innerSessions].map((each) => closeOf(each)));
    on.stage.bridge.close();
    await learned;
    expect((await waiting).code).toBe(ErrorCode.INTERNAL_ERROR);
    await answered;
    // Not what its client sees: Node ends an answer before it resets its stream.
    expect(on.stage.outerStreams[0]?.rstCode).toBe(ErrorCode.INTERNAL_ERROR);
    expect((await third).code).toBe(ErrorCode.INTERNAL_ERROR);
    expect((await on.stage.get()).code).toBe(ErrorCode.REFUSED_STREAM);
    expect(on.stage.innerSessions.length).toBe(2);
  });

  it("closed in the turn in which it was made", async () => {
    on.stage.serve = echoPath;
    on.stage.outer.once("stream", () => on.stage.bridge.close());
    expect((await on.stage.get()).code).toBe(ErrorCode.INTERNAL_ERROR);
  });
});
