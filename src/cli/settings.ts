/**
 * The server's settings as options: all of them come from the one table of `config/`.
 */
import { Option, type Command } from "commander";
import {
  ConfigError,
  describeConfig,
  flagKey,
  loadConfig,
  type Config,
  type SettingDescription,
} from "../config/index.js";
import type { Context } from "./context.js";
import { usageFailure } from "./failure.js";

const DEFAULTS = describeConfig(loadConfig());

/** Gives `command` an option for each setting. */
export function addSettingOptions(command: Command): void {
  for (const { flag, isSwitch, description, env, defaultValue } of DEFAULTS) {
    const text = description.replaceAll("`", "").replace(/\.$/, "");
    const origin = defaultValue === "" ? `env: ${env}` : `default: ${defaultValue}, env: ${env}`;
    const option = new Option(`${flag} ${isSwitch ? "[boolean]" : "<value>"}`, `${text} (${origin})`);
    command.addOption(option.helpGroup("Settings:"));
  }
}

/** @throws CommandFailure naming every setting that cannot be used */
export function readConfig(command: Command, { io }: Context): Config {
  try {
    return loadConfig({ env: io.env, flags: command.opts() });
  } catch (error) {
    if (error instanceof ConfigError) throw usageFailure(error.problems);
    throw error;
  }
}

/** A setting, and where its value came from. */
export interface EffectiveSetting extends SettingDescription {
  readonly source: "flag" | "environment" | "default";
}

export function effectiveSettings(config: Config, command: Command, { io }: Context): readonly EffectiveSetting[] {
  return describeConfig(config).map((setting) => {
    const isFlag = command.getOptionValue(flagKey(setting.flag.slice(2))) !== undefined;
    const isVariable = (io.env[setting.env] ?? "") !== "";
    return { ...setting, source: isFlag ? "flag" : isVariable ? "environment" : "default" };
  });
}
