import type { Socket } from "node:net";
import type { Output } from "./output.js";
import type { Pings } from "./pings.js";

/** For how long a client may not close its side that has read all that was said, or read nothing that has closed it; in milliseconds. */
const LINGER_MS = 1_000;
/** With more bytes to read than these a client is asked to say when it has. */
const MUCH_BYTES = 64 * 1024;

/**
 * How a connection ends without taking from its client what that has not read yet: a connection that is closed with something unread in
 * it, or to which something comes after it was closed, is reset, and what was sent last is lost with it.
 */
export class Farewell {
  private isWaiting = false;
  private closing: NodeJS.Timeout | undefined;

  /** @param stallMs for how long a client that has much to read may read nothing, in milliseconds; see {@link Output} */
  constructor(
    private readonly socket: Socket,
    private readonly output: Output,
    private readonly pings: Pings,
    private readonly stallMs: number,
  ) {}

  /** Calls back when the client has read what was said, but for what it reads at once. It may take its time as long as it says something. */
  whenRead(onRead: () => void): void {
    if (this.isWaiting) return;
    this.isWaiting = true;
    this.output.flush();
    if (this.hasMuch) {
      this.pings.ask(onRead);
      this.drained();
    } else {
      onRead();
    }
  }

  /** The socket has sent all that it was given, and forgotten for how long it should wait. */
  drained(): void {
    if (this.isWaiting) this.socket.setTimeout(this.hasMuch ? this.stallMs : LINGER_MS);
  }

  /** Says no more, and waits for the client to do the same. */
  say(): void {
    this.output.flush();
    this.socket.end();
    // What it still says then is thrown away, and must not keep the connection.
    this.socket.once("finish", () => this.closeSoon());
    this.socket.setTimeout(LINGER_MS);
  }

  /** The client says nothing more, not even that it has read: what was answered is on its way, and nobody waits for the rest. */
  answer(): void {
    this.output.flush();
    if (this.socket.writableLength === 0) this.socket.destroy();
    else this.socket.destroySoon();
    this.socket.setTimeout(LINGER_MS);
  }

  /** However much the client still says, and however slowly it reads. */
  closeSoon(): void {
    this.closing ??= setTimeout(() => this.socket.destroy(), LINGER_MS).unref();
  }

  private get hasMuch(): boolean {
    return this.pings.unread > MUCH_BYTES;
  }
}
