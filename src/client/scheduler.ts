import { MAX_TIMER_MS, systemClock, type Clock } from "../lib/clock.js";
import type { Ending } from "./ending.js";
import { onAbort } from "./signals.js";

/** Time and chance, as everything in the client that waits or jitters uses them; tests bring their own. */
export interface Scheduler extends Clock {
  /** A number from 0 up to, not including, 1. */
  random(): number;
  /**
   * Calls `callback` once, `ms` milliseconds from now.
   *
   * @returns cancels the call; harmless afterwards
   */
  after(ms: number, callback: () => void): () => void;
}

export const systemScheduler: Scheduler = {
  ...systemClock,
  random: () => Math.random(),
  after(ms, callback) {
    const timer = setTimeout(callback, Math.min(ms, MAX_TIMER_MS));
    return () => clearTimeout(timer);
  },
};

/**
 * Waits `ms` milliseconds, or less: the end of `ending` or of `signal` ends the wait at once.
 *
 * @returns resolves in every case; whoever cares asks what ended
 */
export function pause(scheduler: Scheduler, ms: number, ending: Ending, signal?: AbortSignal): Promise<void> {
  if (ending.hasEnded() || signal?.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const end = () => {
      cancel();
      unsubscribe();
      stopListening();
      resolve();
    };
    const cancel = scheduler.after(ms, end);
    const unsubscribe = ending.onEnd(end);
    const stopListening = onAbort(signal, end);
  });
}
