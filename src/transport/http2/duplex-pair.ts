import { Duplex } from "node:stream";

/**
 * One end of a connection inside of the process. A write is done once the other end has it, read or not: as with a socket, whose
 * buffers are the system's. Node's pair waits for the reader; but an HTTP/2 session of Node's does not read while it writes, so two
 * of them that both have much to send would wait for each other for ever. What is unread is bounded by the windows of HTTP/2.
 */
class End extends Duplex {
  peer: End | undefined;

  override _read(): void {
    // What comes is pushed by the other end.
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.peer?.push(chunk);
    done();
  }

  override _final(done: () => void): void {
    this.peer?.push(null);
    done();
  }

  /** Destroying one end is the end of the other. */
  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    const { peer } = this;
    this.peer = undefined;
    setImmediate(() => peer?.destroy());
    done(error);
  }
}

/** Two ends of one connection. */
export function duplexPair(): [Duplex, Duplex] {
  const near = new End();
  const far = new End();
  near.peer = far;
  far.peer = near;
  return [near, far];
}
