/** HTTP/2 (RFC 9113) by its numbers. */

export const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");
export const FRAME_HEADER_BYTES = 9;
/** The largest payload of a frame that a peer may send which was not told otherwise, and the largest that is sent here. */
export const MAX_FRAME_BYTES = 16_384;
export const DEFAULT_WINDOW_BYTES = 65_535;
export const MAX_WINDOW_BYTES = 0x7fff_ffff;
/** Our own window, of a stream and of all of them together. */
export const WINDOW_BYTES = 1024 * 1024;
/** What was read is given back to the client as window when it is so much. */
export const CREDIT_BYTES = WINDOW_BYTES / 2;
export const MAX_STREAM_ID = 0x7fff_ffff;

export const FrameType = {
  DATA: 0,
  HEADERS: 1,
  PRIORITY: 2,
  RST_STREAM: 3,
  SETTINGS: 4,
  PUSH_PROMISE: 5,
  PING: 6,
  GOAWAY: 7,
  WINDOW_UPDATE: 8,
  CONTINUATION: 9,
} as const;

export const Flag = { ACK: 1, END_STREAM: 1, END_HEADERS: 4, PADDED: 8, PRIORITY: 32 } as const;

export const Setting = {
  HEADER_TABLE_SIZE: 1,
  ENABLE_PUSH: 2,
  MAX_CONCURRENT_STREAMS: 3,
  INITIAL_WINDOW_SIZE: 4,
  MAX_FRAME_SIZE: 5,
  MAX_HEADER_LIST_SIZE: 6,
} as const;

export const ErrorCode = {
  NO_ERROR: 0,
  PROTOCOL_ERROR: 1,
  INTERNAL_ERROR: 2,
  FLOW_CONTROL_ERROR: 3,
  STREAM_CLOSED: 5,
  FRAME_SIZE_ERROR: 6,
  REFUSED_STREAM: 7,
  CANCEL: 8,
  COMPRESSION_ERROR: 9,
  CONNECT_ERROR: 10,
  ENHANCE_YOUR_CALM: 11,
} as const;

/** The connection cannot go on: its client is told why (RFC 9113 §5.4.1) and it is closed. */
export class ConnectionFault extends Error {
  override readonly name = "ConnectionFault";

  constructor(
    readonly code: number,
    message: string,
  ) {
    super(message);
  }
}

/** @throws ConnectionFault unless `isRight` */
export function demand(isRight: boolean, message: string, code: number = ErrorCode.PROTOCOL_ERROR): void {
  if (!isRight) throw new ConnectionFault(code, message);
}
