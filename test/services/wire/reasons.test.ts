/** `error_reason.proto` and the table of reasons say the same. */
import { readFileSync } from "node:fs";
import { Code } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { ErrorReasonSchema } from "../../../gen/opscore/v1/error_reason_pb.js";
import { GrpcCode, REASONS } from "../../../src/errors/index.js";

const proto = readFileSync(new URL("../../../proto/opscore/v1/error_reason.proto", import.meta.url), "utf8");

/** What the proto file says of a reason: the comment before it, on one line. */
function commentOf(name: string): string {
  const lines = proto.split("\n").map((line) => line.trim());
  const at = lines.findIndex((line) => line.startsWith(`ERROR_REASON_${name} `));
  const comment: string[] = [];
  for (let i = at - 1; lines[i]?.startsWith("//") === true; i--) comment.unshift(lines[i]?.slice(3) ?? "");
  return comment.join(" ");
}

describe("reasons", () => {
  test("are the same in the proto file and in the table", () => {
    const inProto = ErrorReasonSchema.values.filter(({ number }) => number !== 0).map(({ localName }) => localName);
    expect(Object.keys(REASONS)).toEqual(inProto);
  });

  test.each(Object.entries(REASONS))("%s has the same code in both", (name, { code }) => {
    expect(commentOf(name)).toMatch(new RegExp(`\\b${code}\\.$`));
  });

  test.each(Object.entries(REASONS))("%s always has metadata that the proto file names", (name, { metadata }) => {
    const [, named = ""] = /Metadata: (.*)/.exec(commentOf(name)) ?? [];
    for (const key of metadata) expect(named).toContain(`\`${key}\``);
  });

  test.each(Object.entries(GrpcCode))("%s has its number in gRPC", (name, number) => {
    const camel = name.toLowerCase().replace(/(?:^|_)([a-z])/g, (_, letter: string) => letter.toUpperCase());
    expect(Code[camel as keyof typeof Code]).toBe(number);
  });
});
