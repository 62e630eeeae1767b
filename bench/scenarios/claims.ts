import type { Claim, Metric } from "../scenario.js";

/** A figure of one case, divided by that of another if one is named, must not be smaller. */
export function atLeast(target: number, what: string, metric: Metric, of: string, against?: string): Claim {
  return { what, metric, of, sense: "at least", target, ...(against === undefined ? {} : { against }) };
}

/** A figure of one case, divided by that of another if one is named, must not be larger. */
export function atMost(target: number, what: string, metric: Metric, of: string, against?: string): Claim {
  return { what, metric, of, sense: "at most", target, ...(against === undefined ? {} : { against }) };
}
