import type { ScenarioResult } from "../harness/run.js";
import type { Claim } from "../scenario.js";

/** How a claim came out. */
export interface Verdict {
  readonly claim: Claim;
  /** The ratio, or the figure; undefined when one of the cases was not measured. */
  readonly value: number | undefined;
  readonly holds: boolean | undefined;
}

export function judge({ scenario, cases }: ScenarioResult): Verdict[] {
  const median = (name: string, claim: Claim): number | undefined =>
    cases.find((one) => one.name === name)?.figures[claim.metric]?.median;
  return scenario.claims.map((claim) => {
    const of = median(claim.of, claim);
    const against = claim.against === undefined ? 1 : median(claim.against, claim);
    if (of === undefined || against === undefined) return { claim, value: undefined, holds: undefined };
    const value = of / against;
    return { claim, value, holds: claim.sense === "at least" ? value >= claim.target : value <= claim.target };
  });
}
