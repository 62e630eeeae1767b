/** HPACK against nghttp2 (Node's own HTTP/2), in both directions. */
import { once } from "node:events";
import { connect, type ClientHttp2Session, type IncomingHttpHeaders, type OutgoingHttpHeaders } from "node:http2";
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { encodeHeaders, HpackDecoder, type HeaderField } from "../../../src/transport/http2/hpack/index.js";
import { Flag, FrameType, PREFACE } from "../../../src/transport/http2/protocol.js";
import { frame } from "../../server/abuse/raw.js";
import { decodeFields, type Pair } from "./blocks.js";

/** A server that knows frames and nothing more: hands out the block of each request, and answers with the one it is given. */
class RawPeer {
  readonly blocks: Buffer[] = [];
  answer = encodeHeaders({ ":status": 200 });
  private readonly server: Server = createServer((socket) => this.serve(socket));

  async listen(): Promise<string> {
    await once(this.server.listen(0, "127.0.0.1"), "listening");
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    await new Promise((resolve) => this.server.close(resolve));
  }

  private serve(socket: Socket): void {
    let pending: Buffer = Buffer.alloc(0);
    let preface = PREFACE.length;
    let block: Buffer = Buffer.alloc(0);
    socket.on("error", () => undefined);
    socket.write(frame(FrameType.SETTINGS, 0, 0));
    socket.on("data", (chunk: Buffer) => {
      pending = Buffer.concat([pending, chunk]);
      if (pending.length < preface) return;
      pending = pending.subarray(preface);
      preface = 0;
      while (pending.length >= 9 && pending.length >= 9 + pending.readUIntBE(0, 3)) {
        const [type, flags, stream] = [pending.readUInt8(3), pending.readUInt8(4), pending.readUInt32BE(5)];
        const payload = pending.subarray(9, 9 + pending.readUIntBE(0, 3));
        pending = pending.subarray(9 + payload.length);
        if (type === FrameType.SETTINGS && (flags & Flag.ACK) === 0)
          socket.write(frame(FrameType.SETTINGS, Flag.ACK, 0));
        if (type === FrameType.HEADERS) block = Buffer.from(payload.subarray((flags & Flag.PRIORITY) === 0 ? 0 : 5));
        if (type === FrameType.CONTINUATION) block = Buffer.concat([block, payload]);
        if ((type === FrameType.HEADERS || type === FrameType.CONTINUATION) && (flags & Flag.END_HEADERS) !== 0) {
          this.blocks.push(block);
          socket.write(frame(FrameType.HEADERS, Flag.END_HEADERS | Flag.END_STREAM, stream, this.answer));
        }
      }
    });
  }
}

describe("with nghttp2 as the peer", () => {
  const peer = new RawPeer();
  let origin: string;
  let session: ClientHttp2Session;
  const decoder = new HpackDecoder();

  beforeAll(async () => {
    origin = await peer.listen();
    session = connect(origin);
  });
  afterAll(async () => {
    session.destroy();
    await peer.close();
  });

  /** @returns the fields that the server decoded, and what the client got */
  async function exchange(headers: OutgoingHttpHeaders): Promise<[HeaderField[], IncomingHttpHeaders]> {
    const request = session.request(headers);
    const [answer] = (await once(request, "response")) as [IncomingHttpHeaders];
    request.resume();
    await once(request, "close");
    const block = peer.blocks.pop();
    return [block === undefined ? [] : decodeFields(block, decoder), answer];
  }

  const regular = (fields: readonly HeaderField[]): Pair[] =>
    fields.filter(({ name }) => !name.startsWith(":")).map(({ name, value }) => [name, value]);

  // Few enough names and values for the table to be used, enough bytes for it to evict.
  const name = fc.oneof(
    fc.constantFrom("user-agent", "grpc-timeout", "accept", "x-a", "x-b"),
    fc.stringMatching(/^x-[a-z0-9_.-]{1,20}$/),
  );
  const value = fc.oneof(
    fc.constantFrom("a", "application/grpc", "100m", "x".repeat(700)),
    fc.stringMatching(/^[!-~]{1,40}$/),
    fc.stringMatching(/^[!-~][ -~\u0080-\u00ff]{0,300}[!-~]$/),
  );

  it("every byte goes through Huffman", async () => {
    for (let byte = 1; byte < 256; byte++) {
      // nghttp2 takes Huffman where it is shorter: "0" has 5 bits. Node cannot send a NUL, see the paddings for that.
      const text = "0".repeat(12) + String.fromCharCode(byte) + "0".repeat(12);
      const [fields] = await exchange({ "x-byte": text });
      expect(regular(fields)).toEqual([["x-byte", text]]);
    }
  });

  it("decodes what it encodes, request after request", async () => {
    await fc.assert(
      fc.asyncProperty(fc.dictionary(name, value, { maxKeys: 12, noNullPrototype: true }), async (headers) => {
        const [fields] = await exchange({ ":path": "/some/path", ...headers });
        const pseudo = fields.slice(0, 4).map((field) => [field.name, field.value]);
        expect(Object.fromEntries(pseudo)).toEqual({
          ":method": "GET",
          ":scheme": "http",
          ":authority": new URL(origin).host,
          ":path": "/some/path",
        });
        expect(regular(fields)).toEqual(Object.entries(headers));
      }),
      { numRuns: 300, endOnFailure: true },
    );
  });

  it("decodes what we encode", async () => {
    const status = fc.constantFrom(200, 204, 206, 304, 400, 404, 500, 201, 418, 503);
    const values = fc.oneof(value, fc.nat(), fc.array(value, { minLength: 1, maxLength: 3 }), fc.constant(undefined));
    const headers = fc.dictionary(name, values, { maxKeys: 12, noNullPrototype: true });
    await fc.assert(
      fc.asyncProperty(status, headers, async (code, answer) => {
        peer.answer = encodeHeaders({ ":status": code, "content-type": "application/grpc", ...answer });
        const [, got] = await exchange({});
        const sent = Object.entries(answer).filter(([, v]) => v !== undefined);
        const expected = sent.map(([key, v]) => {
          // Node keeps the first of these only.
          if (Array.isArray(v)) return [key, key === "user-agent" ? v[0] : v.join(", ")];
          return [key, String(v)];
        });
        // Without the list of sensitive names that Node adds under a symbol.
        expect(Object.fromEntries(Object.entries(got))).toEqual({
          ":status": code,
          "content-type": "application/grpc",
          ...(Object.fromEntries(expected) as IncomingHttpHeaders),
        });
      }),
      { numRuns: 300, endOnFailure: true },
    );
  });
});
