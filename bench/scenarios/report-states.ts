import { cpuPer } from "../load/cpu.js";
import { ReportLoop } from "../load/report-loop.js";
import { report, streamed } from "../load/dialects/opscore.js";
import type { Load, Pace, Scenario, Target } from "../scenario.js";
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
