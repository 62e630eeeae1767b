import { samplesOf, type Case, type Scenario } from "../scenario.js";
import type { RunOptions } from "./run.js";

/** How many requests the servers of a warm-up take in a second, about, all together. */
const WARM_UPS_PER_SECOND = 12_000;
/** What it takes to start one case and to stop it, in seconds. */
const STARTING = 0.5;

/** About how long a scenario takes, in seconds of a machine that is like any other: only ratios of these are used. */
export function effort(
  scenario: Scenario,
  cases: readonly Case[],
  { pace, repetitions }: Pick<RunOptions, "pace" | "repetitions">,
): number {
  const { seconds, warmUp } = pace;
  return cases.length * (STARTING + warmUp / WARM_UPS_PER_SECOND + seconds * samplesOf(scenario, repetitions));
}

/** How far a run is, and how long the rest will take if it goes on as it did. */
export class Progress {
  private readonly since = performance.now();
  private readonly whole: number;
  private index = 0;
  private done = 0;

  /** @param efforts of what there is to do, in its order; see {@link effort} */
  constructor(private readonly efforts: readonly number[]) {
    this.whole = efforts.reduce((sum, each) => sum + each, 0);
  }

  /** Called before each part. @returns which one it is, and how much is left */
  next(): string {
    const left = this.whole - this.done;
    const elapsed = (performance.now() - this.since) / 1000;
    const expected = this.done === 0 ? left : (elapsed / this.done) * left;
    this.done += this.efforts[this.index] ?? 0;
    this.index += 1;
    return `[${this.index}/${this.efforts.length}, about ${duration(expected)} left]`;
  }

  /** @returns how long it took */
  end(): string {
    return `took ${duration((performance.now() - this.since) / 1000)}`;
  }
}

function duration(seconds: number): string {
  return seconds < 90 ? `${Math.ceil(seconds)} s` : `${Math.ceil(seconds / 60)} min`;
}
