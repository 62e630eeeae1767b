import { cpuPer } from "../load/cpu.js";
import { ReportLoop } from "../load/report-loop.js";
import { report, streamed } from "../load/dialects/opscore.js";
import { RedisBenchmark, type Calls, type Committed } from "../load/redis-benchmark.js";
import type { Case, Load, Pace, Scenario, Target } from "../scenario.js";
import { atLeast } from "./claims.js";

const IN_FLIGHT = 256;

export const reportStates: Scenario = {
  name: "report-states",
  title: "ReportStates on one stream",
  description: `One stream, ${IN_FLIGHT} reports in flight, each a change of one agent between IDLE and ACTIVE, each answered.`,
  cases: (["opscore", "connect", "grpc-js", "floor"] as const).map((system) => ({
    name: system,
    system,
    server: { agents: 1 },
    open,
  })),
  claims: [atLeast(3.5, "ReportStates on one stream against Connect's handlers", "rate", "opscore", "connect")],
};

async function open(target: Target, pace: Pace): Promise<Load> {
  const loop = await ReportLoop.open(target, IN_FLIGHT, (sequence) => streamed(report(0, sequence)));
  await loop.times(pace.warmUp);
  return {
    async measure() {
      const since = performance.now();
      const { result: answers, cpu } = await cpuPer(
        target.pid,
        () => loop.forSeconds(pace.seconds),
        (count) => count,
      );
      return { rate: answers / ((performance.now() - since) / 1000), ...cpu };
    },
    close() {
      loop.close();
      return Promise.resolve();
    },
  };
}

const ALONE = "redis-benchmark -P 16";
const TOGETHER = "redis-benchmark, 64 reports a call";

export const reportStatesRedis: Scenario = {
  name: "redis-report-states",
  title: "ReportStates on Redis",
  description: `The same stream, with the state in Redis (no AOF, no snapshots, on the core of the load); against \`redis-benchmark\` with the script of these commits, on a Redis that has a core of its own. Alone, each of its calls has one report, which leaves the index of states as it is; together, its calls have 64 that are ACTIVE and IDLE in turn, as the server's calls have up to 256. All are checked to be commits. CPU is that of the server, without Redis, or of Redis.`,
  cases: [
    { name: "opscore", system: "opscore", server: { agents: 1, storage: "redis" }, open },
    benchmarking(ALONE, { reports: 1, pipeline: 16 }),
    benchmarking(TOGETHER, { reports: 64, pipeline: 1 }),
  ],
  claims: [
    atLeast(0.4, "ReportStates on Redis against `redis-benchmark -P 16` of its script", "rate", "opscore", ALONE),
  ],
};

function benchmarking(name: string, calls: Calls): Case {
  return {
    name,
    system: "redis",
    async open(target, pace) {
      const benchmark = await RedisBenchmark.open(target, calls);
      let { perSecond } = await benchmark.times(pace.warmUp);
      return {
        async measure() {
          // As many as make a sample of about the usual length.
          const run = (): Promise<Committed> => benchmark.times(perSecond * pace.seconds);
          const { result, cpu } = await cpuPer(target.pid, run, ({ commits }) => commits);
          ({ perSecond } = result);
          return { rate: perSecond, ...cpu };
        },
        close() {
          benchmark.close();
          return Promise.resolve();
        },
      };
    },
  };
}
