import { Command, CommanderError } from "commander";
import type { Host } from "./command.js";
import { createContext, interruptedExit, type Context } from "./context.js";
import { EXIT_CODES, type Exit } from "./exit-codes.js";
import { CommandFailure, printFailure } from "./failure.js";
import { configureHelp, environmentLines, exitCodeLines } from "./help.js";
import type { CliIo } from "./io.js";
import { packageVersion } from "../lib/version.js";

/** A command, or a group of them, that is loaded only when it is asked for. */
interface Module {
  readonly name: string;
  readonly summary: string;
  readonly load: () => Promise<{ readonly define: (command: Command, host: Host) => void }>;
}

const MODULES: readonly Module[] = [
  { name: "serve", summary: "Start a server", load: () => import("./commands/serve.js") },
  { name: "demo", summary: "See a server, an agent and a watcher at work", load: () => import("./commands/demo.js") },
  {
    name: "agent",
    summary: "List, read, register, change, deregister and simulate agents",
    load: () => import("./commands/agent.js"),
  },
  { name: "state", summary: "Report, read, watch and wait for states", load: () => import("./commands/state.js") },
  { name: "session", summary: "Start, read, change and watch sessions", load: () => import("./commands/session.js") },
  {
    name: "workflow",
    summary: "Store, read, trigger and cancel workflows",
    load: () => import("./commands/workflow.js"),
  },
  { name: "task", summary: "List, read, retry and cancel tasks", load: () => import("./commands/task.js") },
  {
    name: "webhook",
    summary: "Send what happens to URLs, and see how far that has got",
    load: () => import("./commands/webhook.js"),
  },
  { name: "health", summary: "Ask a server whether it should get work", load: () => import("./commands/health.js") },
  { name: "config", summary: "Show the effective settings of the server", load: () => import("./commands/config.js") },
];

/**
 * Runs one command line.
 *
 * @param argv what was typed after the name of the program
 * @returns the exit code; failures are printed, not thrown
 */
export async function run(argv: readonly string[], io: CliIo): Promise<number> {
  const context = createContext(io);
  let exit: Exit = "OK";
  let program: Command | undefined;
  try {
    program = await createProgram(argv, { context, finish: (ended) => (exit = ended) });
    if (argv.length === 0) program.outputHelp();
    else await program.parseAsync(argv, { from: "user" });
  } catch (error) {
    exit = explain(error, context, argv, program);
  } finally {
    context.end();
  }
  return EXIT_CODES[exit].code;
}

async function createProgram(argv: readonly string[], host: Host): Promise<Command> {
  const program = new Command("opscore")
    .description("The control plane for AI agents: register, report, watch.")
    .version(packageVersion(), "-V, --version", "Print the version")
    .helpOption("-h, --help", "Show this help")
    .helpCommand("help [command]", "Show the help of a command")
    .enablePositionalOptions()
    .exitOverride()
    .addHelpText("after", `${environmentLines()}\n${exitCodeLines()}`);
  configureHelp(program, host.context.io);
  const [first, second] = argv.filter((word) => !word.startsWith("-"));
  const asked = first === "help" ? second : first;
  for (const { name, summary, load } of MODULES) {
    const command = program.command(name).summary(summary).description(`${summary}.`);
    if (name === asked) (await load()).define(command, host);
  }
  return program;
}

/**
 * Tells the user why the command failed.
 *
 * @returns how it ended
 */
function explain(
  error: unknown,
  { err, signal }: Context,
  argv: readonly string[],
  program: Command | undefined,
): Exit {
  if (error instanceof CommanderError) {
    // Help or the version was asked for.
    if (error.exitCode === 0) return "OK";
    // A group was named without a command: its help has been shown.
    if (error.code === "commander.help") return "USAGE";
  }
  // What fails after somebody asked for the end fails because of that.
  const interrupted = interruptedExit(signal);
  if (interrupted !== undefined) return interrupted;
  const failure = toFailure(error, argv, program);
  printFailure(err, failure, argv.includes("--json"));
  return failure.exit;
}

function toFailure(error: unknown, argv: readonly string[], program: Command | undefined): CommandFailure {
  if (error instanceof CommandFailure) return error;
  if (error instanceof CommanderError) {
    const [message = "", suggestion] = error.message.replace(/^error: /, "").split("\n");
    const hints = suggestion === undefined ? [] : [suggestion.replace(/^\(|\)$/g, "")];
    const { path, command } = understood(argv, program);
    // Only --help and --version are options of what has commands.
    const isGroup = command !== undefined && command.commands.length > 0;
    if (error.code === "commander.unknownOption" && isGroup && hints.length === 0) {
      hints.push("Options go after the command, as in `opscore agent list --url URL`.");
    }
    hints.push(`\`${path.join(" ")} --help\` shows what there is.`);
    return new CommandFailure("USAGE", message, { hints });
  }
  return new CommandFailure("FAILURE", error instanceof Error ? (error.stack ?? error.message) : String(error), {
    hints: ["This is a defect of opscore; a report of it, with what stands above, is welcome."],
  });
}

/** The command that was meant, as far as it was understood, and the words that it took. */
function understood(argv: readonly string[], program: Command | undefined) {
  const path = ["opscore"];
  let command = program;
  for (const word of argv) {
    const next = command?.commands.find((candidate) => candidate.name() === word);
    if (next === undefined) break;
    command = next;
    path.push(word);
  }
  return { path, command };
}
