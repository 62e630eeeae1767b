/** The table of reasons and the enumeration on the wire must say the same, down to codes and metadata keys. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { ErrorReasonSchema } from "../../gen/opscore/v1/error_reason_pb.js";
import { REASONS } from "../../src/errors/index.js";
import { root } from "../helpers/repository.js";

const PREFIX = "ERROR_REASON_";
const text = readFileSync(join(root, "proto/opscore/v1/error_reason.proto"), "utf8");

/** The comment above a value, as one line. */
function commentOf(value: string): string {
  const lines = text
    .slice(0, text.indexOf(`  ${value} = `))
    .trimEnd()
    .split("\n");
  const start = lines.findLastIndex((line) => !line.trim().startsWith("//")) + 1;
  return lines
    .slice(start)
    .map((line) => line.replace(/^\s*\/\/ ?/, ""))
    .join(" ");
}

it("has the same reasons in both", () => {
  const wire = ErrorReasonSchema.values.filter(({ number }) => number !== 0).map(({ name }) => name);
  expect(wire).toEqual(Object.keys(REASONS).map((reason) => PREFIX + reason));
});

it.each(Object.entries(REASONS))("says code and metadata of %s in the comment", (reason, { code, metadata }) => {
  const comment = commentOf(PREFIX + reason);
  expect(comment).toMatch(new RegExp(`${code}\\.$`));
  for (const key of metadata) expect(comment).toContain(`\`${key}\``);
});
