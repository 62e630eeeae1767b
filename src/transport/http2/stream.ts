import type { OutgoingHttpHeaders } from "node:http2";
import type { LaneStream, ResponseOptions } from "../lane.js";
import { blockOf } from "./header-blocks.js";
import { CREDIT_BYTES, ErrorCode, Flag, FrameType } from "./protocol.js";
import type { Room } from "./room.js";
import { MAX_UNSENT_BYTES, SendQueue, type SendOwner } from "./send-queue.js";
import { Unread } from "./unread.js";

/** With so much that the client's window has no room for, the writer is asked to wait. */
const HIGH_WATER_BYTES = 16 * 1024;
const NOTHING = Buffer.alloc(0);

/** What a stream needs of its connection. */
export interface StreamOwner extends SendOwner {
  /** The stream has something to send and no window for it, of its own or of the connection. */
  blocked(stream: Stream): void;
  /** Tells the client that a stream was reset. */
  reset(streamId: number, code: number): void;
  readonly room: Room;
  /** So many bytes of a stream's data were read, or thrown away. */
  consumed(bytes: number): void;
  /** Both sides are done, or it was reset. */
  closed(stream: Stream): void;
}

/** One stream of a {@link Connection}, for whoever answers it. */
export class Stream implements LaneStream {
  closed = false;
  rstCode = 0;
  headersSent = false;
  readableEnded = false;
  writableEnded = false;
  /** What the client may still send, in bytes. */
  receiveWindow: number;
  /** What its request announces as its length; undefined when it does not. */
  expectedBytes: number | undefined;
  /** Its request must be sent in time. */
  isTimed = false;
  /** Its request was still being sent when it was last looked at. */
  isLate = false;

  private onData: ((chunk: Buffer) => void) | undefined;
  private onEnd: (() => void) | undefined;
  private onAborted: (() => void) | undefined;
  private onDrain: (() => void) | undefined;
  private onTrailers: (() => void) | undefined;
  private onClose: (() => void) | undefined;

  private paused = false;
  /** What came while it was paused; bounded by the window. */
  private unread: Unread | undefined;
  /** The client has sent END_STREAM. */
  private received = false;
  private receivedBytes = 0;
  private credit = 0;

  private waitsForTrailers = false;
  /** END_STREAM was sent. */
  private sent = false;
  private readonly queue: SendQueue;
  private needsDrain = false;

  /** @param sendWindow what may be sent, in bytes */
  constructor(
    readonly id: number,
    private readonly owner: StreamOwner,
    receiveWindow: number,
    sendWindow: number,
  ) {
    this.receiveWindow = receiveWindow;
    this.queue = new SendQueue(id, owner, sendWindow);
  }

  get destroyed(): boolean {
    return this.closed;
  }

  /** It has something to send. */
  get isBlocked(): boolean {
    return !this.queue.isEmpty;
  }

  get hasWindow(): boolean {
    return this.queue.window > 0;
  }

  /** The client has sent all that it will. */
  get isReceived(): boolean {
    return this.received;
  }

  on(event: "data", listener: (chunk: Buffer) => void): this;
  on(event: "error", listener: (error: Error) => void): this;
  on(event: "end" | "aborted" | "drain" | "wantTrailers" | "close", listener: () => void): this;
  on(event: string, listener: (argument: never) => void): this {
    switch (event) {
      case "data":
        this.onData = listener as (chunk: Buffer) => void;
        break;
      case "end":
        this.onEnd = listener as () => void;
        break;
      case "aborted":
        this.onAborted = listener as () => void;
        break;
      case "drain":
        this.onDrain = listener as () => void;
        break;
      case "wantTrailers":
        this.onTrailers = listener as () => void;
        break;
      case "close":
        this.onClose = listener as () => void;
    }
    return this;
  }

  // What comes.

  /** A piece of the request. @returns false when it is longer than was announced */
  receive(chunk: Buffer): boolean {
    this.receivedBytes += chunk.length;
    if (this.expectedBytes !== undefined && this.receivedBytes > this.expectedBytes) {
      // Nobody reads it: its part of the window of all streams is theirs again.
      this.owner.consumed(chunk.length);
      return false;
    }
    if (this.paused || this.unread !== undefined) (this.unread ??= new Unread()).push(chunk);
    else this.deliver(chunk);
    return true;
  }

  /** The end of the request. @returns false when it is shorter than was announced */
  receiveEnd(): boolean {
    if (this.expectedBytes !== undefined && this.receivedBytes !== this.expectedBytes) return false;
    this.received = true;
    if (!this.paused && this.unread === undefined) this.finishReading();
    return true;
  }

  pause(): this {
    this.paused = true;
    return this;
  }

  /** Goes on reading, but not before its caller is done. */
  resume(): this {
    if (!this.paused) return this;
    this.paused = false;
    if (this.unread !== undefined || this.received) process.nextTick(flow, this);
    return this;
  }

  /** Called by {@link flow}. */
  deliverUnread(): void {
    // Whoever is given a piece may pause the stream, or close it.
    while (this.unread?.isEmpty === false && !this.paused) {
      const chunk = this.unread.shift();
      if (chunk !== undefined) this.deliver(chunk);
    }
    if (this.paused || this.closed) return;
    this.unread = undefined;
    if (this.received && !this.readableEnded) this.finishReading();
  }

  isPaused(): boolean {
    return this.paused;
  }

  private deliver(chunk: Buffer): void {
    if (!this.closed) this.onData?.(chunk);
    this.giveBack(chunk.length);
  }

  /** Lets the client send so much again. */
  giveBack(bytes: number): void {
    this.owner.consumed(bytes);
    this.credit += bytes;
    if (this.credit < CREDIT_BYTES || this.received || this.closed) return;
    this.owner.output.number(FrameType.WINDOW_UPDATE, this.id, this.credit);
    this.receiveWindow += this.credit;
    this.credit = 0;
  }

  private finishReading(): void {
    this.readableEnded = true;
    this.onEnd?.();
    this.settle();
  }

  // What goes.

  respond(headers: OutgoingHttpHeaders, { waitForTrailers = false, endStream = false }: ResponseOptions): void {
    if (this.closed || this.headersSent) return;
    this.headersSent = true;
    this.waitsForTrailers = waitForTrailers;
    this.owner.output.headers(this.id, endStream ? Flag.END_STREAM : 0, blockOf(headers, true));
    if (!endStream) return;
    this.writableEnded = true;
    this.finishSending();
  }

  write(chunk: Buffer): boolean {
    if (this.closed || this.writableEnded) return false;
    this.send(chunk);
    return this.askForRoom();
  }

  askForRoom(): boolean {
    if (this.closed) return false;
    if (this.hasRoom) return true;
    if (!this.needsDrain) {
      this.needsDrain = true;
      this.owner.room.wait(this);
    }
    return false;
  }

  end(last?: Buffer): void {
    if (this.closed || this.writableEnded) return;
    if (last !== undefined) this.send(last);
    this.writableEnded = true;
    if (this.queue.isEmpty && !this.destroyed) this.finishWriting();
  }

  sendTrailers(trailers: OutgoingHttpHeaders): void {
    const block = blockOf(trailers);
    if (block.length === 0) this.endSending();
    else if (!this.closed && !this.sent) {
      this.owner.output.headers(this.id, Flag.END_STREAM, block);
      this.finishSending();
    }
  }

  close(code: number): void {
    if (this.closed) return;
    this.owner.reset(this.id, code);
    this.destroy(code);
  }

  /** The window of the stream grows, or shrinks. @returns what it is then */
  widen(bytes: number): number {
    return (this.queue.window += bytes);
  }

  /** Sends what there is window for. @returns whether that was everything */
  pump(): boolean {
    if (!this.queue.pump()) return false;
    if (this.writableEnded) this.finishWriting();
    return true;
  }

  drain(): boolean {
    if (!this.hasRoom) return false;
    this.needsDrain = false;
    this.onDrain?.();
    return true;
  }

  /** It is over: reset by either side, or cut off with its connection. */
  destroy(code: number): void {
    if (this.closed) return;
    this.rstCode = code;
    this.finish();
  }

  private get hasRoom(): boolean {
    return this.queue.size < HIGH_WATER_BYTES && this.owner.room.isFor(this.queue.window);
  }

  private send(chunk: Buffer): void {
    const isTooMuch = this.owner.unsentBytes > MAX_UNSENT_BYTES;
    if (this.queue.send(chunk)) return;
    if (isTooMuch) this.close(ErrorCode.ENHANCE_YOUR_CALM);
    else this.owner.blocked(this);
  }

  /** Everything that was written is on its way. */
  private finishWriting(): void {
    if (this.waitsForTrailers && this.onTrailers !== undefined) this.onTrailers();
    else this.endSending();
  }

  private endSending(): void {
    if (this.closed || this.sent) return;
    this.owner.output.frame(FrameType.DATA, Flag.END_STREAM, this.id, NOTHING);
    this.finishSending();
  }

  private finishSending(): void {
    this.sent = true;
    this.settle();
  }

  private settle(): void {
    if (this.sent && this.readableEnded && !this.closed) this.finish();
  }

  private finish(): void {
    this.closed = true;
    this.queue.clear();
    this.owner.closed(this);
    // What nobody reads any more does not take up the window of the others.
    if (this.unread !== undefined) {
      this.owner.consumed(this.unread.bytes);
      this.unread = undefined;
    }
    if (!this.sent) this.onAborted?.();
    this.onClose?.();
  }
}

function flow(stream: Stream): void {
  stream.deliverUnread();
}
