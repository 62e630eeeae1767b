import { run } from "../../../src/cli/run.js";
import type { CliIo, Terminal } from "../../../src/cli/io.js";
import { systemScheduler } from "../../../src/client/index.js";

/** The help of every command. What all of them share is on the page once: connection options here, settings elsewhere. */
export async function commands(): Promise<string> {
  return (await helpTexts()).map(({ name, text }) => describeCommand(name, text)).join("\n\n");
}

/** Every command that is no group, with its help. */
async function helpTexts(): Promise<readonly { readonly name: string; readonly text: string }[]> {
  const texts: { readonly name: string; readonly text: string }[] = [];
  for (const name of subcommands(await help())) {
    const text = await help(name);
    const below = subcommands(text);
    if (below.length === 0) texts.push({ name, text });
    for (const sub of below) texts.push({ name: `${name} ${sub}`, text: await help(name, sub) });
  }
  return texts;
}

/** The options that every command has which talks to a server, and those few that lack one of them. */
export async function connection(): Promise<string> {
  const lasting = (await helpTexts())
    .filter(({ text }) => text.includes("\nConnection:") && !section(text, "Connection").includes("--timeout"))
    .map(({ name }) => `\`${name}\``);
  const exception = `${lasting.slice(0, -1).join(", ")} and ${lasting.at(-1)} last as long as they last, without this \`--timeout\`; \`state wait\` has one of its own.`;
  return `${fence(section(await help("agent", "list"), "Connection"))}\n\n${exception}`;
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
