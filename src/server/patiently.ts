import { formatDuration } from "../config/index.js";
import { OpsCoreError } from "../errors/index.js";
import { describeCause } from "./cause.js";
import { StorageStartError } from "./open-storage.js";

/** Between two tries, in milliseconds. */
const PAUSE_MS = 100;

/**
 * Begins something that needs the storage, again and again while that cannot be reached: a storage that stalls while a server starts
 * is no reason to give up.
 *
 * @param patienceMs for how long
 * @throws StorageStartError when that time is over
 */
export async function patiently<T>(begin: () => Promise<T>, patienceMs: number): Promise<T> {
  const until = performance.now() + patienceMs;
  for (;;) {
    try {
      return await begin();
    } catch (thrown) {
      if (!(thrown instanceof OpsCoreError) || thrown.reason !== "STORAGE_UNAVAILABLE") throw thrown;
      if (performance.now() >= until) {
        const message = `the storage could not be used for ${formatDuration(patienceMs)}: ${describeCause(thrown.cause)}`;
        throw new StorageStartError(message, { cause: thrown });
      }
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}
