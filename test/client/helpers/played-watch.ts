/** Watches that are played to their end, and what they handed over. */
import type { StateWatch, WatchOptions } from "../../../src/client/index.js";
import { failure } from "./failures.js";
import { scripted, word, type Script } from "./scripted-watch.js";

/** How a server that stops ends its streams. */
export const stopping = failure("SERVER_STOPPING");
const NOW = { reconnect: { initialBackoffMs: 0 } };

/** Everything that a watch hands over until it ends, or until it has handed over `count` items. */
export async function collect(watch: StateWatch, count = Infinity): Promise<string[]> {
  const words: string[] = [];
  for await (const item of watch) {
    words.push(word(item));
    if (words.length >= count) break;
  }
  return words;
}

/** Lets a scripted watch run to its end; waits between tries take no time. */
export async function play(scripts: readonly Script[], options: WatchOptions = {}, count?: number) {
  const { client, scheduler, requests } = scripted(...scripts);
  const watch = client.watchState({}, { ...NOW, onReconnect: () => void scheduler.elapse(0), ...options });
  return { words: await collect(watch, count), requests, token: watch.resumeToken };
}

/** Lets scripts and tests wait for each other. */
export function turnstile() {
  let passed = 0;
  let waiting: (() => void)[] = [];
  return {
    pass(): void {
      passed += 1;
      for (const resolve of waiting.splice(0)) resolve();
    },
    async passed(count: number): Promise<void> {
      while (passed < count) await new Promise<void>((resolve) => (waiting = [...waiting, resolve]));
    },
  };
}

/** Yields to whatever is under way in this process until `condition` holds. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}
