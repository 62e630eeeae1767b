/** Clients that do what no client library would. */
import { once } from "node:events";
import {
  connect as connectHttp2,
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type IncomingHttpHeaders,
} from "node:http2";
import { connect, type Socket } from "node:net";
import { expect, onTestFinished } from "vitest";

/** Checks that the server serves another client. */
export async function expectServing(url: string): Promise<void> {
  const response = await fetch(`${url}/opscore.v1.AgentService/RegisterAgent`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: '{"agentId":"bystander"}',
    signal: AbortSignal.timeout(10_000),
  });
  expect(response.status).toBe(200);
}

/** A TCP connection that keeps what it receives. */
export class RawConnection {
  received = Buffer.alloc(0);
  private readonly socket: Socket;
  private readonly gone: Promise<void>;

  constructor(port: number) {
    this.socket = connect(port, "127.0.0.1");
    this.socket.on("data", (chunk: Buffer) => (this.received = Buffer.concat([this.received, chunk])));
    // How it ends does not matter, only that it does.
    this.socket.on("error", () => undefined);
    this.gone = new Promise((resolve) => this.socket.once("close", () => resolve()));
    onTestFinished(() => {
      this.socket.destroy();
    });
  }

  send(data: string | Buffer): this {
    this.socket.write(data, "latin1");
    return this;
  }

  /** Half-closes. */
  end(): this {
    this.socket.end();
    return this;
  }

  /** Answers when the server has closed the connection, with everything it said. */
  async closed(): Promise<string> {
    await this.gone;
    return this.received.toString("latin1");
  }
}

export const HTTP2_PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/** One HTTP/2 frame. */
export function frame(type: number, flags: number, stream: number, payload: Buffer | string = ""): Buffer {
  const body = typeof payload === "string" ? Buffer.from(payload, "latin1") : payload;
  const head = Buffer.alloc(9);
  head.writeUIntBE(body.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, body]);
}

/** An HTTP/2 connection that is closed with the test. */
export async function http2Session(url: string): Promise<ClientHttp2Session> {
  const session = connectHttp2(url);
  session.on("error", () => undefined);
  onTestFinished(() => session.destroy());
  await once(session, "remoteSettings");
  return session;
}

export interface RawAnswer {
  readonly status: number | undefined;
  /** `grpc-status`, from trailers or headers. */
  readonly grpcStatus: string | undefined;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: Buffer;
  /** How the stream was closed: 0 is well. */
  readonly resetCode: number;
}

/** Answers when the stream is closed. */
export async function answerOf(stream: ClientHttp2Stream): Promise<RawAnswer> {
  let headers: Record<string, unknown> = {};
  const chunks: Buffer[] = [];
  const keep = (more: IncomingHttpHeaders): void => {
    headers = { ...headers, ...more };
  };
  stream.on("response", keep).on("trailers", keep);
  stream.on("data", (chunk: Buffer) => chunks.push(chunk));
  stream.on("error", () => undefined);
  await new Promise<void>((resolve) => stream.once("close", () => resolve()));
  const grpcStatus = headers["grpc-status"];
  return {
    status: typeof headers[":status"] === "number" ? headers[":status"] : undefined,
    grpcStatus: typeof grpcStatus === "string" ? grpcStatus : undefined,
    headers,
    body: Buffer.concat(chunks),
    resetCode: stream.rstCode,
  };
}

/** A length-prefixed message of gRPC. */
export function envelope(message: Uint8Array | string, flags = 0, length = Buffer.byteLength(message)): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt8(flags, 0);
  head.writeUInt32BE(length, 1);
  return Buffer.concat([head, typeof message === "string" ? Buffer.from(message, "latin1") : message]);
}
