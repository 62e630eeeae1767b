import { Connections } from "../load/connections.js";
import { dialectOf } from "../load/dialects/index.js";
import { watching } from "../load/dialects/opscore.js";
import { CALLERS, openUnary } from "../load/unary.js";
import { Watchers } from "../load/watchers.js";
import type { Case, Scenario } from "../scenario.js";
import { agentId } from "../systems/population.js";
import { atMost } from "./claims.js";

const NONE = "nobody watches";
const MANY = "10,000 watch others";
const WATCHERS = 10_000;
const WATCHER_CONNECTIONS = 10;
/** Agents that nobody reports on. */
const FIRST_STRANGER = 500_000;

export const strangers: Scenario = {
  name: "strangers",
  title: "Commits while 10,000 watchers watch other agents",
  description: "Unary SetState; each watcher watches one agent, and none of those that change.",
  patience: 2,
  cases: [among(NONE, 0), among(MANY, WATCHERS)],
  claims: [atMost(1.1, "CPU of a commit while 10,000 watch other agents, against none", "cpuUs", MANY, NONE)],
};

function among(name: string, watchers: number): Case {
  return {
    name,
    system: "opscore",
    server: { agents: CALLERS },
    async open(target, pace) {
      const connections = await Connections.open(target, WATCHER_CONNECTIONS);
      const watchings = Array.from({ length: Math.ceil(watchers * pace.scale) }, (_, i) =>
        watching({ agentIds: [agentId(FIRST_STRANGER + i)], progressInterval: { seconds: 3600n } }),
      );
      await Watchers.open(connections, watchings);
      return openUnary(target, pace, dialectOf(target.system).commit({ callers: CALLERS }));
    },
  };
}
