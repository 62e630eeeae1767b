import { samplesOf, type Case, type Metric, type Pace, type Sample, type Scenario } from "../scenario.js";
import { OpenCase } from "./open-case.js";
import { figure, type Figure } from "./statistics.js";

/** What became of one case. */
export interface CaseResult {
  readonly name: string;
  readonly figures: Readonly<Partial<Record<Metric, Figure>>>;
  /** The most memory that its server had, in bytes. */
  readonly peakBytes: number | undefined;
  /** Why there are no figures. */
  readonly failure: string | undefined;
}

export interface ScenarioResult {
  readonly scenario: Scenario;
  readonly cases: readonly CaseResult[];
}

export interface RunOptions {
  readonly pace: Pace;
  readonly repetitions: number;
  /** Tells how it goes. */
  readonly log: (line: string) => void;
}

/** Runs the given cases of a scenario side by side. A case that fails does not take the others with it. */
export async function runScenario(
  scenario: Scenario,
  cases: readonly Case[],
  { pace, repetitions, log }: RunOptions,
): Promise<ScenarioResult> {
  if (cases.length === 0) return { scenario, cases: [] };
  const runs = cases.map((one) => new CaseRun(scenario, one));
  try {
    log(`  starting and warming up: ${cases.map(({ name }) => name).join(", ")}`);
    await Promise.all(runs.map((run) => run.open(pace)));
    const samples = samplesOf(scenario, repetitions);
    for (let i = 1; i <= samples; i += 1) {
      for (const run of runs) await run.measure();
      log(`  round ${i}`);
    }
  } finally {
    await Promise.all(runs.map((run) => run.close()));
  }
  for (const { one, failure } of runs) if (failure !== undefined) log(`  ${one.name} failed: ${failure}`);
  return { scenario, cases: runs.map((run) => run.result) };
}

class CaseRun {
  failure: string | undefined;
  private readonly samples: Sample[] = [];
  private case: OpenCase | undefined;
  private peakBytes: number | undefined;

  constructor(
    private readonly scenario: Scenario,
    readonly one: Case,
  ) {}

  async open(pace: Pace): Promise<void> {
    await this.attempt(async () => {
      this.case = await OpenCase.open(this.scenario, this.one, pace);
    });
  }

  async measure(): Promise<void> {
    const open = this.case;
    if (open === undefined || this.failure !== undefined) return;
    await this.attempt(async () => {
      this.samples.push(await open.measure());
      this.peakBytes = open.peakBytes;
    });
  }

  async close(): Promise<void> {
    await this.case?.close();
  }

  get result(): CaseResult {
    const { one, samples, peakBytes, failure } = this;
    const figures: Partial<Record<Metric, Figure>> = {};
    for (const metric of Object.keys(samples[0] ?? {}) as Metric[]) {
      figures[metric] = figure(samples.map((sample) => sample[metric]).filter((value) => value !== undefined));
    }
    return { name: one.name, figures, peakBytes, failure };
  }

  private async attempt(step: () => Promise<void>): Promise<void> {
    try {
      await step();
    } catch (error) {
      this.failure ??= error instanceof Error ? error.message : String(error);
    }
  }
}
