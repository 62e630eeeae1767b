/**
 * Resume tokens: a position in the log and a hash of the filter it was reached with, as opaque text. Any replica can read the
 * token of another. Layout before base64url: version, 8 bytes of filter hash, epoch length, epoch, then one varint for each partition.
 */
import { createHash } from "node:crypto";
import { OpsCoreError } from "../errors/index.js";
import type { Position } from "../storage/storage.js";

const VERSION = 1;
const HASH_BYTES = 8;
const MAX_EPOCH = 32;
const MAX_PARTITIONS = 4096;
const EPOCH = /^[A-Za-z0-9_-]{1,32}$/;

/**
 * The part of a token that says which filter it belongs to.
 *
 * @returns bytes, each a character: one object on the heap for each filter where a buffer is three
 */
export function hashFilter(key: string): string {
  return createHash("sha256").update(key).digest().toString("latin1", 0, HASH_BYTES);
}

export function encodeToken(filterHash: string, position: Position): string {
  const { epoch, revisions } = position;
  const bytes = Buffer.allocUnsafe(2 + HASH_BYTES + epoch.length + revisions.length * 8);
  let at = 0;
  bytes[at++] = VERSION;
  at += bytes.write(filterHash, at, "latin1");
  bytes[at++] = epoch.length;
  at += bytes.write(epoch, at, "latin1");
  for (let revision of revisions) {
    while (revision >= 0x80) {
      bytes[at++] = (revision % 0x80) | 0x80;
      revision = Math.floor(revision / 0x80);
    }
    bytes[at++] = revision;
  }
  return bytes.toString("base64url", 0, at);
}

/**
 * @param filterHash of the filter that the token is used with
 * @throws INVALID_RESUME_TOKEN when the token cannot be read or belongs to another filter
 */
export function decodeToken(token: string, filterHash: string): Position {
  const bytes = Buffer.from(token, "base64url");
  // Node skips what is not base64url: only a token that comes out the same is one that was given out.
  if (bytes.length < 2 + HASH_BYTES || bytes.toString("base64url") !== token || bytes[0] !== VERSION)
    throw unreadable();
  if (bytes.toString("latin1", 1, 1 + HASH_BYTES) !== filterHash) {
    throw new OpsCoreError("INVALID_RESUME_TOKEN", "resume_token belongs to another filter or namespace");
  }
  let at = 1 + HASH_BYTES;
  const length = bytes[at++] ?? 0;
  const epoch = bytes.toString("latin1", at, at + length);
  if (length > MAX_EPOCH || !EPOCH.test(epoch)) throw unreadable();
  return { epoch, revisions: readVarints(bytes.subarray(at + length)) };
}

function readVarints(bytes: Buffer): number[] {
  const values: number[] = [];
  let value = 0;
  let factor = 1;
  for (const byte of bytes) {
    value += (byte & 0x7f) * factor;
    if (!Number.isSafeInteger(value)) throw unreadable();
    if (byte < 0x80) {
      values.push(value);
      value = 0;
      factor = 1;
    } else factor *= 0x80;
  }
  if (factor !== 1 || values.length === 0 || values.length > MAX_PARTITIONS) throw unreadable();
  return values;
}

function unreadable(): OpsCoreError {
  return new OpsCoreError("INVALID_RESUME_TOKEN", "resume_token cannot be read");
}
