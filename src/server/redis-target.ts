/**
 * Where the settings say that Redis is.
 */
import { readFileSync } from "node:fs";
import { ConfigError, SETTINGS, type Config, type SettingKey } from "../config/index.js";
import { fileFailure } from "../lib/failure-text.js";
import {
  parseRedisUrl,
  RedisUrlError,
  type RedisTarget,
  type RedisTls,
  type RedisUser,
} from "../storage/redis/index.js";

/** @throws ConfigError naming the variable that cannot be used: the URL, or a file that cannot be read */
export function redisTarget(config: Config): RedisTarget {
  const { redisHost, redisPort } = config;
  const host = redisHost.includes(":") ? `[${redisHost}]` : redisHost;
  const user = userOf(config.redisUsername, config.redisPassword);
  const sentinelUser = userOf(config.redisSentinelUsername, config.redisSentinelPassword);
  const tls = tlsOf(config);
  try {
    return parseRedisUrl(config.redisUrl ?? `redis://${host}:${redisPort}`, {
      ...(user !== undefined && { user }),
      ...(sentinelUser !== undefined && { sentinelUser }),
      ...(tls !== undefined && { tls }),
    });
  } catch (thrown) {
    // Its message repeats nothing of the URL.
    if (thrown instanceof RedisUrlError) throw problem("redisUrl", `cannot be used: ${thrown.message}`);
    throw thrown;
  }
}

function userOf(username: string | undefined, password: string | undefined): RedisUser | undefined {
  if (password === undefined) return undefined;
  return username === undefined ? { password } : { username, password };
}

/** Undefined when nothing is said of TLS: the URL alone then decides whether it is spoken. */
function tlsOf(config: Config): RedisTls | undefined {
  const { redisTlsServername: servername } = config;
  const files = { ca: "redisTlsCaFile", cert: "redisTlsCertFile", key: "redisTlsKeyFile" } as const;
  const tls: { -readonly [K in keyof RedisTls]: RedisTls[K] } = servername === undefined ? {} : { servername };
  for (const part of ["ca", "cert", "key"] as const) {
    const setting = files[part];
    const file = config[setting];
    if (file !== undefined) tls[part] = read(setting, file);
  }
  return Object.keys(tls).length === 0 ? undefined : tls;
}

function read(setting: SettingKey, file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (thrown) {
    throw problem(setting, `cannot be read: ${fileFailure(thrown)}`);
  }
}

function problem(setting: SettingKey, description: string): ConfigError {
  return new ConfigError([{ name: SETTINGS[setting].env, description }]);
}
