import type { Figure } from "../harness/statistics.js";
import type { Claim, Metric } from "../scenario.js";
import type { Verdict } from "./claims.js";

/** A number with three digits that count. */
export function digits(value: number): string {
  if (value >= 100) return Math.round(value).toLocaleString("en");
  return value.toLocaleString("en", { maximumSignificantDigits: 3 });
}

const UNITS: Readonly<Record<Metric, (value: number) => string>> = {
  rate: (value) => `${digits(value)}/s`,
  cpuUs: (value) => `${digits(value)} µs`,
  p50Ms: (value) => `${digits(value)} ms`,
  p99Ms: (value) => `${digits(value)} ms`,
  ms: (value) => `${digits(value)} ms`,
  bytes: (value) => `${digits(value / 1000)} kB`,
};

export function quantity(metric: Metric, value: number): string {
  return UNITS[metric](value);
}

/** The median, and how far the samples were apart. */
export function spread(metric: Metric, { median, low, high, samples }: Figure): string {
  if (samples === 1) return quantity(metric, median);
  return `${quantity(metric, median)} (${quantity(metric, low)} – ${quantity(metric, high)})`;
}

export function measured({ claim, value }: Verdict): string {
  return value === undefined ? "not measured" : asClaimed(claim, value);
}

export function wanted(claim: Claim): string {
  const goal = claim.goal === undefined ? "" : `, goal ${asClaimed(claim, claim.goal)}`;
  return `${claim.sense} ${asClaimed(claim, claim.target)}${goal}`;
}

function asClaimed({ metric, against }: Claim, value: number): string {
  return against === undefined ? quantity(metric, value) : `${digits(value)} ×`;
}
