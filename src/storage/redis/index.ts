import { openRedisStorage } from "./open.js";
import { REDIS_STORAGE_DEFAULTS, type RedisStorageOptions } from "./options.js";
import type { RedisStorage } from "./redis-storage.js";

export { DeploymentError } from "./deployment.js";
export { CorruptRecordError } from "./failures.js";
export {
  DEFAULT_PARTITIONS,
  REDIS_STORAGE_DEFAULTS,
  type RedisConnectionStatus,
  type RedisStorageEvent,
  type RedisStorageOptions,
  type RedisStorageStatus,
} from "./options.js";
export type { RedisStorage } from "./redis-storage.js";
export { parseRedisUrl, RedisUrlError, type RedisUrlExtras } from "./redis-url.js";
export {
  describeTarget,
  type ClusterTarget,
  type RedisAddress,
  type RedisTarget,
  type RedisTls,
  type RedisUser,
  type SentinelTarget,
  type StandaloneTarget,
} from "./target.js";

/**
 * Opens a storage in Redis.
 *
 * @param signal calls the attempt off
 * @throws DeploymentError when what is there cannot be used; STORAGE_UNAVAILABLE when Redis cannot be reached in time; the reason of
 *   `signal` when it aborts before Redis was reached
 */
export function createRedisStorage(options: RedisStorageOptions, signal?: AbortSignal): Promise<RedisStorage> {
  return openRedisStorage({ partitions: undefined, ...REDIS_STORAGE_DEFAULTS, ...options }, signal);
}
