import type { Output } from "./output.js";
import { FrameType } from "./protocol.js";

const PING = Buffer.alloc(8);

/** Asks a client whether it is still there (RFC 9113 §6.7), and knows whether anything has come from it since. */
export class Pings {
  private readonly unanswered: (() => void)[] = [];
  private heard = true;

  constructor(private readonly output: Output) {}

  /** Something has come. */
  hear(): void {
    this.heard = true;
  }

  /** @param onAnswer called when the client has answered, by when it has also read all that was written before */
  ask(onAnswer: () => void = ignore): void {
    this.unanswered.push(onAnswer);
    this.output.frame(FrameType.PING, 0, 0, PING);
  }

  answered(): void {
    this.unanswered.shift()?.();
  }

  /**
   * Asks again, if it can be answered.
   *
   * A client that reads slowly gets to the question late, and with much on its way nothing that it says is read. Until that is gone it
   * is enough that it goes on reading, which its socket sees; see {@link Output}.
   *
   * @returns false when nothing has come since the last time
   */
  check(): boolean {
    if (this.output.isCongested) return true;
    if (!this.heard) return false;
    this.heard = false;
    this.ask();
    return true;
  }
}

function ignore(): void {
  // That it came is all there is to it.
}
