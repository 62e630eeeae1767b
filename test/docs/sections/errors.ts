import { GrpcCode, REASONS } from "../../../src/errors/index.js";
import { code, table } from "../markdown.js";

/** Every reason for which a call fails. */
export function reasons(): string {
  return table(
    ["Reason", "gRPC code", "HTTP", "Metadata", "Meaning"],
    Object.entries(REASONS).map(([reason, entry]) => [
      code(reason),
      `${code(entry.code)} (${GrpcCode[entry.code]})`,
      String(entry.http),
      entry.metadata.map(code).join(", "),
      entry.meaning,
    ]),
  );
}
