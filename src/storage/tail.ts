import type { LogListener, LogTail, Position } from "./log.js";

/** A tail of a storage that reads its log once for all of them. */
export class Tail implements LogTail {
  closed = false;

  constructor(
    readonly start: Position,
    readonly listener: LogListener,
    private readonly onClose: (tail: Tail) => void,
  ) {}

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.onClose(this);
  }
}
