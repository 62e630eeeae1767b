import type { RedisClient } from "./link.js";
import { Keys } from "./keys.js";
import { DEFAULT_PARTITIONS } from "./options.js";
import { SCHEMA } from "./scripts.js";

/** What is in Redis cannot be used by this version or with these settings. */
export class DeploymentError extends Error {
  override readonly name = "DeploymentError";
}

/**
 * Makes a deployment where there is none, and checks that it is one that can be used.
 *
 * @param wanted how many partitions it must have; undefined: as many as it has
 * @returns how many partitions it has
 * @throws DeploymentError
 */
export async function openDeployment(client: RedisClient, prefix: string, wanted: number | undefined): Promise<number> {
  const key = Keys.deployment(prefix);
  await client.hsetnx(key, "schema", SCHEMA);
  await client.hsetnx(key, "partitions", wanted ?? DEFAULT_PARTITIONS);
  const [schema, partitions] = await client.hmget(key, "schema", "partitions");
  if (schema !== String(SCHEMA)) {
    throw new DeploymentError(
      `${key} has schema version ${String(schema)}, and this version of Ops-Core knows ${SCHEMA}: use the version that made it`,
    );
  }
  const count = Number(partitions);
  if (!Number.isInteger(count) || count < 1) {
    throw new DeploymentError(`${key} is damaged: its number of partitions is ${String(partitions)}`);
  }
  if (wanted !== undefined && wanted !== count) {
    throw new DeploymentError(
      `${key} was created with ${count} partitions, which cannot be changed, and ${wanted} were asked for`,
    );
  }
  return count;
}
