/** A bare HTTP/2 stream: sees what client libraries hide, and can do what they never would. */
import { once } from "node:events";
import {
  connect,
  constants,
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type IncomingHttpHeaders,
} from "node:http2";
import { connect as connectSocket, type Socket } from "node:net";
import { usualCall, type RawCalling } from "../case.js";
import { addMetadata, detailsOf, isRaw, LIBRARY_OWN, shown, statusName, type ClientFields } from "../observation.js";
import type { Run } from "../run.js";
import { decode, encode, message, pathOf, textOf, type Content } from "../service.js";
import { AnswerQueue, type Client } from "./client.js";

const HEADER_BYTES = 5;

export const callRaw: Client = async (port, testCase, run) => {
  const windowBytes = isRaw(testCase) ? testCase.windowBytes : undefined;
  const settings = windowBytes === undefined ? {} : { initialWindowSize: windowBytes };
  const socket = connectSocket(port, "127.0.0.1");
  const session = connect(`http://127.0.0.1:${port}`, { settings, createConnection: () => socket });
  session.on("error", () => undefined);
  await once(session, "connect");
  try {
    const call = new RawCall(session, socket, run, {
      ":method": "POST",
      ":path": testCase.path ?? pathOf(testCase.kind),
      "content-type": "application/grpc",
      te: "trailers",
      ...(testCase.headers as Record<string, string | string[]>),
    });
    if (isRaw(testCase)) await testCase.raw(call);
    else if (testCase.call !== undefined) await testCase.call(call);
    else await usualCall(testCase.kind, call);
    await call.over();
    return await call.fields();
  } finally {
    session.destroy();
  }
};

/** One message in its envelope. */
export function envelope(content: Content, flags = 0, length?: number): Buffer {
  const bytes = encode(message(content));
  const head = Buffer.alloc(HEADER_BYTES);
  head.writeUInt8(flags, 0);
  head.writeUInt32BE(length ?? bytes.length, 1);
  return Buffer.concat([head, bytes]);
}

class RawCall implements RawCalling {
  readonly stream: ClientHttp2Stream;
  private readonly answers = new AnswerQueue();
  private readonly ended: Promise<void>;
  private headers: IncomingHttpHeaders | undefined;
  private trailers: IncomingHttpHeaders | undefined;
  private trailersOnly = false;
  private rest: Buffer = Buffer.alloc(0);
  private readonly goaways: string[] = [];
  private cancelled = false;

  constructor(
    readonly session: ClientHttp2Session,
    private readonly socket: Socket,
    readonly run: Run,
    headers: Record<string, string | string[]>,
  ) {
    session.on("goaway", (code, lastStreamId) => this.goaways.push(`code ${code} last ${lastStreamId}`));
    this.stream = session.request(headers, { endStream: false });
    this.stream
      .on("error", () => undefined)
      .on("response", (received, flags) => {
        this.headers = received;
        this.trailersOnly = (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0;
      })
      .on("trailers", (received: IncomingHttpHeaders) => (this.trailers = received))
      .on("data", (chunk: Buffer) => this.receive(chunk));
    this.ended = new Promise((resolve) => {
      const end = (): void => {
        this.answers.end();
        resolve();
      };
      this.stream.once("end", end).once("close", end);
    });
  }

  write(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve) => this.stream.write(bytes, () => resolve()));
  }

  send(content: Content): Promise<void> {
    return this.write(envelope(content));
  }

  end(): void {
    this.stream.end();
  }

  next(): Promise<string | undefined> {
    return this.answers.next();
  }

  cancel(): void {
    this.cancelled = true;
    this.reset(constants.NGHTTP2_CANCEL);
  }

  reset(code: number): void {
    this.stream.close(code);
  }

  vanish(): void {
    this.socket.resetAndDestroy();
  }

  ping(): Promise<void> {
    return new Promise((resolve) => {
      if (this.session.destroyed || !this.session.ping(() => resolve())) resolve();
    });
  }

  pause(): void {
    this.stream.pause();
  }

  resume(): void {
    this.stream.resume();
  }

  over(): Promise<void> {
    return this.ended;
  }

  isOver(): boolean {
    return this.stream.readableEnded || this.stream.closed;
  }

  async fields(): Promise<ClientFields> {
    // A server that closes the stream after its answer does so within a few turns of its event loop.
    for (let times = 0; times < 3; times++) await this.ping();
    const { headers, trailers, stream } = this;
    const fields: ClientFields = {
      messages: this.answers.all.map(shown),
      end: stream.destroyed || stream.closed ? `closed ${stream.rstCode}` : "open",
      goaway: this.goaways,
    };
    if (this.rest.length > 0) fields["half a message"] = this.rest.length;
    // What a client library says of a call that it has cancelled.
    if (this.cancelled) fields["status"] = "CANCELLED";
    if (headers === undefined) return fields;
    fields["http"] = headers[":status"] ?? null;
    const status = trailers ?? headers;
    fields["form"] = this.trailersOnly ? "trailers only" : trailers === undefined ? "no trailers" : "trailers";
    if (this.trailersOnly) {
      // The one block that there is has both.
      addMetadata(fields, "header", [["content-type", headers["content-type"] ?? "none"]]);
      addMetadata(fields, "trailer", textHeaders(headers), LIBRARY_OWN);
    } else {
      addMetadata(fields, "header", textHeaders(headers));
      if (trailers !== undefined) addMetadata(fields, "trailer", textHeaders(trailers));
    }
    const code = status["grpc-status"];
    if (code !== undefined) fields["status"] = statusName(Number(code));
    const text = status["grpc-message"];
    if (typeof text === "string") {
      fields["message"] = shown(decodeURIComponent(text));
      fields["message on the wire"] = shown(text);
    }
    const details = status["grpc-status-details-bin"];
    if (typeof details === "string") fields["details"] = detailsOf(Buffer.from(details, "base64"));
    return fields;
  }

  private receive(chunk: Buffer): void {
    this.rest = Buffer.concat([this.rest, chunk]);
    while (this.rest.length >= HEADER_BYTES) {
      const end = HEADER_BYTES + this.rest.readUInt32BE(1);
      if (this.rest.length < end) return;
      const text = /^application\/grpc(\+proto)?$/.test(this.headers?.["content-type"] ?? "")
        ? textOf(decode(this.rest.subarray(HEADER_BYTES, end)))
        : this.rest.toString("latin1", HEADER_BYTES, end);
      this.answers.push(this.rest[0] === 0 ? text : `flags ${String(this.rest[0])}: ${text}`);
      this.rest = this.rest.subarray(end);
    }
  }
}

function* textHeaders(headers: IncomingHttpHeaders): Generator<readonly [string, string]> {
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) yield [name, Array.isArray(value) ? value.join(", ") : value];
  }
}
