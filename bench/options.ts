import { parseArgs } from "node:util";
import type { Pace, Scenario, SystemName } from "./scenario.js";
import { SYSTEMS } from "./scenario.js";

export const USAGE = `npm run bench -- [options]

  --only NAME,…     scenarios by name, or by the beginning of their names
  --against NAME,…  which others to measure, and redis for what is kept in Redis: ${SYSTEMS.filter((name) => name !== "opscore").join(", ")}; default all
  --quick           short runs: shows that everything works, and figures that mean little
  --smoke           the shortest runs, for the tests
  --json FILE       writes the figures as JSON
  --page            writes docs/performance.md from this run; a whole run does so by itself
  --list            lists the scenarios`;

export interface Options {
  readonly scenarios: readonly Scenario[];
  readonly systems: ReadonlySet<SystemName>;
  readonly json: string | undefined;
  /** Whether the page is written. */
  readonly page: boolean;
  readonly list: boolean;
  readonly pace: Pace;
  readonly repetitions: number;
}

const FULL: Pace = { seconds: 2, warmUp: 40_000, scale: 1 };
const QUICK: Pace = { seconds: 0.5, warmUp: 2_000, scale: 0.05 };
const SMOKE: Pace = { seconds: 0.1, warmUp: 200, scale: 0.01 };

/** @throws Error saying what cannot be understood */
export function readOptions(args: readonly string[], scenarios: readonly Scenario[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: "string" },
      against: { type: "string" },
      quick: { type: "boolean", default: false },
      smoke: { type: "boolean", default: false },
      json: { type: "string" },
      page: { type: "boolean", default: false },
      list: { type: "boolean", default: false },
    },
  });
  const short = values.quick || values.smoke;
  const whole = values.only === undefined && values.against === undefined && !short;
  return {
    scenarios: values.only === undefined ? scenarios : words(values.only).flatMap((name) => named(name, scenarios)),
    systems: new Set<SystemName>([
      "opscore",
      ...(values.against === undefined ? SYSTEMS : words(values.against).map(system)),
    ]),
    json: values.json,
    page: values.page || whole,
    list: values.list,
    pace: values.smoke ? SMOKE : values.quick ? QUICK : FULL,
    repetitions: values.smoke ? 1 : values.quick ? 2 : 5,
  };
}

function named(name: string, scenarios: readonly Scenario[]): readonly Scenario[] {
  const found = scenarios.filter((scenario) => scenario.name === name || scenario.name.startsWith(`${name}-`));
  if (found.length === 0) throw new Error(`there is no scenario ${name}; --list shows them`);
  return found;
}

function system(name: string): SystemName {
  const found = SYSTEMS.find((one) => one === name);
  if (found === undefined) throw new Error(`nothing here is called ${name}: ${SYSTEMS.join(", ")}`);
  return found;
}

function words(list: string): string[] {
  return list.split(",").filter((word) => word !== "");
}
