/**
 * One port for HTTP/1.1 and HTTP/2 without TLS: the first bytes of a connection say which it is. A client with prior knowledge of
 * HTTP/2 opens with a fixed preface (RFC 9113 §3.4) that no HTTP/1 request line can be.
 */
import type { Socket } from "node:net";

const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");

/** Takes over a connection whose first bytes can still be read. */
export type ConnectionHandler = (socket: Socket) => void;

/**
 * Hands `socket` over as soon as its first bytes decide; destroys it when they do not come in time.
 *
 * @param silenceMs for how long a connection may leave that open
 */
export function sniffProtocol(
  socket: Socket,
  silenceMs: number,
  { http1, http2 }: { readonly http1: ConnectionHandler; readonly http2: ConnectionHandler },
): void {
  let seen: Buffer | undefined;
  const silent = setTimeout(() => socket.destroy(), silenceMs);
  const onReadable = (): void => {
    const chunk: unknown = socket.read();
    if (!Buffer.isBuffer(chunk)) return;
    seen = seen === undefined ? chunk : Buffer.concat([seen, chunk]);
    const length = Math.min(seen.length, PREFACE.length);
    const isHttp2 = seen.compare(PREFACE, 0, length, 0, length) === 0;
    if (isHttp2 && length < PREFACE.length) return;
    release();
    socket.unshift(seen);
    (isHttp2 ? http2 : http1)(socket);
  };
  const onGone = (): void => {
    release();
    socket.destroy();
  };
  const release = (): void => {
    clearTimeout(silent);
    socket.off("readable", onReadable).off("error", onGone).off("end", onGone).off("close", onGone);
  };
  socket.on("readable", onReadable).on("error", onGone).on("end", onGone).on("close", onGone);
}
