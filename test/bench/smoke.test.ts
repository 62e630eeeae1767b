/** Every scenario for a moment: that it runs, measures what it should, and fails loudly. How fast anything is, is not judged here. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { z } from "zod";
import { scenarios } from "../../bench/scenarios/index.js";
import { redisBinary } from "../helpers/redis-binary.js";
import { root } from "../helpers/repository.js";
import { run, runToEnd } from "../helpers/run.js";

const BENCH = join(root, "dist/bench/bench/main.js");
/** A scenario may start five servers and fill them with a million agents. */
const TIMEOUT_MS = 180_000;

const Figure = z.object({
  median: z.number(),
  low: z.number(),
  high: z.number(),
  samples: z.number().int().positive(),
});
const Report = z.object({
  machine: z.string().min(1),
  scenarios: z
    .array(
      z.object({
        name: z.string(),
        cases: z
          .array(
            z.object({ name: z.string(), failure: z.undefined().optional(), figures: z.record(z.string(), Figure) }),
          )
          .min(1),
        claims: z.array(z.object({ what: z.string(), target: z.number().positive() })),
      }),
    )
    .length(1),
});

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "opscore-bench-test-"));
  await redisBinary();
  await run("npm", ["run", "--silent", "bench:build"], { cwd: root });
}, TIMEOUT_MS);

afterAll(() => rm(folder, { recursive: true }));

/** Runs one scenario against some systems; default is every one that is installed. */
async function measure(name: string, ...against: readonly string[]): Promise<void> {
  const file = join(folder, `${name}.json`);
  const { code, stderr } = await runToEnd(process.execPath, [
    BENCH,
    "--smoke",
    "--only",
    name,
    "--json",
    file,
    ...against,
  ]);
  expect(code, stderr).toBe(0);
  const [scenario] = Report.parse(JSON.parse(await readFile(file, "utf8"))).scenarios;
  for (const one of scenario?.cases ?? []) expect(Object.keys(one.figures), one.name).not.toEqual([]);
}

it("fan-out-100-8 against every system that is installed", () => measure("fan-out-100-8"), TIMEOUT_MS);

it.each(scenarios.map(({ name }) => name))("%s", (name) => measure(name, "--against", "floor,redis"), TIMEOUT_MS);

it("says what it does not understand", async () => {
  const { code, stderr } = await runToEnd(process.execPath, [BENCH, "--only", "nonsense"]);
  expect(code).toBe(2);
  expect(stderr).toContain("there is no scenario nonsense");
});

it("has scenarios of different names, whose claims are about their own cases", () => {
  expect(new Set(scenarios.map(({ name }) => name)).size).toBe(scenarios.length);
  for (const { cases, claims } of scenarios) {
    const names = new Set(cases.map(({ name }) => name));
    expect(names.size).toBe(cases.length);
    for (const { of, against = of } of claims) expect([...names]).toEqual(expect.arrayContaining([of, against]));
  }
});
