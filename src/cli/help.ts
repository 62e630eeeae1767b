import type { Command, HelpConfiguration, OutputConfiguration } from "commander";
import { EXIT_CODES } from "./exit-codes.js";
import type { CliIo } from "./io.js";
import { DEFAULT_URL } from "./target.js";
import { createStyle, wantsColour } from "./text/style.js";

/** A whole command line, and what it does. */
export type Example = readonly [line: string, meaning: string];

const look = createStyle(true);

/** How help looks. Commander takes the looks out again where they are not wanted. */
const HELP_STYLE: HelpConfiguration = {
  styleTitle: (title) => look("bold", title),
  styleCommandText: (text) => look("cyan", text),
  styleSubcommandText: (text) => look("cyan", text),
  styleOptionText: (text) => look("green", text),
  styleArgumentText: (text) => look("yellow", text),
};

/** Makes help and version go where the command's output goes, and as wide as that is. Commander's own errors are printed elsewhere. */
export function configureHelp(program: Command, { stdout, stderr, env }: CliIo): void {
  const output: OutputConfiguration = {
    writeOut: (text) => stdout.write(text),
    writeErr: (text) => stderr.write(text),
    outputError: () => undefined,
    getOutHelpWidth: () => helpWidth(stdout),
    getErrHelpWidth: () => helpWidth(stderr),
    getOutHasColors: () => wantsColour(env, stdout.isTTY),
    getErrHasColors: () => wantsColour(env, stderr.isTTY),
  };
  program.configureOutput(output).configureHelp(HELP_STYLE);
}

/** Lines longer than this are hard to read, however wide the terminal. */
const MAX_HELP_WIDTH = 110;

function helpWidth({ isTTY, columns }: CliIo["stdout"]): number {
  return isTTY ? Math.min(columns, MAX_HELP_WIDTH) : MAX_HELP_WIDTH;
}

export function exampleLines(examples: readonly Example[]): string {
  const lines = examples.map(([line, meaning]) => `  ${look("dim", `# ${meaning}`)}\n  ${look("cyan", line)}`);
  return `\n${look("bold", "Examples:")}\n${lines.join("\n")}`;
}

export function exitCodeLines(): string {
  const lines = Object.values(EXIT_CODES).map(({ code, meaning }) => `  ${String(code).padStart(3)}  ${meaning}`);
  return `\n${look("bold", "Exit codes:")}\n${lines.join("\n")}`;
}

/** The environment variables of the client commands, and of all output. */
export function environmentLines(): string {
  const variables = [
    ["OPSCORE_URL", `where the server is; default ${DEFAULT_URL}`],
    ["OPSCORE_API_KEY", "the key: what the server wants, what clients send"],
    ["OPSCORE_NAMESPACE", "the namespace that client commands work in"],
    ["NODE_EXTRA_CA_CERTS", "a file (PEM) with authorities to trust, for servers behind https"],
    ["NO_COLOR, FORCE_COLOR", "no colours; colours also in a pipe"],
  ] as const;
  const lines = variables.map(([name, meaning]) => `  ${look("green", name.padEnd(21))}  ${meaning}`);
  return `\n${look("bold", "Environment:")}\n${lines.join("\n")}\n  The settings of the server have variables too: see ${look("cyan", "opscore config")}.`;
}
