import { formatDuration } from "../config/index.js";
import { OpsCoreError } from "../errors/index.js";
import { pause } from "../services/pause.js";
import { describeCause } from "./cause.js";
import { StorageStartError } from "./open-storage.js";

/** Between two tries, in milliseconds. */
const PAUSE_MS = 100;
const NEVER = new AbortController().signal;

/**
 * Begins something that needs the storage, again and again while that cannot be reached: a storage that stalls while a server starts
 * is no reason to give up.
 *
 * @param patienceMs for how long
 * @param signal calls it off at once, whatever became of the last try
 * @throws StorageStartError when that time is over; the reason of `signal`
 */
export async function patiently<T>(begin: () => Promise<T>, patienceMs: number, signal?: AbortSignal): Promise<T> {
  const until = performance.now() + patienceMs;
  for (;;) {
    try {
      return await unlessAborted(begin, signal);
    } catch (thrown) {
      if (!(thrown instanceof OpsCoreError) || thrown.reason !== "STORAGE_UNAVAILABLE") throw thrown;
      if (performance.now() >= until) {
        const message = `the storage could not be used for ${formatDuration(patienceMs)}: ${describeCause(thrown.cause)}`;
        throw new StorageStartError(message, { cause: thrown });
      }
    }
    await pause(PAUSE_MS, signal ?? NEVER);
  }
}

async function unlessAborted<T>(begin: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return begin();
  signal.throwIfAborted();
  let stop: () => void = () => undefined;
  const aborted = new Promise<never>((_, reject) => {
    // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- whoever aborts says why
    stop = () => reject(signal.reason);
    signal.addEventListener("abort", stop, { once: true });
  });
  try {
    return await Promise.race([begin(), aborted]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
