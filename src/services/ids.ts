/** Ids of what a caller did not name. */
import { createHash } from "node:crypto";
import { createUuid7 } from "../lib/uuid7.js";
import type { Clock } from "../lib/clock.js";

/** @param requestId of the call that makes the thing; empty when it has none */
export type MakeId = (kind: "agent" | "session" | "webhook", namespace: string, requestId: string) => string;

/**
 * A UUIDv7; for a call with a request id a UUIDv8 (RFC 9562 §5.8) that only depends on it, so that the repeated call, on whichever
 * replica, means the same thing and finds the first answer instead of making a second one.
 */
export function createMakeId(clock: Clock): MakeId {
  const uuid7 = createUuid7(() => clock.now());
  return (kind, namespace, requestId) => (requestId === "" ? uuid7() : uuid8([kind, namespace, requestId]));
}

function uuid8(name: readonly string[]): string {
  const hash = createHash("sha256").update(JSON.stringify(name)).digest();
  hash.writeUInt8((hash.readUInt8(6) & 0x0f) | 0x80, 6);
  hash.writeUInt8((hash.readUInt8(8) & 0x3f) | 0x80, 8);
  const hex = hash.toString("hex");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join("-");
}
