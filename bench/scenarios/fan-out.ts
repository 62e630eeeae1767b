import { openDelivery, WATCHER_CONNECTIONS } from "../load/delivery.js";
import { dialectOf } from "../load/dialects/index.js";
import { STATE_SYSTEMS, type Claim, type Load, type Pace, type Scenario, type Target } from "../scenario.js";
import { atLeast } from "./claims.js";

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
  { watchers: 10_000, writers: 8 },
];

export const fanOuts: readonly Scenario[] = CROWDS.map(scenario);

function scenario(crowd: Crowd): Scenario {
  const { watchers, writers } = crowd;
  return {
    name: `fan-out-${watchers}-${writers}`,
    title: `Fan-out to ${watchers.toLocaleString("en")} ${watchers === 1 ? "watcher" : "watchers"}, ${writers} ${writers === 1 ? "writer" : "writers"}`,
    description: `Every watcher watches every agent, on ${WATCHER_CONNECTIONS} connections; each writer waits for its answer before its next commit. Counted are events delivered, and the time ends with the last one.`,
    // Connect takes minutes to warm up where each event is a write of its own, or where there are ten thousand watchers.
    cases: STATE_SYSTEMS.filter((system) => system !== "connect" || isForConnect(crowd)).map((system) => ({
      name: system,
      system,
      server: { agents: writers },
      open: (target, pace) => open(crowd, target, pace),
    })),
    claims: claims(crowd),
  };
}

function isForConnect({ watchers, writers }: Crowd): boolean {
  return writers > 1 && watchers >= 100 && watchers <= 1000;
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
    case 1000:
      return [{ ...etcd(2.5), goal: 3 }, atLeast(25, `${to} against Connect's handlers`, "rate", "opscore", "connect")];
    default:
      return [];
  }
}

function open({ watchers, writers }: Crowd, target: Target, pace: Pace): Promise<Load> {
  const watching = dialectOf(target.system).watch();
  const count = watchers > 1000 ? Math.ceil(watchers * pace.scale) : watchers;
  return openDelivery(target, pace, {
    watchings: Array.from({ length: count }, () => watching),
    changing: { callers: writers },
    eventsOfCommit: count,
  });
}
