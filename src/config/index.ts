export { describeConfig, HIDDEN, type SettingDescription } from "./describe.js";
export {
  checkConfig,
  ConfigError,
  flagKey,
  isLoopback,
  loadConfig,
  type ConfigProblem,
  type ConfigSources,
} from "./load.js";
export { CLIENT_VARIABLES, SETTINGS, type Config, type SettingKey } from "./settings.js";
export { type Setting } from "./kinds.js";
export { formatBytes, formatDuration, parseBytes, parseDuration } from "./units.js";
