import {
  ConnectionFault,
  DEFAULT_WINDOW_BYTES,
  ErrorCode,
  MAX_FRAME_BYTES,
  MAX_WINDOW_BYTES,
  Setting,
} from "./protocol.js";

const ENTRY_BYTES = 6;
const MAX_MAX_FRAME_BYTES = 0xff_ffff;

/** A SETTINGS payload. */
export function encodeSettings(settings: readonly (readonly [id: number, value: number])[]): Buffer {
  const payload = Buffer.alloc(settings.length * ENTRY_BYTES);
  for (const [i, [id, value]] of settings.entries()) {
    payload.writeUInt16BE(id, i * ENTRY_BYTES);
    payload.writeUInt32BE(value, i * ENTRY_BYTES + 2);
  }
  return payload;
}

/** What the client has said about itself. Frames of ours never are larger than the least that a client takes, and no block needs its table. */
export class PeerSettings {
  initialWindow = DEFAULT_WINDOW_BYTES;

  /** @throws ConnectionFault for values that may not be */
  apply(bytes: Buffer, start: number, end: number): void {
    if ((end - start) % ENTRY_BYTES !== 0) throw new ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "half a setting");
    for (let at = start; at < end; at += ENTRY_BYTES) {
      const value = bytes.readUInt32BE(at + 2);
      switch (bytes.readUInt16BE(at)) {
        case Setting.ENABLE_PUSH:
          if (value > 1) throw new ConnectionFault(ErrorCode.PROTOCOL_ERROR, "ENABLE_PUSH is 0 or 1");
          break;
        case Setting.INITIAL_WINDOW_SIZE:
          if (value > MAX_WINDOW_BYTES) throw new ConnectionFault(ErrorCode.FLOW_CONTROL_ERROR, "too large a window");
          this.initialWindow = value;
          break;
        case Setting.MAX_FRAME_SIZE:
          if (value < MAX_FRAME_BYTES || value > MAX_MAX_FRAME_BYTES) {
            throw new ConnectionFault(ErrorCode.PROTOCOL_ERROR, "a frame size that may not be");
          }
      }
    }
  }
}
