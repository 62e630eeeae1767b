/**
 * Times on the wire. Records hold milliseconds; the wire holds seconds and nanoseconds.
 *
 * Messages here have a `$typeName` and their fields, which is all that a proto3 message is. `create()` would walk the descriptor for
 * the same result and cost about ten times as much.
 */
import type { Duration, Timestamp } from "@bufbuild/protobuf/wkt";

/** @param ms milliseconds since 1970 */
export function toTimestamp(ms: number): Timestamp {
  const seconds = Math.floor(ms / 1000);
  return new TimestampMessage(BigInt(seconds), Math.floor((ms - seconds * 1000) * 1_000_000));
}

/** A class as {@link AgentStateMessage} is, and for the same reason. */
class TimestampMessage implements Timestamp {
  readonly $typeName = "google.protobuf.Timestamp";

  constructor(
    readonly seconds: bigint,
    readonly nanos: number,
  ) {}
}

/** @param ms milliseconds, not negative */
export function toDuration(ms: number): Duration {
  const seconds = Math.floor(ms / 1000);
  return {
    $typeName: "google.protobuf.Duration",
    seconds: BigInt(seconds),
    nanos: Math.floor((ms - seconds * 1000) * 1_000_000),
  };
}
