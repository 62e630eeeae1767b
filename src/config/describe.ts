import { settingEntries } from "./load.js";
import type { Config, SettingKey } from "./settings.js";

/** A setting with its effective value, as `opscore config` and the configuration page show it. */
export interface SettingDescription {
  readonly key: SettingKey;
  readonly env: string;
  /** With its dashes. */
  readonly flag: string;
  /** Whether the flag takes no value. */
  readonly isSwitch: boolean;
  readonly description: string;
  readonly expects: string;
  readonly secret: boolean;
  /** As text; empty when not set, {@link HIDDEN} for a secret that is set. */
  readonly value: string;
  /** As text; empty when there is none. */
  readonly defaultValue: string;
}

/** Stands in for the value of a secret. */
export const HIDDEN = "********";

/** Every setting with its value, in the order of the table, secrets hidden. */
export function describeConfig(config: Config): readonly SettingDescription[] {
  return settingEntries().map(([key, setting]) => {
    const value = config[key];
    return {
      key,
      env: setting.env,
      flag: `--${setting.flag}`,
      isSwitch: setting.isSwitch,
      description: setting.description,
      expects: setting.expects,
      secret: setting.secret,
      value: value === undefined ? "" : setting.secret ? HIDDEN : setting.print(value),
      defaultValue: setting.default === undefined ? "" : setting.print(setting.default),
    };
  });
}
