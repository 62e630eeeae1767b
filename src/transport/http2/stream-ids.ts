import { ConnectionFault, ErrorCode } from "./protocol.js";

/** How many streams that were reset here are remembered one by one. */
const MAX_RESETS = 1024;

/** Which numbers of streams a client has used up, and on which of them something may still be on its way. */
export class StreamIds {
  /** The highest that was opened. */
  last = 0;
  /** No more are opened: GOAWAY has said so. */
  isClosed = false;
  private opened = 0;
  private readonly resets = new Set<number>();
  /** Which streams up to here were reset is forgotten. */
  private forgotten = 0;

  open(streamId: number): void {
    this.last = streamId;
    this.opened += 1;
  }

  /** A stream was reset here: its client goes on with it until it hears of that. */
  reset(streamId: number): void {
    this.resets.add(streamId);
    if (this.resets.size <= MAX_RESETS) return;
    const [oldest = 0] = this.resets;
    this.resets.delete(oldest);
    this.forgotten = Math.max(this.forgotten, oldest);
  }

  /** Whether a stream of that number is open, or has been, or would have been but for our GOAWAY. */
  wasOpened(streamId: number): boolean {
    return streamId !== 0 && (streamId <= this.last || this.isClosed);
  }

  /** Whether what comes on a stream that is not open may have been sent before its client knew that (RFC 9113 §5.1, §6.8). */
  mayBeLate(streamId: number): boolean {
    return streamId > this.last || streamId <= this.forgotten || this.resets.has(streamId);
  }

  /** @throws ConnectionFault: a stream would begin whose number cannot be used any more */
  reuse(): never {
    // Where numbers were left out nobody knows whether it was used (§5.1), or can be used no more because a higher one was (§5.1.1).
    const hasGaps = this.last !== 2 * this.opened - 1;
    throw new ConnectionFault(
      hasGaps ? ErrorCode.PROTOCOL_ERROR : ErrorCode.STREAM_CLOSED,
      "headers of a stream that is over",
    );
  }
}
