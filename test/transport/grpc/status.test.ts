/** Statuses that are too large to be sent whole. What any status looks like on the wire is in the lanes contract. */
import { fromBinary } from "@bufbuild/protobuf";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import { BadRequestSchema, ErrorInfoSchema } from "../../../gen/google/rpc/error_details_pb.js";
import { StatusSchema, type Status } from "../../../gen/google/rpc/status_pb.js";
import { failureTrailers, percentEncode } from "../../../src/transport/grpc/status.js";

/** nghttp2 sends no header block that is larger. */
const MAX_BLOCK_BYTES = 64 * 1024;

const info = { desc: ErrorInfoSchema, value: { reason: "INVALID_FIELD", domain: "opscore" } } as const;

function badRequest(violations: number) {
  const fieldViolations = Array.from({ length: violations }, (_, i) => ({
    field: `f${i}`,
    description: "x".repeat(80),
  }));
  return { desc: BadRequestSchema, value: { fieldViolations } } as const;
}

function statusOf(error: ConnectError): { readonly status: Status; readonly bytes: number } {
  const trailers = failureTrailers(error, undefined);
  const bytes = Object.entries(trailers).reduce(
    (sum, [name, value]) => sum + name.length + String(value).length + 32,
    0,
  );
  const details = Buffer.from(String(trailers["grpc-status-details-bin"] ?? ""), "base64");
  return { status: fromBinary(StatusSchema, details), bytes };
}

describe("a status that is too large", () => {
  it("keeps the details that fit, from the first on", () => {
    const { status, bytes } = statusOf(
      new ConnectError("no", Code.InvalidArgument, undefined, [info, badRequest(2000)]),
    );
    expect(bytes).toBeLessThan(MAX_BLOCK_BYTES);
    expect(status.details.map((any) => anyUnpack(any, ErrorInfoSchema)?.reason)).toEqual(["INVALID_FIELD"]);
  });

  it("has all its details where there is room", () => {
    const { status, bytes } = statusOf(
      new ConnectError("no", Code.InvalidArgument, undefined, [info, badRequest(300)]),
    );
    expect(bytes).toBeLessThan(MAX_BLOCK_BYTES);
    expect(status.details).toHaveLength(2);
  });

  it("keeps its details beside a message that is cut", () => {
    const { status, bytes } = statusOf(new ConnectError("漢".repeat(100_000), Code.Aborted, undefined, [info]));
    expect(bytes).toBeLessThan(MAX_BLOCK_BYTES);
    expect(status.details).toHaveLength(1);
  });
});

describe("a message that is cut", () => {
  it.each(["plain text 100% é 漢 🎉", "🎉🎉🎉", "%%%%", "a b c "])("ends between characters: %s", (text) => {
    for (let max = 1; max <= percentEncode(text, Infinity).length; max++) {
      const encoded = percentEncode(text, max);
      expect(encoded.length).toBeLessThanOrEqual(max);
      expect(text.startsWith(decodeURIComponent(encoded))).toBe(true);
    }
    expect(decodeURIComponent(percentEncode(text, 1000))).toBe(text);
  });
});
