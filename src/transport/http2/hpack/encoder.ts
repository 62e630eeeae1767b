import type { OutgoingHttpHeaders } from "node:http";
import { STATIC_NAMES, STATIC_STATUSES } from "./static-table.js";

const INITIAL_SCRATCH_BYTES = 4096;
/** A larger one is not kept. */
const MAX_SCRATCH_BYTES = 64 * 1024;

/** An integer of 31 bits has a prefix and at most 5 bytes. A field has three: an index and two lengths. */
const MAX_INTEGERS_BYTES = 3 * 6;

/** Up to here a loop is faster than the call into native code. */
const SHORT_STRING = 24;

let scratch: Buffer = Buffer.allocUnsafeSlow(INITIAL_SCRATCH_BYTES);

/** Sets the peer's table to nothing (RFC 7541 6.3): a block begins with it once the peer has asked for less than it has. */
export const NO_TABLE = Buffer.of(0x20);

/**
 * Encodes fields in the order that they have, so pseudo-header fields must come first. It keeps no state: names and statuses of the
 * static table are indexed, all else is literal and never enters the peer's table.
 *
 * @param headers names in lower case; names and values latin1 and checked by the caller. An array is one field for each item,
 *   undefined is none
 * @returns a header block
 */
export function encodeHeaders(headers: OutgoingHttpHeaders): Buffer {
  let out: Buffer = scratch;
  let at = 0;
  for (const name in headers) {
    const value = headers[name];
    if (value === undefined) continue;
    const values = typeof value === "object" ? value : undefined;
    const count = values === undefined ? 1 : values.length;
    for (let i = 0; i < count; i++) {
      const text = values === undefined ? String(value) : (values[i] ?? "");
      const needed = at + name.length + text.length + MAX_INTEGERS_BYTES;
      if (needed > out.length) out = grown(out, at, needed);
      at = writeField(out, at, name, text);
    }
  }
  if (out.length <= MAX_SCRATCH_BYTES) scratch = out;
  const block = Buffer.allocUnsafe(at);
  out.copy(block, 0, 0, at);
  return block;
}

function grown(out: Buffer, used: number, needed: number): Buffer {
  const larger = Buffer.allocUnsafeSlow(Math.max(2 * out.length, needed));
  out.copy(larger, 0, 0, used);
  return larger;
}

function writeField(out: Buffer, at: number, name: string, value: string): number {
  if (name === ":status") {
    const status = STATIC_STATUSES.get(value);
    if (status !== undefined) return writeInteger(out, at, 0x80, 0x7f, status);
  }
  const index = STATIC_NAMES.get(name);
  at = writeInteger(out, at, 0, 0x0f, index ?? 0);
  if (index === undefined) at = writeString(out, at, name);
  return writeString(out, at, value);
}

function writeString(out: Buffer, at: number, text: string): number {
  const { length } = text;
  at = writeInteger(out, at, 0, 0x7f, length);
  if (length > SHORT_STRING) return at + out.write(text, at, "latin1");
  for (let i = 0; i < length; i++) out[at++] = text.charCodeAt(i);
  return at;
}

/** RFC 7541 5.1. @param flags the bits of the first byte above `prefix` */
function writeInteger(out: Buffer, at: number, flags: number, prefix: number, value: number): number {
  if (value < prefix) {
    out[at++] = flags | value;
    return at;
  }
  out[at++] = flags | prefix;
  for (value -= prefix; value >= 0x80; value >>>= 7) out[at++] = (value & 0x7f) | 0x80;
  out[at++] = value;
  return at;
}
