import { ConnectionFault, ErrorCode, FRAME_HEADER_BYTES, MAX_FRAME_BYTES, PREFACE } from "./protocol.js";

/** Takes a frame: its payload is `bytes` from `start` to `end`, which may be kept. */
export type FrameHandler = (
  type: number,
  flags: number,
  streamId: number,
  bytes: Buffer,
  start: number,
  end: number,
) => void;

/** Cuts what a client sends into frames, wherever the chunks end. */
export class FrameReader {
  private partial: Buffer | undefined;
  private opened = false;

  /** @param isFull asked before each frame: frames are kept while it says so, until the next {@link push} */
  constructor(
    private readonly onFrame: FrameHandler,
    private readonly isFull: () => boolean,
  ) {}

  /**
   * @param chunk what has come; nothing, to go on with what was kept
   * @throws ConnectionFault for a preface that is none, and for a frame that is too large; whatever the handler throws
   */
  push(chunk: Buffer): void {
    const bytes = this.partial === undefined ? chunk : Buffer.concat([this.partial, chunk]);
    this.partial = undefined;
    let at = 0;
    if (!this.opened) {
      const length = Math.min(bytes.length, PREFACE.length);
      if (bytes.compare(PREFACE, 0, length, 0, length) !== 0) {
        throw new ConnectionFault(ErrorCode.PROTOCOL_ERROR, "not the preface of HTTP/2");
      }
      if (length < PREFACE.length) {
        this.partial = bytes;
        return;
      }
      this.opened = true;
      at = PREFACE.length;
    }
    while (bytes.length - at >= FRAME_HEADER_BYTES && !this.isFull()) {
      const length = bytes.readUIntBE(at, 3);
      if (length > MAX_FRAME_BYTES) throw new ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "too large a frame");
      const start = at + FRAME_HEADER_BYTES;
      const end = start + length;
      if (end > bytes.length) break;
      const streamId = bytes.readUInt32BE(at + 5) & 0x7fff_ffff;
      this.onFrame(bytes[at + 3] ?? 0, bytes[at + 4] ?? 0, streamId, bytes, start, end);
      at = end;
    }
    if (at < bytes.length) this.partial = at === 0 ? bytes : bytes.subarray(at);
  }
}
