import { run } from "../../../src/cli/run.js";
import type { CliIo, Terminal } from "../../../src/cli/io.js";
import { systemScheduler } from "../../../src/client/index.js";

/** The help of every command. What all of them share is on the page once: connection options here, settings elsewhere. */
export async function commands(): Promise<string> {
  const parts: string[] = [];
  for (const name of subcommands(await help())) {
    const text = await help(name);
    const below = subcommands(text);
    if (below.length === 0) parts.push(describeCommand(name, text));
    for (const sub of below) parts.push(describeCommand(`${name} ${sub}`, await help(name, sub)));
  }
  return parts.join("\n\n");
}

/** The options that every command has which talks to a server. */
export async function connection(): Promise<string> {
  return fence(section(await help("state", "watch"), "Connection"));
}

/** What a command answers to the shell, and what it reads from there. */
export async function shell(): Promise<string> {
  const text = await help();
  return fence([section(text, "Environment"), section(text, "Exit codes")].join("\n\n"));
}

const SHARED = ["Connection", "Settings"];

function describeCommand(name: string, text: string): string {
  const own = text
    .split("\n\n")
    .filter((paragraph) => !SHARED.some((title) => paragraph.startsWith(`${title}:`)))
    .join("\n\n");
  return `### opscore ${name}\n\n${fence(own)}`;
}

function subcommands(text: string): readonly string[] {
  if (!text.includes("\nCommands:")) return [];
  return section(text, "Commands")
    .split("\n")
    .flatMap((line) => /^ {2}([\w-]+)/.exec(line)?.[1] ?? [])
    .filter((name) => name !== "help");
}

function section(text: string, title: string): string {
  const found = text.split("\n\n").find((paragraph) => paragraph.startsWith(`${title}:`));
  if (found === undefined) throw new Error(`the help has no section ${title}`);
  return found;
}

function fence(text: string): string {
  return `\`\`\`text\n${text.trimEnd()}\n\`\`\``;
}

async function help(...words: readonly string[]): Promise<string> {
  let text = "";
  const terminal = (write: (more: string) => void): Terminal => ({
    write,
    isTTY: false,
    columns: 80,
    rows: 24,
    onResize: () => () => undefined,
  });
  const io: CliIo = {
    stdout: terminal((more) => (text += more)),
    stderr: terminal((more) => (text += more)),
    env: {},
    scheduler: systemScheduler,
    readStdin: () => Promise.resolve(""),
    onSignal: () => () => undefined,
  };
  await run([...words, "--help"], io);
  return text;
}
