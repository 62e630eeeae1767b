import { percentile } from "../harness/statistics.js";
import { call } from "../load/call.js";
import { Connections } from "../load/connections.js";
import { report, STATES } from "../load/dialects/opscore.js";
import { paced } from "../load/paced.js";
import { Sightings } from "../load/sightings.js";
import type { Case, Load, Pace, Scenario, Target } from "../scenario.js";
import { agentId } from "../systems/population.js";
import { atMost } from "./claims.js";

const AGENTS = 1_000;
const PER_SECOND = 1_000;
const WARM_IN_FLIGHT = 64;
const OTHER = "another replica";
const SAME = "the same replica";

export const replicas: Scenario = {
  name: "redis-replicas",
  title: "A commit on one replica, seen on another",
  description: `Two servers share a Redis (no AOF, no snapshots, on the core of the load) and one core. ${PER_SECOND.toLocaleString("en")} reports a second, each by a unary SetState, come in at the first one, over ${AGENTS.toLocaleString("en")} agents in turn, at their pace and not at that of their answers. The time is from the report to its event at somebody who watches all agents on the second, or for comparison on the first.`,
  cases: [seenBy(OTHER, 1), seenBy(SAME, 0)],
  claims: [
    atMost(1, "a commit seen on another replica at 1,000 a second, median", "p50Ms", OTHER),
    atMost(8, "a commit seen on another replica at 1,000 a second, 99th percentile", "p99Ms", OTHER),
  ],
};

function seenBy(name: string, replica: number): Case {
  return {
    name,
    system: "opscore",
    server: { agents: AGENTS, storage: "redis", replicas: 2 },
    open: (target, pace) => open(target, pace, replica),
  };
}

async function open(target: Target, pace: Pace, replica: number): Promise<Load> {
  const port = target.ports[replica];
  if (port === undefined) throw new Error(`there is no replica ${replica}`);
  const writing = await Connections.open(target, 1);
  const reading = await Connections.open({ ...target, port }, 1);
  const sightings = await Sightings.open(reading.for(0));
  let count = 0;

  const send = (): Promise<void> => {
    const agent = count % AGENTS;
    const sequence = Math.floor(count / AGENTS) + 1;
    count += 1;
    sightings.expect(agentId(agent), sequence);
    return call(writing.for(0), `${STATES}/SetState`, report(agent, sequence));
  };

  for (let left = pace.warmUp; left > 0; left -= WARM_IN_FLIGHT) {
    await Promise.all(Array.from({ length: WARM_IN_FLIGHT }, send));
    await sightings.all();
  }
  return {
    async measure() {
      const answers: Promise<void>[] = [];
      const rate = await paced(PER_SECOND, pace.seconds, () => answers.push(send()));
      await Promise.all(answers);
      const times = await sightings.all();
      return { rate, p50Ms: percentile(times, 0.5), p99Ms: percentile(times, 0.99) };
    },
    close() {
      writing.close();
      reading.close();
      return Promise.resolve();
    },
  };
}
