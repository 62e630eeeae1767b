import { demand, ErrorCode, MAX_FRAME_BYTES, MAX_WINDOW_BYTES, Setting } from "./protocol.js";

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

/** What a client says about itself that matters here: frames of ours never are larger than the least that a client takes. */
export interface ClientSettings {
  /** The window of a stream at its beginning, in bytes; undefined when it is not said. */
  readonly initialWindow: number | undefined;
  /** The least that was said about how large the table for header blocks may be, in bytes; undefined when nothing was. */
  readonly tableBytes: number | undefined;
}

/** @throws ConnectionFault for values that may not be */
export function readSettings(bytes: Buffer, start: number, end: number): ClientSettings {
  demand((end - start) % ENTRY_BYTES === 0, "half a setting", ErrorCode.FRAME_SIZE_ERROR);
  let initialWindow: number | undefined;
  let tableBytes: number | undefined;
  for (let at = start; at < end; at += ENTRY_BYTES) {
    const value = bytes.readUInt32BE(at + 2);
    switch (bytes.readUInt16BE(at)) {
      case Setting.HEADER_TABLE_SIZE:
        tableBytes = Math.min(tableBytes ?? value, value);
        break;
      case Setting.ENABLE_PUSH:
        demand(value <= 1, "ENABLE_PUSH is 0 or 1");
        break;
      case Setting.INITIAL_WINDOW_SIZE:
        demand(value <= MAX_WINDOW_BYTES, "too large a window", ErrorCode.FLOW_CONTROL_ERROR);
        initialWindow = value;
        break;
      case Setting.MAX_FRAME_SIZE:
        demand(value >= MAX_FRAME_BYTES && value <= MAX_MAX_FRAME_BYTES, "a frame size that may not be");
    }
  }
  return { initialWindow, tableBytes };
}
