import type { ScenarioResult } from "../harness/run.js";
import { judge } from "./claims.js";
import { machine } from "./machine.js";

/** A run, for programs: every figure in the unit that its name says. */
export function toJson(results: readonly ScenarioResult[]): string {
  const scenarios = results.map((result) => ({
    name: result.scenario.name,
    title: result.scenario.title,
    cases: result.cases,
    claims: judge(result).map(({ claim, value, holds }) => ({ ...claim, value, holds })),
  }));
  return `${JSON.stringify({ machine: machine(), scenarios }, null, 2)}\n`;
}
