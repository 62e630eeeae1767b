import { describeConfig, loadConfig } from "../../../src/config/index.js";
import { code, table } from "../markdown.js";

/** Every setting of the server. */
export function settings(): string {
  return table(
    ["Variable", "Flag", "Default", "What it does", "What it may be"],
    describeConfig(loadConfig()).map(({ env, flag, defaultValue, description, expects }) => [
      code(env),
      code(flag),
      code(defaultValue),
      description,
      expects,
    ]),
  );
}
