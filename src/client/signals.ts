/**
 * The signals of callers. A program may end everything it does by one of them, and Node takes more than ten listeners of a signal for a
 * leak and warns; so each signal has one listener of ours, whoever else of us listens.
 */
import { Ending } from "./ending.js";

interface Listening {
  readonly ending: Ending;
  readonly abort: () => void;
  /** How many listen. */
  count: number;
}

const listening = new WeakMap<AbortSignal, Listening>();

/**
 * Calls `listener` when the signal aborts; at once if it has.
 *
 * @returns stops listening
 */
export function onAbort(signal: AbortSignal | undefined, listener: () => void): () => void {
  if (signal === undefined) return () => undefined;
  if (signal.aborted) {
    listener();
    return () => undefined;
  }
  const all = listening.get(signal) ?? listen(signal);
  all.count += 1;
  const unsubscribe = all.ending.onEnd(listener);
  let isOver = false;
  return () => {
    if (isOver) return;
    isOver = true;
    unsubscribe();
    all.count -= 1;
    if (all.count > 0) return;
    signal.removeEventListener("abort", all.abort);
    listening.delete(signal);
  };
}

function listen(signal: AbortSignal): Listening {
  const ending = new Ending();
  const all = { ending, abort: () => ending.end(), count: 0 };
  signal.addEventListener("abort", all.abort, { once: true });
  listening.set(signal, all);
  return all;
}
