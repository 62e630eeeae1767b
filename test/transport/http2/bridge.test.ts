/** What goes over the bridge. */
import { createHash } from "node:crypto";
import { once } from "node:events";
import { type IncomingHttpHeaders, type ServerHttp2Stream } from "node:http2";
import { describe, expect, it } from "vitest";
import { ErrorCode } from "../../../src/transport/http2/protocol.js";
import { answerTo, useBridge } from "./bridge-stage.js";

const BODY = Buffer.alloc(5 * 1024 * 1024);
for (let index = 0; index < BODY.length; index += 4) BODY.writeUInt32LE(index, index);
const digest = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");

const on = useBridge();

describe("what is sent on", () => {
  it("a body of 5 MB, both ways, to a reader that is slow", async () => {
    on.stage.serve = (stream) => {
      stream.respond({ ":status": 200 });
      stream.pipe(stream);
    };
    const stream = on.stage.request({ ":method": "POST" });
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
      on.stage.serve = (stream) => {
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
    const stalled = on.stage.request({}, true);
    await once(stalled, "response");
    // Nobody reads that one: it is held up at the far end, and others are not.
    for (let others = 0; others < 3; others += 1) {
      const stream = on.stage.handled((other) => {
        other.respond({ ":status": 200 });
        other.end(BODY);
      });
      const answer = on.stage.get();
      await stream;
      expect((await answer).body.length).toBe(BODY.length);
    }
    expect(await Promise.race([whole, Promise.resolve("waits")])).toBe("waits");
    stalled.resume();
    expect(await whole).toBe("written");
  });

  it("headers, repeated ones, and pseudo headers, in both directions", async () => {
    let seen: IncomingHttpHeaders = {};
    on.stage.serve = (stream, headers) => {
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
    const { headers, body, trailers } = await on.stage.get({
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
      on.stage.serve = (stream) => {
        stream.respond({ ":status": 200 }, { waitForTrailers: true });
        stream.on("wantTrailers", () => stream.sendTrailers({ "x-sum": "12", "x-many": ["a", "b"] }));
        stream.end(text);
      };
      const { body, trailers } = await on.stage.get();
      expect(body.toString()).toBe(text);
      expect(trailers).toMatchObject({ "x-sum": "12", "x-many": "a, b" });
    }
  });

  it.each([
    ["HEAD", 200],
    ["GET", 204],
    ["GET", 304],
  ])("an answer without a body: %s, %i", async (method, status) => {
    on.stage.serve = (stream) => {
      stream.respond({ ":status": status, "x-length": "5" });
      stream.end();
    };
    const { headers, body, code } = await on.stage.get({ ":method": method });
    expect(headers).toMatchObject({ ":status": status, "x-length": "5" });
    expect(body.length).toBe(0);
    expect(code).toBe(ErrorCode.NO_ERROR);
  });

  it("the answer, without the informational ones before it", async () => {
    on.stage.serve = (stream) => {
      stream.additionalHeaders({ ":status": 103, link: "</a>" });
      stream.respond({ ":status": 200 });
      stream.end("done");
    };
    const { headers, body } = await on.stage.get();
    expect(headers[":status"]).toBe(200);
    expect(body.toString()).toBe("done");
  });

  it("a hundred streams at once, over one connection", async () => {
    const open: ServerHttp2Stream[] = [];
    on.stage.serve = (stream, headers) => {
      stream.respond({ ":status": 200, "x-path": headers[":path"] });
      stream.pipe(stream, { end: false });
      open.push(stream);
      // None of them ends before all of them are there.
      if (open.length === 100) for (const each of open) each.end();
    };
    const answers = Array.from({ length: 100 }, (_, index) =>
      answerTo(on.stage.request({ ":path": `/${index}` }, true)),
    );
    const paths = (await Promise.all(answers)).map(({ headers }) => headers["x-path"]);
    expect(paths).toEqual(Array.from({ length: 100 }, (_, index) => `/${index}`));
    expect(on.stage.innerSessions.length).toBe(1);
  });
});
