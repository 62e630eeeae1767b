import type { IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";

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

export type StreamHandler = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void;
