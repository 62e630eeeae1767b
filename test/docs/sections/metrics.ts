import { DURATIONS, METRICS } from "../../../src/server/metrics/catalogue.js";
import { code, table } from "../markdown.js";

/** Every metric of the server's own. */
export function metrics(): string {
  return table(
    ["Metric", "Type", "Labels", "What it says"],
    [...METRICS, ...DURATIONS].map(({ name, type, labels, help, ...more }) => [
      code(name),
      type,
      labels.map(code).join(", "),
      "isRedis" in more ? `${help} Only with Redis.` : help,
    ]),
  );
}
