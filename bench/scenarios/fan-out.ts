import { ClosedLoop } from "../load/closed-loop.js";
import { Connections } from "../load/connections.js";
import { cpuPer } from "../load/cpu.js";
import { dialectOf } from "../load/dialects/index.js";
import { Watchers } from "../load/watchers.js";
import { SYSTEMS, type Claim, type Load, type Pace, type Scenario, type Target } from "../scenario.js";
import { atLeast } from "./claims.js";

const WATCHER_CONNECTIONS = 8;

interface Crowd {
  readonly watchers: number;
  readonly writers: number;
}

const CROWDS: readonly Crowd[] = [
  { watchers: 1, writers: 8 },
  { watchers: 100, writers: 8 },
  { watchers: 100, writers: 1 },
  { watchers: 1000, writers: 8 },
  { watchers: 1000, writers: 1 },
];

export const fanOuts: readonly Scenario[] = CROWDS.map(scenario);

function scenario(crowd: Crowd): Scenario {
  const { watchers, writers } = crowd;
  return {
    name: `fan-out-${watchers}-${writers}`,
    title: `Fan-out to ${watchers.toLocaleString("en")} ${watchers === 1 ? "watcher" : "watchers"}, ${writers} ${writers === 1 ? "writer" : "writers"}`,
    description: `Every watcher watches every agent, on ${WATCHER_CONNECTIONS} connections; each writer waits for its answer before its next commit. Counted are events delivered, and the time ends with the last one.`,
    cases: SYSTEMS.map((system) => ({
      name: system,
      system,
      server: { agents: writers },
      open: (target, pace) => open(crowd, target, pace),
    })),
    claims: claims(crowd),
  };
}

function claims({ watchers, writers }: Crowd): Claim[] {
  const to = `fan-out to ${watchers.toLocaleString("en")}`;
  const etcd = (target: number): Claim => atLeast(target, `${to} against etcd`, "rate", "opscore", "etcd");
  if (writers === 1) {
    const what = `${to} with one serial writer against etcd`;
    return watchers === 1000 ? [{ ...atLeast(0.7, what, "rate", "opscore", "etcd"), goal: 1 }] : [];
  }
  switch (watchers) {
    case 1:
      return [etcd(1.1)];
    case 100:
      return [{ ...etcd(1.5), goal: 2 }];
    default:
      return [{ ...etcd(2.5), goal: 3 }, atLeast(25, `${to} against Connect's handlers`, "rate", "opscore", "connect")];
  }
}

async function open({ watchers, writers }: Crowd, target: Target, pace: Pace): Promise<Load> {
  const dialect = dialectOf(target.system);
  const [forWatchers, forWriters] = await Promise.all([
    Connections.open(target, WATCHER_CONNECTIONS),
    Connections.open(target, 1),
  ]);
  const loop = new ClosedLoop(forWriters, dialect.commit({ callers: writers }), writers);
  // etcd has no key before the first Put.
  await loop.times(writers);
  const watching = dialect.watchAll();
  const crowd = await Watchers.open(
    forWatchers,
    Array.from({ length: watchers }, () => watching),
  );
  const commit = async (run: () => Promise<{ readonly operations: number }>): Promise<number> => {
    crowd.reset();
    const { operations } = await run();
    await crowd.complete(operations);
    return operations * watchers;
  };
  await commit(() => loop.times(Math.ceil(pace.warmUp / watchers) + 100));
  return {
    async measure() {
      const since = performance.now();
      const run = (): Promise<number> => commit(() => loop.forSeconds(pace.seconds));
      const { result: events, cpu } = await cpuPer(target.pid, run, (count) => count);
      return { rate: events / ((performance.now() - since) / 1000), ...cpu };
    },
    close() {
      forWatchers.close();
      forWriters.close();
      return Promise.resolve();
    },
  };
}
