import type { Redis } from "ioredis";

const SYNC_LIMIT_MS = 20_000;

/**
 * Waits until a primary has so many replicas that have what it has.
 *
 * @param key one that the primary may write, and nobody else wants
 */
export async function untilReplicated(primary: Redis, replicas: number, key: string): Promise<void> {
  await primary.set(key, "1");
  const had = await primary.wait(replicas, SYNC_LIMIT_MS);
  await primary.del(key);
  if (had < replicas) throw new Error(`${had} of ${replicas} replicas have come in ${SYNC_LIMIT_MS} ms`);
}
