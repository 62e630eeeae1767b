import { nearest } from "./suggest.js";
import { CLIENT_VARIABLES, SETTINGS, type Config, type SettingKey } from "./settings.js";
import type { Setting } from "./kinds.js";

/** One setting that cannot be used. */
export interface ConfigProblem {
  /** The variable or flag as it was given: `OPSCORE_PORT`, `--port`. */
  readonly name: string;
  /** A sentence without subject: "must be a whole number from 0 to 65535, got \"eighty\"". */
  readonly description: string;
}

/** The configuration cannot be used; `problems` names every variable and flag that is wrong. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";

  constructor(readonly problems: readonly ConfigProblem[]) {
    super(problems.map(({ name, description }) => `${name} ${description}`).join("\n"));
  }
}

export interface ConfigSources {
  /** Environment variables; those that are empty count as not set. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Flags by their long name in camelCase (`drainTimeout`); they win over the environment. A switch may be a boolean. */
  readonly flags?: Readonly<Record<string, unknown>>;
}

/**
 * Reads the configuration. Nothing but its arguments is looked at.
 *
 * @throws ConfigError naming each variable and flag that is unknown, ill-typed or out of bounds
 */
export function loadConfig({ env = {}, flags = {} }: ConfigSources = {}): Config {
  const problems: ConfigProblem[] = unknownVariables(env);
  const values: Record<string, unknown> = {};
  for (const [key, setting] of settingEntries()) {
    values[key] = setting.default;
    const given = givenText(setting, env, flags);
    if (given === undefined) continue;
    const value = setting.read(given.text);
    if (value !== undefined) values[key] = value;
    else problems.push({ name: given.name, description: `must be ${setting.expects}${got(setting, given.text)}` });
  }
  if (problems.length > 0) throw new ConfigError(problems);
  // Every key of SETTINGS was given a value by its own `read`, or its default.
  const config = values as Config;
  checkConfig(config);
  return config;
}

/**
 * Holds the settings together: what each may be is checked when it is read, what they may not be at once is checked here.
 *
 * @throws ConfigError
 */
export function checkConfig(config: Config): void {
  const problems: ConfigProblem[] = [];
  const together = (given: SettingKey, wanted: SettingKey): void => {
    if (config[given] === undefined || config[wanted] !== undefined) return;
    problems.push({ name: SETTINGS[given].env, description: `is of no use without ${SETTINGS[wanted].env}` });
  };
  together("redisUsername", "redisPassword");
  together("redisSentinelUsername", "redisSentinelPassword");
  together("redisTlsCertFile", "redisTlsKeyFile");
  together("redisTlsKeyFile", "redisTlsCertFile");
  if (config.apiKey === undefined && !config.insecure && !isLoopback(config.host)) {
    problems.push({
      name: SETTINGS.host.env,
      description:
        `is ${config.host}, which others can reach, and there is no API key: ` +
        `set ${SETTINGS.apiKey.env}, or ${SETTINGS.insecure.env}=true to let everybody in`,
    });
  }
  if (problems.length > 0) throw new ConfigError(problems);
}

/** The table of settings as pairs. */
export function settingEntries(): readonly (readonly [SettingKey, Setting<unknown>])[] {
  return Object.entries(SETTINGS) as [SettingKey, Setting<unknown>][];
}

/** The name of a flag as commander and {@link ConfigSources} know it: `drain-timeout` is `drainTimeout`. */
export function flagKey(flag: string): string {
  return flag.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

function givenText(
  { env: variable, flag }: Setting<unknown>,
  env: Readonly<Record<string, string | undefined>>,
  flags: Readonly<Record<string, unknown>>,
): { readonly name: string; readonly text: string } | undefined {
  const key = flagKey(flag);
  const value = Object.hasOwn(flags, key) ? flags[key] : undefined;
  if (value !== undefined) return { name: `--${flag}`, text: typeof value === "string" ? value : asText(value) };
  const text = env[variable];
  return text === undefined || text === "" ? undefined : { name: variable, text };
}

/** What is neither text, number nor boolean comes from a program, not a person; its text is no good value. */
function asText(value: unknown): string {
  const text: unknown = JSON.stringify(value);
  // A function has none at all.
  return typeof text === "string" ? text : "";
}

/** What was given instead; a secret is not repeated. */
function got({ secret }: Setting<unknown>, text: string): string {
  return secret ? "" : `, got ${JSON.stringify(text)}`;
}

function unknownVariables(env: Readonly<Record<string, string | undefined>>): ConfigProblem[] {
  const known = settingEntries().map(([, setting]) => setting.env);
  return Object.keys(env)
    .filter((name) => name.startsWith("OPSCORE_") && !known.includes(name) && !CLIENT_VARIABLES.has(name))
    .map((name) => {
      const meant = nearest(name, known);
      return { name, description: `is not a setting${meant === undefined ? "" : `; did you mean ${meant}?`}` };
    });
}

/** Tells whether only this machine can reach `host`. A name other than `localhost` is not looked up, and not trusted. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host);
}
