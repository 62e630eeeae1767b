import { FrameType, MAX_FRAME_BYTES } from "./protocol.js";
import type { Output } from "./output.js";

/**
 * With so much that a client's windows have no room for, it may open no more streams, and those that would add to it are reset: it asks
 * and does not read. What it had asked for before anything was answered may come to any number of times that.
 */
export const MAX_UNSENT_BYTES = 64 * 1024 * 1024;
const NOTHING = Buffer.alloc(0);

/** What the streams of a connection share for sending. */
export interface SendOwner {
  readonly output: Output;
  /** What may still be sent on all streams together, in bytes. */
  sendWindow: number;
  /** What all streams together have no window for, in bytes. */
  unsentBytes: number;
}

/** Sends the data of one stream as far as the client's windows allow (RFC 9113 §5.2), and keeps the rest. */
export class SendQueue {
  private unsent: Buffer[] | undefined;
  private bytes = 0;

  /** @param window what may still be sent on the stream, in bytes */
  constructor(
    private readonly streamId: number,
    private readonly owner: SendOwner,
    public window: number,
  ) {}

  get isEmpty(): boolean {
    return this.unsent === undefined;
  }

  /** What waits, in bytes. */
  get size(): number {
    return this.bytes;
  }

  /** @returns whether all of it was sent */
  send(chunk: Buffer): boolean {
    const left = this.unsent === undefined ? this.transmit(chunk) : chunk;
    if (left.length === 0) return this.isEmpty;
    (this.unsent ??= []).push(left);
    this.count(left.length);
    return false;
  }

  /** Sends what there is window for now. @returns whether that was everything */
  pump(): boolean {
    const { unsent } = this;
    if (unsent === undefined) return true;
    let sent = 0;
    for (const chunk of unsent) {
      const left = this.transmit(chunk);
      this.count(left.length - chunk.length);
      if (left.length > 0) {
        unsent[sent] = left;
        unsent.splice(0, sent);
        return false;
      }
      sent += 1;
    }
    this.unsent = undefined;
    return true;
  }

  clear(): void {
    // Nor is -0 counted, which would make fractions of all these numbers.
    if (this.unsent === undefined) return;
    this.unsent = undefined;
    this.count(-this.bytes);
  }

  private count(bytes: number): void {
    this.bytes += bytes;
    this.owner.unsentBytes += bytes;
  }

  /** Sends as much of `chunk` as there is window for. @returns what is left */
  private transmit(chunk: Buffer): Buffer {
    const { owner } = this;
    let from = 0;
    while (from < chunk.length) {
      const bytes = Math.min(chunk.length - from, MAX_FRAME_BYTES, this.window, owner.sendWindow);
      if (bytes <= 0) return from === 0 ? chunk : chunk.subarray(from);
      owner.output.frame(FrameType.DATA, 0, this.streamId, chunk, from, from + bytes);
      this.window -= bytes;
      owner.sendWindow -= bytes;
      from += bytes;
    }
    return NOTHING;
  }
}
