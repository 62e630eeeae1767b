import { Option, type Command } from "commander";
import { describe, type Host } from "../command.js";
import { addSettingOptions, effectiveSettings, readConfig } from "../settings.js";
import { printable } from "../text/printable.js";
import { span } from "../text/rich.js";
import type { Column } from "../text/table.js";

const COLUMNS: readonly Column[] = [
  { title: "SETTING" },
  { title: "VALUE", min: 12 },
  { title: "FROM" },
  { title: "DEFAULT", min: 8, dispensable: 1 },
];

/** `opscore config` */
export function define(command: Command, { context, finish }: Host): void {
  describe(command, {
    summary: "Show the effective settings of the server",
    details:
      "What `opscore serve` would use with the same options and the same environment, and where each value comes from. Secrets are hidden.",
  });
  command.addOption(new Option("--json", "Print it as JSON"));
  addSettingOptions(command);
  command.action(() => {
    const settings = effectiveSettings(readConfig(command, context), command, context);
    if (command.getOptionValue("json") === true) {
      context.out.json({
        settings: settings.map(({ key, env, flag, value, source, defaultValue, secret }) => ({
          ...{ name: key, env, flag, value, source, default: defaultValue, secret },
        })),
      });
    } else {
      context.out.table(
        COLUMNS,
        settings.map(({ env, value, source, defaultValue }) => {
          const isChanged = source !== "default";
          return [
            span(env),
            value === "" ? span("not set", "dim") : span(printable(value), isChanged ? "bold" : undefined),
            span(source, isChanged ? "green" : "dim"),
            span(isChanged ? printable(defaultValue) : "", "dim"),
          ];
        }),
      );
    }
    finish("OK");
  });
}
