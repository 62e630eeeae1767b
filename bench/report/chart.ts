import type { ScenarioResult } from "../harness/run.js";
import { quantity } from "./words.js";

const WIDTH = 40;
const PARTS = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"] as const;

/** Bars of the rates of one scenario; undefined when it has none. */
export function chart({ cases }: ScenarioResult): string | undefined {
  const rates = cases.flatMap(({ name, figures }) =>
    figures.rate === undefined ? [] : [{ name, rate: figures.rate.median }],
  );
  if (rates.length < 2) return undefined;
  const max = Math.max(...rates.map(({ rate }) => rate));
  const width = Math.max(...rates.map(({ name }) => name.length));
  return rates.map(({ name, rate }) => `${name.padEnd(width)} ${bar(rate / max)} ${quantity("rate", rate)}`).join("\n");
}

function bar(share: number): string {
  const eighths = Math.max(1, Math.round(share * WIDTH * PARTS.length));
  return "█".repeat(Math.floor(eighths / PARTS.length)) + (PARTS[eighths % PARTS.length] ?? "");
}
