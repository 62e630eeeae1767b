/** The bridge between two of Node's servers: its stream is what the bridge needs of one. */
import { createHash } from "node:crypto";
import { once } from "node:events";
import {
  connect,
  constants,
  createServer,
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type Http2Server,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Bridge } from "../../../src/transport/http2/bridge.js";
import { ErrorCode } from "../../../src/transport/http2/protocol.js";

const MAX_STREAMS = 200;
const BODY = Buffer.alloc(5 * 1024 * 1024);
for (let index = 0; index < BODY.length; index += 4) BODY.writeUInt32LE(index, index);

type Handler = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void;

/** Answers at the far end; the test says how. */
let serve: Handler;
let inner: Http2Server;
let innerSessions: ServerHttp2Session[];
let outer: Http2Server;
/** What the bridge was given. */
let outerStreams: ServerHttp2Stream[];
let bridge: Bridge;
/** The newest one. */
let farEnd: Duplex;
let client: ClientHttp2Session;

beforeEach(async () => {
  outerStreams = [];
  innerSessions = [];
  inner = createServer({ settings: { maxConcurrentStreams: MAX_STREAMS, enablePush: false } });
  inner.on("stream", (stream, headers) => {
    stream.on("error", () => undefined);
    serve(stream, headers);
  });
  inner.on("session", (session) => innerSessions.push(session));
  bridge = new Bridge((socket) => {
    farEnd = socket;
    inner.emit("connection", socket);
  });
  outer = createServer({ settings: { maxConcurrentStreams: MAX_STREAMS } });
  outer.on("stream", (stream, headers, flags) => {
    outerStreams.push(stream);
    bridge.forward(stream, headers, (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0);
  });
  outer.listen(0, "127.0.0.1");
  await once(outer, "listening");
  client = connect(`http://127.0.0.1:${(outer.address() as AddressInfo).port}`);
  client.on("error", () => undefined);
});

afterEach(async () => {
  bridge.close();
  client.destroy();
  outer.close();
  await once(outer, "close");
});

interface Answer {
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  readonly trailers: IncomingHttpHeaders | undefined;
  readonly code: number | undefined;
}

function request(headers: OutgoingHttpHeaders, endStream = false): ClientHttp2Stream {
  const stream = client.request({ ":path": "/", ...headers }, { endStream });
  stream.on("error", () => undefined);
  return stream;
}

/** Reads an answer to its end, however that comes. */
async function answerTo(stream: ClientHttp2Stream): Promise<Answer> {
  let headers: IncomingHttpHeaders = {};
  let trailers: IncomingHttpHeaders | undefined;
  const chunks: Buffer[] = [];
  stream.on("response", (received) => (headers = received));
  stream.on("trailers", (received: IncomingHttpHeaders) => (trailers = received));
  stream.on("data", (chunk: Buffer) => chunks.push(chunk));
  if (!stream.closed || !stream.destroyed) await new Promise<void>((resolve) => stream.once("close", resolve));
  return { headers, body: Buffer.concat(chunks), trailers, code: stream.rstCode };
}

const get = (headers: OutgoingHttpHeaders = {}): Promise<Answer> => answerTo(request(headers, true));
/** Also with an error, which has a listener. */
const closeOf = (stream: { once(event: "close", listener: () => void): unknown }): Promise<void> =>
  new Promise((resolve) => {
    stream.once("close", () => resolve());
  });
const digest = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");

/** Lets the handler of the far end be waited for. */
function handled(then: Handler = () => undefined): Promise<ServerHttp2Stream> {
  return new Promise((resolve) => {
    serve = (stream, headers) => {
      then(stream, headers);
      resolve(stream);
    };
  });
}

describe("what is sent on", () => {
  it("a body of 5 MB, both ways, to a reader that is slow", async () => {
    serve = (stream) => {
      stream.respond({ ":status": 200 });
      stream.pipe(stream);
    };
    const stream = request({ ":method": "POST" });
    let turns = 0;
    stream.on("data", () => {
      turns += 1;
      stream.pause();
      setImmediate(() => stream.resume());
    });
    stream.end(BODY);
    const { body, code } = await answerTo(stream);
    expect(turns).toBeGreaterThan(10);
    expect(body.length).toBe(BODY.length);
    expect(digest(body)).toBe(digest(BODY));
    expect(code).toBe(ErrorCode.NO_ERROR);
  });

  it("no more than the client takes", async () => {
    const whole = new Promise<string>((resolve) => {
      serve = (stream) => {
        stream.respond({ ":status": 200 });
        let left = 40;
        const more = (): void => {
          while (left > 0) {
            left -= 1;
            if (!stream.write(BODY.subarray(0, 1024 * 1024))) break;
          }
          if (left === 0) stream.end(() => resolve("written"));
        };
        stream.on("drain", more);
        more();
      };
    });
    const stalled = request({}, true);
    await once(stalled, "response");
    // Nobody reads that one: it is held up at the far end, and others are not.
    for (let others = 0; others < 3; others += 1) {
      const stream = handled((other) => {
        other.respond({ ":status": 200 });
        other.end(BODY);
      });
      const answer = get();
      await stream;
      expect((await answer).body.length).toBe(BODY.length);
    }
    expect(await Promise.race([whole, Promise.resolve("waits")])).toBe("waits");
    stalled.resume();
    expect(await whole).toBe("written");
  });

  it("headers, repeated ones, and pseudo headers, in both directions", async () => {
    let seen: IncomingHttpHeaders = {};
    serve = (stream, headers) => {
      seen = headers;
      stream.respond({
        ":status": 418,
        "set-cookie": ["a=1", "b=2"],
        "x-many": ["one", "two"],
        "x-latin": "gr\u00fcn",
        date: "Thu, 01 Jan 1970 00:00:00 GMT",
      });
      stream.end("teapot");
    };
    const { headers, body, trailers } = await get({
      ":method": "DELETE",
      ":path": "/x?y=z",
      ":authority": "example.test:81",
      cookie: ["c=1", "d=2"],
      "x-many": ["one", "two"],
      te: "trailers",
    });
    expect(seen).toMatchObject({
      ":method": "DELETE",
      ":path": "/x?y=z",
      ":authority": "example.test:81",
      ":scheme": "http",
      cookie: "c=1; d=2",
      "x-many": "one, two",
      te: "trailers",
    });
    expect(headers).toMatchObject({
      ":status": 418,
      "set-cookie": ["a=1", "b=2"],
      "x-many": "one, two",
      "x-latin": "gr\u00fcn",
      date: "Thu, 01 Jan 1970 00:00:00 GMT",
    });
    expect(body.toString()).toBe("teapot");
    expect(trailers).toBeUndefined();
  });

  it("trailers, after a body and without one", async () => {
    for (const text of ["text", ""]) {
      serve = (stream) => {
        stream.respond({ ":status": 200 }, { waitForTrailers: true });
        stream.on("wantTrailers", () => stream.sendTrailers({ "x-sum": "12", "x-many": ["a", "b"] }));
        stream.end(text);
      };
      const { body, trailers } = await get();
      expect(body.toString()).toBe(text);
      expect(trailers).toMatchObject({ "x-sum": "12", "x-many": "a, b" });
    }
  });

  it.each([
    ["HEAD", 200],
    ["GET", 204],
    ["GET", 304],
  ])("an answer without a body: %s, %i", async (method, status) => {
    serve = (stream) => {
      stream.respond({ ":status": status, "x-length": "5" });
      stream.end();
    };
    const { headers, body, code } = await get({ ":method": method });
    expect(headers).toMatchObject({ ":status": status, "x-length": "5" });
    expect(body.length).toBe(0);
    expect(code).toBe(ErrorCode.NO_ERROR);
  });

  it("the answer, without the informational ones before it", async () => {
    serve = (stream) => {
      stream.additionalHeaders({ ":status": 103, link: "</a>" });
      stream.respond({ ":status": 200 });
      stream.end("done");
    };
    const { headers, body } = await get();
    expect(headers[":status"]).toBe(200);
    expect(body.toString()).toBe("done");
  });

  it("a hundred streams at once, over one connection", async () => {
    const open: ServerHttp2Stream[] = [];
    serve = (stream, headers) => {
      stream.respond({ ":status": 200, "x-path": headers[":path"] });
      stream.pipe(stream, { end: false });
      open.push(stream);
      // None of them ends before all of them are there.
      if (open.length === 100) for (const each of open) each.end();
    };
    const answers = Array.from({ length: 100 }, (_, index) => answerTo(request({ ":path": `/${index}` }, true)));
    const paths = (await Promise.all(answers)).map(({ headers }) => headers["x-path"]);
    expect(paths).toEqual(Array.from({ length: 100 }, (_, index) => `/${index}`));
    expect(innerSessions.length).toBe(1);
  });
});

describe("an end before the end", () => {
  it.each([ErrorCode.CANCEL, ErrorCode.INTERNAL_ERROR, ErrorCode.ENHANCE_YOUR_CALM])(
    "the client's reset, %i, reaches the handler",
    async (code) => {
      const serving = handled((stream) => stream.respond({ ":status": 200 }));
      const stream = request({ ":method": "POST" });
      await once(stream, "response");
      const far = await serving;
      const closed = closeOf(far);
      stream.close(code);
      await closed;
      expect(far.rstCode).toBe(code);
    },
  );

  it("the client's reset reaches a handler that has answered and reads on", async () => {
    const serving = handled((stream) => {
      stream.on("data", () => undefined);
      stream.respond({ ":status": 200 });
      stream.end("early");
    });
    const stream = request({ ":method": "POST" });
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
      serve = (stream) => stream.close(code);
      expect((await get()).code).toBe(code);

      const serving = handled((stream) => {
        stream.respond({ ":status": 200 });
        stream.write("half");
      });
      // Open: Node ends an answer before it resets its stream, which a client that is done takes for a good end.
      const stream = request({ ":method": "POST" });
      const answer = answerTo(stream);
      stream.once("data", () => void serving.then((far) => far.close(code)));
      const { headers } = await answer;
      expect(headers[":status"]).toBe(200);
      expect(outerStreams[1]?.rstCode).toBe(code);
    },
  );

  it("an early answer is read whole, and the client told to stop", async () => {
    serve = (stream) => {
      stream.respond({ ":status": 413 });
      stream.end(BODY);
    };
    const stream = request({ ":method": "POST" });
    stream.write(BODY);
    const { headers, body, code } = await answerTo(stream);
    expect(headers[":status"]).toBe(413);
    expect(digest(body)).toBe(digest(BODY));
    expect(code).toBe(ErrorCode.NO_ERROR);
  });

  it("a handler that has answered may read the request to its end", async () => {
    const received = new Promise<number>((resolve) => {
      serve = (stream) => {
        let bytes = 0;
        stream.on("data", (chunk: Buffer) => (bytes += chunk.length));
        stream.on("end", () => resolve(bytes));
        stream.respond({ ":status": 200 });
        stream.end("early");
      };
    });
    const stream = request({ ":method": "POST" });
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
    const serving = handled((stream) => {
      far.push(stream);
      stream.respond({ ":status": 200 });
      stream.write("half");
    });
    const stream = request({}, true);
    const answered = answerTo(stream);
    await Promise.all([once(stream, "data"), serving]);
    const silent = handled((other) => far.push(other));
    const waiting = get();
    await silent;
    return { waiting, answered, far };
  }

  function echoPath(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    stream.respond({ ":status": 200 });
    stream.end(headers[":path"]);
  }

  it("destroyed: its streams end with an error, and the next one gets a new connection", async () => {
    const { waiting, answered } = await twoOpen();
    farEnd.destroy();
    expect((await waiting).code).toBe(ErrorCode.INTERNAL_ERROR);
    await answered;
    // Not what its client sees: Node ends an answer before it resets its stream.
    expect(outerStreams[0]?.rstCode).toBe(ErrorCode.INTERNAL_ERROR);
    serve = echoPath;
    expect((await get({ ":path": "/next" })).body.toString()).toBe("/next");
    expect(innerSessions.length).toBe(2);
  });

  it("drained: its streams go on to their end, and the next one gets a new connection", async () => {
    const { waiting, answered, far } = await twoOpen();
    const left = Promise.all(innerSessions.map((session) => closeOf(session)));
    innerSessions[0]?.close();
    serve = echoPath;
    expect((await get({ ":path": "/next" })).body.toString()).toBe("/next");
    far[0]?.end(" whole");
    far[1]?.respond({ ":status": 204 }, { endStream: true });
    expect((await answered).body.toString()).toBe("half whole");
    expect((await waiting).headers[":status"]).toBe(204);
    await left;
  });

  it("closed with the bridge: handlers learn of it, also those of a connection that was drained", async () => {
    const { waiting, answered, far } = await twoOpen();
    innerSessions[0]?.close();
    const another = handled();
    const third = get();
    far.push(await another);
    expect(innerSessions.length).toBe(2);
    const learned = Promise.all([...far, ...innerSessions].map((each) => closeOf(each)));
    bridge.close();
    await learned;
    expect((await waiting).code).toBe(ErrorCode.INTERNAL_ERROR);
    await answered;
    // Not what its client sees: Node ends an answer before it resets its stream.
    expect(outerStreams[0]?.rstCode).toBe(ErrorCode.INTERNAL_ERROR);
    expect((await third).code).toBe(ErrorCode.INTERNAL_ERROR);
    expect((await get()).code).toBe(ErrorCode.REFUSED_STREAM);
    expect(innerSessions.length).toBe(2);
  });

  it("closed in the turn in which it was made", async () => {
    serve = echoPath;
    outer.once("stream", () => bridge.close());
    expect((await get()).code).toBe(ErrorCode.INTERNAL_ERROR);
  });
});
