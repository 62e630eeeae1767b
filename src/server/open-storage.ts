/**
 * The storage that the configuration asks for.
 */
import type { Logger } from "pino";
import { formatDuration, type Config } from "../config/index.js";
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
 * @param signal calls the attempt off
 * @throws ConfigError when the settings do not lead to a Redis; StorageStartError when it cannot be reached in time, or what is there
 *   cannot be used; the reason of `signal`
 */
export async function openStorage(
  config: Config,
  clock: Clock,
  logger: Logger,
  signal?: AbortSignal,
): Promise<OpenedStorage> {
  if (config.storageType === "redis") return openRedis(config, clock, logger, signal);
  const storage = createMemoryStorage({
    clock,
    logCapacity: config.logMaxEntries,
    historyLimit: config.historyMaxEntries,
    historyAgeMs: config.historyMaxAgeMs,
    maxHeldReports: config.maxHeldReports,
  });
  return { storage, status: undefined };
}

async function openRedis(
  config: Config,
  clock: Clock,
  logger: Logger,
  signal: AbortSignal | undefined,
): Promise<OpenedStorage> {
  // Loaded only now: a server without Redis starts without its client.
  const { createRedisStorage, DeploymentError, describeTarget } = await import("../storage/redis/index.js");
  const { redisTarget } = await import("./redis-target.js");
  const target = redisTarget(config);
  const status = new StorageStatus(logger);
  try {
    const options = {
      target,
      prefix: config.redisPrefix,
      ...(config.redisPartitions > 0 && { partitions: config.redisPartitions }),
      commandTimeoutMs: config.redisCommandTimeoutMs,
      connectTimeoutMs: config.redisConnectTimeoutMs,
      waitReplicas: config.redisWaitReplicas,
      logCapacity: config.logMaxEntries,
      historyLimit: config.historyMaxEntries,
      historyAgeMs: config.historyMaxAgeMs,
      maxHeldReports: config.maxHeldReports,
      onEvent: status.onEvent,
      clock,
    };
    return { storage: await createRedisStorage(options, signal), status };
  } catch (thrown) {
    if (thrown instanceof DeploymentError) throw new StorageStartError(thrown.message, { cause: thrown });
    if (!(thrown instanceof OpsCoreError && thrown.reason === "STORAGE_UNAVAILABLE")) throw thrown;
    const time = formatDuration(config.redisConnectTimeoutMs);
    const why = describeCause(thrown.cause);
    const message = `Redis at ${describeTarget(target)} could not be used within ${time}: ${why}`;
    throw new StorageStartError(message, { cause: thrown });
  }
}
