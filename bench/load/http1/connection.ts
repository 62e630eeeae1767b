/**
 * An HTTP/1.1 client that costs next to nothing: requests are put together by hand, one at a time on a connection that is kept, and of
 * the answers only the status and the length are read.
 */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import type { Address } from "../http2/connection.js";
import type { Answers } from "../http2/stream.js";
import type { Line } from "../closed-loop.js";

const HEAD_END = Buffer.from("\r\n\r\n");
const LENGTH = Buffer.from("content-length: ");
const EMPTY = Buffer.alloc(0);
/** Where the first digit of the status stands: `HTTP/1.1 202 Accepted`. */
const STATUS_AT = 9;
const TWO = 0x32;
const ZERO = 0x30;
const CARRIAGE_RETURN = 0x0d;

export class HttpConnection implements Line {
  private answers: Answers | undefined;
  private rest: Buffer = EMPTY;
  private closed = false;

  private constructor(
    private readonly socket: Socket,
    private readonly headers: string,
  ) {
    socket.setNoDelay();
    socket.on("data", this.onData);
  }

  /**
   * @param headers of every request, each line with its end
   * @param onFailure the connection broke
   */
  static async open(
    { host, port }: Address,
    headers: string,
    onFailure: (error: Error) => void,
  ): Promise<HttpConnection> {
    const socket = connect(port, host);
    await once(socket, "connect");
    const connection = new HttpConnection(socket, `host: ${host}:${port}\r\n${headers}`);
    socket.on("error", onFailure);
    socket.on("close", () => {
      if (!connection.closed) onFailure(new Error("the server closed the connection"));
    });
    return connection;
  }

  /**
   * Begins a request: a POST of what is given, a GET when that is nothing. Its body is told of only when its status is one of success.
   */
  call(path: string, message: Uint8Array, _end: boolean, answers: Answers): void {
    if (this.answers !== undefined) throw new Error("there is a request under way");
    this.answers = answers;
    if (message.length === 0) this.socket.write(`GET ${path} HTTP/1.1\r\n${this.headers}\r\n`, "latin1");
    else {
      const head = `POST ${path} HTTP/1.1\r\n${this.headers}content-type: application/json\r\ncontent-length: ${message.length}\r\n\r\n`;
      this.socket.write(Buffer.concat([Buffer.from(head, "latin1"), message]));
    }
  }

  close(): void {
    this.closed = true;
    this.socket.destroy();
  }

  private readonly onData = (chunk: Buffer): void => {
    const bytes = this.rest.length === 0 ? chunk : Buffer.concat([this.rest, chunk]);
    this.rest = bytes;
    const start = bytes.indexOf(HEAD_END) + HEAD_END.length;
    if (start < HEAD_END.length) return;
    const end = start + lengthOf(bytes, start);
    if (end > bytes.length) return;
    if (end < bytes.length) throw new Error("the server answers more than it was asked");
    this.rest = EMPTY;
    const { answers } = this;
    this.answers = undefined;
    if (bytes[STATUS_AT] === TWO) answers?.message(bytes, start, end);
    answers?.ended();
  };
}

/** What the head of an answer says of its body. @throws Error when it says nothing: the bench's servers always do */
function lengthOf(bytes: Buffer, end: number): number {
  let at = bytes.indexOf(LENGTH) + LENGTH.length;
  if (at < LENGTH.length || at > end) throw new Error("an answer does not say how long it is");
  let length = 0;
  for (; bytes[at] !== CARRIAGE_RETURN; at += 1) length = length * 10 + (bytes[at] ?? 0) - ZERO;
  return length;
}
