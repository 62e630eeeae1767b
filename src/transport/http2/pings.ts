import type { Output } from "./output.js";
import { FrameType } from "./protocol.js";

const PING = Buffer.alloc(8);
/** A client that reads at least so fast, in bytes a second, is not taken for vanished while it reads what was sent before the question. */
const SLOW_READER_RATE = 32 * 1024;
/** What the systems of both sides may hold, and so what may lie before the question, is a few megabytes. */
const MAX_EXTRA_INTERVALS = 8;

/** Asks a client whether it is still there (RFC 9113 §6.7), and knows whether anything has come from it since. */
export class Pings {
  private asked = 0;
  private answers = 0;
  /** Who waits for which answer, in their order. */
  private readonly waiting: { readonly answer: number; readonly onAnswer: () => void }[] = [];
  /** So many checks have passed since something came. */
  private silence = 0;
  /** What had been written by then, in bytes. */
  private written = 0;
  /** The next answer that tells how much was read, and how much that is, in bytes of what was written. */
  private mark: { readonly answer: number; readonly written: number } | undefined;
  private read = 0;
  private readonly bytesPerInterval: number;

  /** @param intervalMs how often {@link check} is called, in milliseconds */
  constructor(
    private readonly output: Output,
    intervalMs: number,
  ) {
    this.bytesPerInterval = (SLOW_READER_RATE * intervalMs) / 1000;
  }

  /** What the client may not have read yet of what was written, in bytes; as far as its answers tell. */
  get unread(): number {
    return this.output.written - this.read;
  }

  /** Something has come. */
  hear(): void {
    this.silence = 0;
    this.written = this.output.written;
  }

  /** The client has read much: it is there, though what it has to read before it can answer may still be more than it has read. */
  progress(): void {
    this.silence = 0;
  }

  /** @param onAnswer called when the client has answered, by when it has also read all that was written before */
  ask(onAnswer?: () => void): void {
    this.asked += 1;
    this.mark ??= { answer: this.asked, written: this.output.written };
    if (onAnswer !== undefined) this.waiting.push({ answer: this.asked, onAnswer });
    this.output.frame(FrameType.PING, 0, 0, PING);
  }

  answered(): void {
    this.answers += 1;
    const { mark } = this;
    if (mark !== undefined && this.answers >= mark.answer) {
      this.read = mark.written;
      this.mark = undefined;
    }
    while ((this.waiting[0]?.answer ?? Infinity) <= this.answers) this.waiting.shift()?.onAnswer();
  }

  /**
   * Asks again, if it can be answered.
   *
   * A client that reads slowly gets to the question late: it has the longer the more was written to it since it said something. With
   * much on its way nothing that it says is read; until that is gone it is enough that it goes on reading, which its socket sees, see
   * {@link Output}.
   *
   * @returns false when it has said nothing for too long
   */
  check(): boolean {
    if (this.output.isCongested) return true;
    if (this.silence === 0) this.ask();
    else if (this.silence > this.extraIntervals) return false;
    this.silence += 1;
    return true;
  }

  private get extraIntervals(): number {
    const unread = this.output.written - this.written;
    return Math.min(MAX_EXTRA_INTERVALS, Math.floor(unread / this.bytesPerInterval));
  }
}
