import type { OutgoingHttpHeaders } from "node:http2";
import { encodeHeaders } from "./hpack/index.js";

/** Frozen headers are the same for many streams: their block is made once. */
const blocks = new WeakMap<OutgoingHttpHeaders, Buffer>();

/** The header block of what a stream says. @param isAnswer it begins with a status */
export function blockOf(headers: OutgoingHttpHeaders, isAnswer = false): Buffer {
  const known = blocks.get(headers);
  if (known !== undefined) return known;
  // Pseudo fields come first (RFC 9113 §8.3), whatever the order of the object is.
  const block = encodeHeaders(isAnswer ? { ":status": 200, ...headers } : headers);
  if (Object.isFrozen(headers)) blocks.set(headers, block);
  return block;
}
