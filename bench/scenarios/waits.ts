import { State } from "../../gen/opscore/v1/common_pb.js";
import { WaitForStateRequestSchema } from "../../gen/opscore/v1/state_service_pb.js";
import { percentile } from "../harness/statistics.js";
import { call } from "../load/call.js";
import { Connections } from "../load/connections.js";
import { encode, report, STATES } from "../load/dialects/opscore.js";
import type { Connection } from "../load/http2/connection.js";
import type { Load, Pace, Scenario, Target } from "../scenario.js";
import { agentId } from "../systems/population.js";

const WAITS = 100;
const CONNECTIONS = 8;

export const waits: Scenario = {
  name: "waits",
  title: "Waits",
  description: `${WAITS} agents; for each in turn somebody waits for the state that it is not in, then it reports it. The time is from the report to the answer of the wait, on a server that does nothing else.`,
  cases: (["opscore", "connect", "grpc-js"] as const).map((system) => ({
    name: system,
    system,
    server: { agents: WAITS },
    open,
  })),
  claims: [],
};

async function open(target: Target, pace: Pace): Promise<Load> {
  const connections = await Connections.open(target, CONNECTIONS);
  let sequence = 0;

  const round = async (): Promise<number[]> => {
    sequence += 1;
    const answers = Array.from({ length: WAITS }, (_, i) => wait(connections.for(i), i, sequence));
    // Once an answer to a later call of each connection is there, the waits have arrived.
    await Promise.all(Array.from({ length: CONNECTIONS }, (_, i) => connections.for(i).ping()));
    const times: number[] = [];
    for (const [i, answer] of answers.entries()) {
      const since = performance.now();
      call(connections.for(i), `${STATES}/SetState`, report(i, sequence)).catch(fail);
      await answer;
      times.push(performance.now() - since);
    }
    return times;
  };

  const rounds = async (seconds: number): Promise<number[]> => {
    const times: number[] = [];
    const until = performance.now() + seconds * 1000;
    do times.push(...(await round()));
    while (performance.now() < until);
    return times;
  };

  await rounds(pace.seconds);
  return {
    async measure() {
      const times = await rounds(pace.seconds);
      return { p50Ms: percentile(times, 0.5), p99Ms: percentile(times, 0.99) };
    },
    close() {
      connections.close();
      return Promise.resolve();
    },
  };
}

function wait(connection: Connection, agent: number, sequence: number): Promise<void> {
  const states = [sequence % 2 === 1 ? State.ACTIVE : State.IDLE];
  return call(
    connection,
    `${STATES}/WaitForState`,
    encode(WaitForStateRequestSchema, { agentId: agentId(agent), states }),
  );
}

function fail(error: unknown): never {
  throw error;
}
