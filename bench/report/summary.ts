import type { CaseResult, ScenarioResult } from "../harness/run.js";
import { METRICS, type Metric } from "../scenario.js";
import { judge, type Verdict } from "./claims.js";
import { table } from "./table.js";
import { measured, quantity, spread, wanted } from "./words.js";

/** What must hold, and what was measured. */
export function claimTable(results: readonly ScenarioResult[]): string {
  const verdicts = results.flatMap(judge);
  return table(
    ["what", "measured", "wanted", ""],
    verdicts.map((verdict) => [verdict.claim.what, measured(verdict), wanted(verdict.claim), mark(verdict)]),
  );
}

function mark({ holds, claim, value }: Verdict): string {
  if (holds === undefined || value === undefined) return "";
  if (!holds) return "missed";
  return claim.goal === undefined || value < claim.goal ? "holds" : "reaches the goal";
}

/** The figures of one scenario. */
export function figureTable({ cases }: ScenarioResult): string {
  const metrics = (Object.keys(METRICS) as Metric[]).filter((metric) =>
    cases.some(({ figures }) => figures[metric] !== undefined),
  );
  return table(
    ["", ...metrics.map((metric) => METRICS[metric]), "peak memory"],
    cases.map((one) => [one.name, ...metrics.map((metric) => cell(one, metric)), peak(one)]),
  );
}

function cell({ figures, failure }: CaseResult, metric: Metric): string {
  const figure = figures[metric];
  if (figure !== undefined) return spread(metric, figure);
  return failure === undefined ? "" : "failed";
}

function peak({ peakBytes }: CaseResult): string {
  return peakBytes === undefined ? "" : quantity("bytes", peakBytes / 1000).replace("kB", "MB");
}
