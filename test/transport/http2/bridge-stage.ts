/** The bridge between two of Node's servers: its stream is what the bridge needs of one. */
import { once } from "node:events";
import {
  connect,
  constants,
  createServer,
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { afterEach, beforeEach } from "vitest";
import { Bridge } from "../../../src/transport/http2/bridge.js";

const MAX_STREAMS = 200;

type Handler = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void;

export interface Answer {
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  readonly trailers: IncomingHttpHeaders | undefined;
  readonly code: number | undefined;
}

/** A client, the server that has the bridge, and the one at its far end. */
export class BridgeStage {
  /** Answers at the far end; the test says how. */
  serve: Handler = () => undefined;
  readonly innerSessions: ServerHttp2Session[] = [];
  /** What the bridge was given. */
  readonly outerStreams: ServerHttp2Stream[] = [];
  readonly inner = createServer({ settings: { maxConcurrentStreams: MAX_STREAMS, enablePush: false } });
  readonly outer = createServer({ settings: { maxConcurrentStreams: MAX_STREAMS } });
  readonly bridge: Bridge;
  /** The newest end of a connection inside. */
  farEnd: Duplex | undefined;
  private session: ClientHttp2Session | undefined;

  constructor() {
    this.inner.on("stream", (stream, headers) => {
      stream.on("error", () => undefined);
      this.serve(stream, headers);
    });
    this.inner.on("session", (session) => this.innerSessions.push(session));
    this.bridge = new Bridge((socket) => {
      this.farEnd = socket;
      this.inner.emit("connection", socket);
    });
    this.outer.on("stream", (stream, headers, flags) => {
      this.outerStreams.push(stream);
      this.bridge.forward(stream, headers, (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0);
    });
  }

  get client(): ClientHttp2Session {
    if (this.session === undefined) throw new Error("the stage is not open");
    return this.session;
  }

  async open(): Promise<void> {
    this.outer.listen(0, "127.0.0.1");
    await once(this.outer, "listening");
    this.session = connect(`http://127.0.0.1:${(this.outer.address() as AddressInfo).port}`);
    this.session.on("error", () => undefined);
  }

  async close(): Promise<void> {
    this.bridge.close();
    this.client.destroy();
    this.outer.close();
    await once(this.outer, "close");
  }

  request(headers: OutgoingHttpHeaders, endStream = false): ClientHttp2Stream {
    const stream = this.client.request({ ":path": "/", ...headers }, { endStream });
    stream.on("error", () => undefined);
    return stream;
  }

  get(headers: OutgoingHttpHeaders = {}): Promise<Answer> {
    return answerTo(this.request(headers, true));
  }

  /** Lets the handler of the far end be waited for. */
  handled(then: Handler = () => undefined): Promise<ServerHttp2Stream> {
    return new Promise((resolve) => {
      this.serve = (stream, headers) => {
        then(stream, headers);
        resolve(stream);
      };
    });
  }
}

/** A stage for each case of the file. */
export function useBridge(): { readonly stage: BridgeStage } {
  let stage: BridgeStage | undefined;
  beforeEach(async () => {
    stage = new BridgeStage();
    await stage.open();
  });
  afterEach(() => stage?.close());
  return {
    get stage() {
      if (stage === undefined) throw new Error("there is a stage only while a case runs");
      return stage;
    },
  };
}

/** Reads an answer to its end, however that comes. */
export async function answerTo(stream: ClientHttp2Stream): Promise<Answer> {
  let headers: IncomingHttpHeaders = {};
  let trailers: IncomingHttpHeaders | undefined;
  const chunks: Buffer[] = [];
  stream.on("response", (received) => (headers = received));
  stream.on("trailers", (received: IncomingHttpHeaders) => (trailers = received));
  stream.on("data", (chunk: Buffer) => chunks.push(chunk));
  if (!stream.closed || !stream.destroyed) await new Promise<void>((resolve) => stream.once("close", resolve));
  return { headers, body: Buffer.concat(chunks), trailers, code: stream.rstCode };
}

/** Also with an error, which has a listener. */
export function closeOf(stream: { once(event: "close", listener: () => void): unknown }): Promise<void> {
  return new Promise((resolve) => {
    stream.once("close", () => resolve());
  });
}
