import { Connections } from "../load/connections.js";
import { dialectOf } from "../load/dialects/index.js";
import { Watchers } from "../load/watchers.js";
import { STATE_SYSTEMS, type Load, type Pace, type Scenario, type Target } from "../scenario.js";
import { atMost } from "./claims.js";

const WATCHERS = 10_000;
const CONNECTIONS = 10;

export const watcherMemory: Scenario = {
  name: "watcher-memory",
  title: "Memory of an idle watcher",
  description: `Resident memory with ${WATCHERS.toLocaleString("en")} watchers on ${CONNECTIONS} connections, less what it was with one, for each; after the garbage was collected.`,
  cases: STATE_SYSTEMS.map((system) => ({ name: system, system, server: { agents: 1 }, open })),
  claims: [atMost(15_000, "memory of an idle watcher", "bytes", "opscore")],
  repetitions: 1,
};

async function open(target: Target, { scale }: Pace): Promise<Load> {
  const connections = await Connections.open(target, CONNECTIONS);
  const watching = dialectOf(target.system).watch();
  const watch = (count: number): Promise<Watchers> =>
    Watchers.open(
      connections,
      Array.from({ length: count }, () => watching),
    );
  await watch(1);
  return {
    async measure() {
      const watchers = Math.ceil(WATCHERS * scale);
      const before = (await target.memory()).resident;
      await watch(watchers);
      return { bytes: ((await target.memory()).resident - before) / watchers };
    },
    close() {
      connections.close();
      return Promise.resolve();
    },
  };
}
