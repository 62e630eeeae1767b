import type { IncomingHttpHeaders, OutgoingHttpHeaders } from "node:http2";

/**
 * A way in for HTTP/2 streams that bypasses Node's compatibility layer. Lanes are asked in order; a stream that none of them
 * wants goes to the HTTP handler.
 */
export interface StreamLane {
  /**
   * Called for every stream, so it must decide from a few headers.
   *
   * @returns what takes the stream over, or undefined to leave it alone
   */
  accepts(headers: IncomingHttpHeaders): StreamHandler | undefined;
}

export type StreamHandler = (stream: LaneStream, headers: IncomingHttpHeaders) => void;

export interface ResponseOptions {
  /** The stream goes on until {@link LaneStream.sendTrailers}. */
  readonly waitForTrailers?: boolean;
  /** The headers are all there is. */
  readonly endStream?: boolean;
  readonly sendDate?: boolean;
}

/** The part of Node's `ServerHttp2Stream` that is used of a stream, with the same meaning. There is one listener for each event. */
export interface ServedStream {
  /** It is over, well or not. */
  readonly closed: boolean;
  readonly destroyed: boolean;
  /** With which code it was reset; 0 while it was not. */
  readonly rstCode: number | undefined;
  readonly headersSent: boolean;
  /** The client has sent all that it will, and all of it was read. */
  readonly readableEnded: boolean;
  /** {@link end} was called. */
  readonly writableEnded: boolean;

  on(event: "data", listener: (chunk: Buffer) => void): this;
  on(event: "error", listener: (error: Error) => void): this;
  /** "aborted": it was closed while it could still be written to. "wantTrailers": all that was written is on its way. */
  on(event: "end" | "aborted" | "drain" | "wantTrailers" | "close", listener: () => void): this;

  pause(): this;
  resume(): this;
  isPaused(): boolean;

  /** Sends the headers. Frozen ones are encoded once for all streams. */
  respond(headers: OutgoingHttpHeaders, options: ResponseOptions): void;
  /** @returns false: write no more before "drain" */
  write(chunk: Buffer): boolean;
  end(last?: Buffer): unknown;
  sendTrailers(trailers: OutgoingHttpHeaders): void;
  /** Resets it. */
  close(code: number): void;
}

/** What a lane needs of an HTTP/2 stream. */
export interface LaneStream extends ServedStream {
  /** Whether it may be written to now. @returns false: write nothing before "drain" */
  askForRoom(): boolean;
}
