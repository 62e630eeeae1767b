import type { OutgoingHttpHeaders } from "node:http2";
import { STATIC_TABLE } from "./static-table.js";

const indexOfName = new Map<string, number>();
const indexOfStatus = new Map<string, number>();
for (const [index, field] of STATIC_TABLE.entries()) {
  if (field === undefined) continue;
  if (!indexOfName.has(field.name)) indexOfName.set(field.name, index);
  if (field.name === ":status") indexOfStatus.set(field.value, index);
}

/**
 * Encodes headers as a block that any decoder takes, whatever came before: names and common statuses from the static table, values as
 * they are. What is sent often is encoded once and kept, which a table of the connection would not allow.
 *
 * @param headers names in lower case; values are latin1, a list is a field for each of its values
 */
export function encodeHeaders(headers: OutgoingHttpHeaders): Buffer {
  const bytes: Buffer[] = [];
  const names = Object.keys(headers);
  // Pseudo fields come first (RFC 9113 §8.3).
  for (const name of names) if (name.startsWith(":")) encodeValues(bytes, name, headers[name]);
  for (const name of names) if (!name.startsWith(":")) encodeValues(bytes, name, headers[name]);
  return Buffer.concat(bytes);
}

function encodeValues(bytes: Buffer[], name: string, value: OutgoingHttpHeaders[string]): void {
  if (value === undefined) return;
  if (Array.isArray(value)) for (const each of value) encodeField(bytes, name, each);
  else encodeField(bytes, name, String(value));
}

function encodeField(bytes: Buffer[], name: string, value: string): void {
  const status = name === ":status" ? indexOfStatus.get(value) : undefined;
  if (status !== undefined) {
    bytes.push(integer(0x80, 7, status));
    return;
  }
  const index = indexOfName.get(name) ?? 0;
  bytes.push(integer(0, 4, index));
  if (index === 0) bytes.push(...string(name));
  bytes.push(...string(value));
}

function string(text: string): [length: Buffer, text: Buffer] {
  const value = Buffer.from(text, "latin1");
  return [integer(0, 7, value.length), value];
}

/** RFC 7541 §5.1. */
function integer(pattern: number, prefixBits: number, value: number): Buffer {
  const mask = (1 << prefixBits) - 1;
  if (value < mask) return Buffer.from([pattern | value]);
  const bytes = [pattern | mask];
  let left = value - mask;
  for (; left >= 0x80; left >>>= 7) bytes.push((left & 0x7f) | 0x80);
  bytes.push(left);
  return Buffer.from(bytes);
}
