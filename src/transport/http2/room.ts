import type { SendOwner } from "./send-queue.js";

/** With so much that the windows of a client have no room for, only those of its streams write that can send at once. */
const CROWDED_BYTES = 4 * 1024 * 1024;
/** With so much they all write again. */
const THINNED_BYTES = CROWDED_BYTES / 2;

/** A stream that may have to wait before it writes. */
export interface RoomStream {
  readonly closed: boolean;
  /** Tells its writer to go on. @returns false when there is still no room for it */
  drain(): boolean;
}

/**
 * Decides which streams of a client may write, and tells those that had to wait. It is asked before each write, the first of a stream
 * too: thousands of watches of one client may all have something to say in the same turn, which together is more than the client's
 * windows or its socket should hold. A stream whose windows are open does not wait for others whose readers have stopped.
 */
export class Room {
  private readonly waiting = new Set<RoomStream>();
  private crowded = false;

  constructor(private readonly owner: SendOwner) {}

  /** @param window what the stream may send, in bytes */
  isFor(window: number): boolean {
    const { output, unsentBytes, sendWindow } = this.owner;
    if (output.isCongested) return false;
    if (unsentBytes >= CROWDED_BYTES) this.crowded = true;
    return !this.crowded || (window > 0 && sendWindow > 0);
  }

  /** The stream is told when there is room for it. */
  wait(stream: RoomStream): void {
    this.waiting.add(stream);
  }

  /** The stream has sent something of what waited, or may send more. */
  moved(stream: RoomStream): void {
    // Whoever is told may have to wait again at once.
    if (this.waiting.delete(stream) && !stream.closed && !stream.drain()) this.waiting.add(stream);
    this.thinOut();
  }

  /** The stream is closed, and nothing of it waits any more. */
  left(stream: RoomStream): void {
    this.waiting.delete(stream);
    this.thinOut();
  }

  /** The window of all streams together is wider, for which only those wait that others crowd out. */
  widened(): void {
    if (this.crowded) this.opened();
  }

  /** The socket has sent what it had. */
  opened(): void {
    if (this.waiting.size === 0) return;
    const waiting = [...this.waiting];
    this.waiting.clear();
    for (const stream of waiting) {
      if (!stream.closed && !stream.drain()) this.waiting.add(stream);
    }
  }

  private thinOut(): void {
    if (!this.crowded || this.owner.unsentBytes > THINNED_BYTES) return;
    this.crowded = false;
    this.opened();
  }
}
