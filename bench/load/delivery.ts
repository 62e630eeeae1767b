import type { Load, Pace, Target } from "../scenario.js";
import { ClosedLoop } from "./closed-loop.js";
import { Connections } from "./connections.js";
import { cpuPer } from "./cpu.js";
import { dialectOf, type Changing, type Watching } from "./dialects/index.js";
import { Watchers } from "./watchers.js";

export const WATCHER_CONNECTIONS = 8;
/** A warm-up has at least so many commits, unless that would be more events than anybody wants to wait for. */
const WARM_COMMITS = 100;
const MOST_WARM_UPS = 5;

export interface Delivery {
  readonly watchings: readonly Watching[];
  readonly changing: Changing;
  /** How many watchers see each commit. */
  readonly eventsOfCommit: number;
}

/**
 * Writers that wait for their answer before their next commit, and watchers that count. Each sample is how many events were
 * delivered in a second, until the last was, and what one costs the server.
 */
export async function openDelivery(target: Target, pace: Pace, delivery: Delivery): Promise<Load> {
  const { watchings, changing, eventsOfCommit } = delivery;
  const writing = await Connections.open(target, 1);
  const reading = await Connections.open(target, WATCHER_CONNECTIONS);
  const loop = new ClosedLoop(writing, dialectOf(target.system).commit(changing), changing.callers);
  const watchers = await Watchers.open(reading, watchings);

  const commit = async (run: () => Promise<{ readonly operations: number }>): Promise<number> => {
    watchers.reset();
    const { operations } = await run();
    await watchers.complete(operations * eventsOfCommit);
    return operations * eventsOfCommit;
  };

  const enough = pace.warmUp / eventsOfCommit;
  const warmUp = Math.max(1, Math.min(WARM_COMMITS, MOST_WARM_UPS * enough), enough);
  await commit(() => loop.times(Math.ceil(warmUp)));
  return {
    async measure() {
      const since = performance.now();
      const run = (): Promise<number> => commit(() => loop.forSeconds(pace.seconds));
      const { result: events, cpu } = await cpuPer(target.pid, run, (count) => count);
      return { rate: events / ((performance.now() - since) / 1000), ...cpu };
    },
    close() {
      reading.close();
      writing.close();
      return Promise.resolve();
    },
  };
}
