/** `npm run bench`: measures, prints, and writes docs/performance.md. */
import { writeFile } from "node:fs/promises";
import { canPin } from "./harness/cores.js";
import { effort, Progress } from "./harness/progress.js";
import { runScenario, type ScenarioResult } from "./harness/run.js";
import { readOptions, USAGE, type Options } from "./options.js";
import { writePage } from "./report/page.js";
import { claimTable, figureTable } from "./report/summary.js";
import { toJson } from "./report/json.js";
import { needs, SYSTEMS } from "./scenario.js";
import { scenarios } from "./scenarios/index.js";
import { systems } from "./systems/index.js";

const print = (text: string): void => void process.stdout.write(`${text}\n`);
const log = (text: string): void => void process.stderr.write(`${text}\n`);

async function bench(options: Options): Promise<void> {
  const present = new Set(SYSTEMS.filter((name) => options.systems.has(name)));
  for (const name of present) {
    const missing = systems[name].missing();
    if (missing === undefined) continue;
    log(`not measured: ${missing}`);
    present.delete(name);
  }
  if (!canPin) log("taskset is not there, or there is one core: processes share what there is");
  const results: ScenarioResult[] = [];
  const runs = options.scenarios.map((scenario) => ({
    scenario,
    cases: scenario.cases.filter((one) => needs(one).every((name) => present.has(name))),
  }));
  const progress = new Progress(runs.map(({ scenario, cases }) => effort(scenario, cases, options)));
  for (const { scenario, cases } of runs) {
    log(`${progress.next()} ${scenario.title}`);
    if (cases.length === 0) log("  nothing of it can be measured: what it needs is not there, or not wanted");
    const result = await runScenario(scenario, cases, { ...options, log });
    results.push(result);
    print(`\n${scenario.title}\n\n${figureTable(result)}\n`);
  }
  print(claimTable(results));
  log(progress.end());
  if (options.json !== undefined) await writeFile(options.json, toJson(results));
  if (options.page) log(`wrote ${await writePage(results)}`);
  if (results.some(({ cases }) => cases.some(({ failure }) => failure !== undefined))) process.exitCode = 1;
}

// So that what waits for the exit is told of it.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(130));

try {
  const options = readOptions(process.argv.slice(2), scenarios);
  if (options.list) print(scenarios.map(({ name, title }) => `${name.padEnd(24)} ${title}`).join("\n"));
  else await bench(options);
} catch (error) {
  log(error instanceof Error ? error.message : String(error));
  log(`\n${USAGE}`);
  process.exitCode = 2;
}
