import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { Load, Scenario } from "../scenario.js";
import { atMost } from "./claims.js";

const SERVE = "opscore serve";
const IMPORT = "client import";
/** What is shipped, seen from where the bench is built: how it is put into files is part of what is measured. */
const SHIPPED = new URL("../../../src/", import.meta.url);
const MAIN = fileURLToPath(new URL("cli/main.js", SHIPPED));
const CLIENT = new URL("index.js", SHIPPED).href;
const TIME_IMPORT = `
  const since = performance.now();
  await import(process.argv[1]);
  console.log(performance.now() - since);
`;

export const startup: Scenario = {
  name: "startup",
  title: "Startup",
  description:
    "From the start of the process to the first answer over HTTP; and what `import` of the client takes in a process that has started.",
  cases: [
    { name: SERVE, system: undefined, open: () => repeated(serveUntilAnswer) },
    { name: IMPORT, system: undefined, open: () => repeated(importClient) },
  ],
  claims: [
    atMost(500, "`opscore serve` to its first answer", "ms", SERVE),
    atMost(120, "import of the client", "ms", IMPORT),
  ],
};

/** Once before it counts, so that the files are in memory. */
async function repeated(once: () => Promise<number>): Promise<Load> {
  await once();
  return { measure: async () => ({ ms: await once() }), close: () => Promise.resolve() };
}

async function serveUntilAnswer(): Promise<number> {
  const since = performance.now();
  const child = spawn(process.execPath, [MAIN, "serve", "--port", "0", "--log-level", "warn"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const url = /^listening on (\S+)$/.exec(await firstLine(child))?.[1];
  const response = await fetch(`${url}/healthz`);
  const ms = performance.now() - since;
  if (!response.ok) throw new Error(`the first answer is ${response.status}`);
  const exited = once(child, "exit");
  child.kill("SIGKILL");
  await exited;
  return ms;
}

async function importClient(): Promise<number> {
  const child = spawn(process.execPath, ["--input-type=module", "--eval", TIME_IMPORT, CLIENT], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  return Number(await firstLine(child));
}

async function firstLine(child: ChildProcess): Promise<string> {
  if (child.stdout === null) throw new Error("its output is piped");
  for await (const line of createInterface({ input: child.stdout })) return line;
  throw new Error("the process said nothing");
}
