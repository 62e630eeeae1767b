import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { format, resolveConfig } from "prettier";
import type { ScenarioResult } from "../harness/run.js";
import { systems } from "../systems/index.js";
import { chart } from "./chart.js";
import { machine } from "./machine.js";
import { claimTable, figureTable } from "./summary.js";

/** From the build. */
const PAGE = fileURLToPath(new URL("../../../../docs/performance.md", import.meta.url));
const RESULTS = /(<!-- measured -->\n)[\s\S]*(<!-- end -->)/;

/** Puts a run on the page, whose other text stays. @returns the file */
export async function writePage(results: readonly ScenarioResult[]): Promise<string> {
  const page = await readFile(PAGE, "utf8");
  if (!RESULTS.test(page)) throw new Error(`${PAGE} has no place for the figures`);
  const fresh = page.replace(RESULTS, (_, open: string, end: string) => `${open}\n${section(results)}\n\n${end}`);
  await writeFile(PAGE, await format(fresh, { ...(await resolveConfig(PAGE)), filepath: PAGE }));
  return PAGE;
}

function section(results: readonly ScenarioResult[]): string {
  return [
    `Measured on ${machine()}.`,
    claimTable(results),
    "## Figures",
    "Medians, and in brackets the lowest and the highest sample.",
    Object.values(systems)
      .map(({ name, title }) => `- **${name}**: ${title}`)
      .join("\n"),
    ...results.flatMap((result) => {
      const bars = chart(result);
      return [
        `### ${result.scenario.title}`,
        result.scenario.description,
        ...(bars === undefined ? [] : ["```text\n" + bars + "\n```"]),
        figureTable(result),
      ];
    }),
  ].join("\n\n");
}
