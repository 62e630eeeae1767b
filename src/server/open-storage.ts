/**
 * The storage that the configuration asks for.
 */
import type { Logger } from "pino";
import { ConfigError, formatDuration, SETTINGS, type Config } from "../config/index.js";
import { OpsCoreError } from "../errors/index.js";
import type { Clock } from "../lib/clock.js";
import { createMemoryStorage } from "../storage/memory/index.js";
import type { Storage } from "../storage/storage.js";
import { describeCause } from "./cause.js";
import { StorageStatus } from "./storage-status.js";

/** A storage, and what is known of its condition besides. */
export interface OpenedStorage {
  readonly storage: Storage;
  /** Undefined where nothing can be lost between the server and its storage. */
  readonly status: StorageStatus | undefined;
}

/** The storage could not be opened; the message says which, and why. */
export class StorageStartError extends Error {
  override readonly name = "StorageStartError";
}

/**
 * @throws ConfigError when the settings do not lead to a Redis; StorageStartError when it cannot be reached in time, or what is there
 * cannot be used
 */
export async function openStorage(config: Config, clock: Clock, logger: Logger): Promise<OpenedStorage> {
  if (config.storageType === "redis") return openRedis(config, clock, logger);
  const storage = createMemoryStorage({
    clock,
    logCapacity: config.logMaxEntries,
    historyLimit: config.historyMaxEntries,
    historyAgeMs: config.historyMaxAgeMs,
    maxHeldReports: config.maxHeldReports,
  });
  return { storage, status: undefined };
}

async function openRedis(config: Config, clock: Clock, logger: Logger): Promise<OpenedStorage> {
  const url = redisUrl(config);
  // Loaded only now: a server without Redis starts without its client.
  const { createRedisStorage, DeploymentError, parseRedisUrl } = await import("../storage/redis/index.js");
  const status = new StorageStatus(logger);
  try {
    const storage = await createRedisStorage({
      target: parseRedisUrl(url.href),
      prefix: config.redisPrefix,
      ...(config.redisPartitions > 0 && { partitions: config.redisPartitions }),
      commandTimeoutMs: config.redisCommandTimeoutMs,
      connectTimeoutMs: config.redisConnectTimeoutMs,
      logCapacity: config.logMaxEntries,
      historyLimit: config.historyMaxEntries,
      historyAgeMs: config.historyMaxAgeMs,
      maxHeldReports: config.maxHeldReports,
      onEvent: status.onEvent,
      clock,
    });
    return { storage, status };
  } catch (thrown) {
    if (thrown instanceof DeploymentError) throw new StorageStartError(thrown.message, { cause: thrown });
    if (!(thrown instanceof OpsCoreError && thrown.reason === "STORAGE_UNAVAILABLE")) throw thrown;
    const time = formatDuration(config.redisConnectTimeoutMs);
    throw new StorageStartError(
      `Redis at ${withoutSecrets(url)} could not be used within ${time}: ${describeCause(thrown.cause)}`,
      {
        cause: thrown,
      },
    );
  }
}

/** @throws ConfigError */
function redisUrl(config: Config): URL {
  const { redisUrl: given, redisHost, redisPort, redisUsername, redisPassword } = config;
  const host = redisHost.includes(":") ? `[${redisHost}]` : redisHost;
  const text = given ?? `redis://${host}:${redisPort}`;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || url.hostname === "" || !["redis:", "rediss:"].includes(url.protocol)) {
    const description = `must be ${SETTINGS.redisUrl.expects}`;
    throw new ConfigError([{ name: SETTINGS.redisUrl.env, description }]);
  }
  // The setters of URL encode what must not stand in a URL; the client decodes it.
  if (redisUsername !== undefined) url.username = encodeURIComponent(redisUsername);
  if (redisPassword !== undefined) url.password = encodeURIComponent(redisPassword);
  return url;
}

function withoutSecrets(url: URL): string {
  return `${url.protocol}//${url.host}${url.pathname}`;
}
