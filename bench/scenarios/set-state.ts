import { ClosedLoop } from "../load/closed-loop.js";
import { Connections } from "../load/connections.js";
import { cpuPer } from "../load/cpu.js";
import { dialectOf } from "../load/dialects/index.js";
import { SYSTEMS, type Load, type Pace, type Scenario, type Target } from "../scenario.js";

const CONNECTIONS = 8;
const CALLERS = 128;

export const setState: Scenario = {
  name: "set-state",
  title: "Unary SetState",
  description: `${CALLERS} callers on ${CONNECTIONS} connections, each with an agent of its own that goes from IDLE to ACTIVE and back; etcd: Put of 64 bytes.`,
  cases: SYSTEMS.map((system) => ({ name: system, system, server: { agents: CALLERS }, open })),
  claims: [
    {
      what: "unary SetState against Connect's handlers",
      metric: "rate",
      of: "opscore",
      against: "connect",
      sense: "at least",
      target: 6,
    },
    {
      what: "unary SetState against grpc-js",
      metric: "rate",
      of: "opscore",
      against: "grpc-js",
      sense: "at least",
      target: 1.05,
    },
    {
      what: "unary SetState against etcd Put",
      metric: "rate",
      of: "opscore",
      against: "etcd",
      sense: "at least",
      target: 0.8,
      goal: 1,
    },
    {
      what: "CPU of a unary commit against the floor",
      metric: "cpuUs",
      of: "opscore",
      against: "floor",
      sense: "at most",
      target: 1.8,
    },
  ],
};

async function open(target: Target, { seconds, warmUp }: Pace): Promise<Load> {
  const connections = await Connections.open(target, CONNECTIONS);
  const loop = new ClosedLoop(connections, dialectOf(target.system).commit(), CALLERS);
  await loop.times(warmUp);
  return {
    async measure() {
      const { result, cpuUs } = await cpuPer(
        target.pid,
        () => loop.forSeconds(seconds),
        (done) => done.operations,
      );
      return { rate: result.operations / result.seconds, ...(cpuUs === undefined ? {} : { cpuUs }) };
    },
    close() {
      connections.close();
      return Promise.resolve();
    },
  };
}
