import { openDelivery } from "../load/delivery.js";
import { dialectOf } from "../load/dialects/index.js";
import { CALLERS } from "../load/unary.js";
import type { Load, Pace, Scenario, Target } from "../scenario.js";

/** About as many, and a whole share for each writer. */
const AGENTS = 79 * CALLERS;

export const ownAgents: Scenario = {
  name: "own-agents",
  title: "10,000 watchers on 10,000 agents",
  description: `Every watcher watches one agent, ${CALLERS} writers go through all of them, and every commit is seen by one watcher.`,
  cases: (["opscore", "connect", "grpc-js", "etcd"] as const).map((system) => ({
    name: system,
    system,
    server: { agents: AGENTS },
    open,
  })),
  claims: [],
};

function open(target: Target, pace: Pace): Promise<Load> {
  const dialect = dialectOf(target.system);
  const agents = CALLERS * Math.ceil((AGENTS * pace.scale) / CALLERS);
  return openDelivery(target, pace, {
    // Writers go through as many agents as there are watchers.
    watchings: Array.from({ length: agents }, (_, agent) => dialect.watch(agent)),
    changing: { callers: CALLERS, agents },
    eventsOfCommit: 1,
  });
}
