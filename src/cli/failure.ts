import type { Exit } from "./exit-codes.js";
import type { Printer } from "./text/printer.js";
import { printable } from "./text/printable.js";
import { EXIT_CODES } from "./exit-codes.js";

/** One value that cannot be used. */
export interface Problem {
  /** As it is typed, or as the API calls it: `--limit`, `<state>`, `OPSCORE_URL`, `labels["x y"]`. */
  readonly name: string;
  /** A sentence without subject: "must be a whole number from 1, got \"many\"". */
  readonly description: string;
}

export interface FailureFacts {
  /** Every value that is wrong. */
  readonly problems?: readonly Problem[];
  /** What to do about it, one sentence each. */
  readonly hints?: readonly string[];
  /** The code of the call that failed: `NOT_FOUND`. */
  readonly code?: string | undefined;
  /** Why the server failed it: `AGENT_NOT_FOUND`. */
  readonly reason?: string | undefined;
  /** The facts that go with the reason. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/** Why a command failed, as its user is told. */
export class CommandFailure extends Error {
  override readonly name = "CommandFailure";

  /** @param message a sentence without capital and full stop */
  constructor(
    readonly exit: Exit,
    message: string,
    readonly facts: FailureFacts = {},
  ) {
    super(message);
  }
}

/** The command line cannot be used. */
export function usageFailure(problems: readonly Problem[]): CommandFailure {
  const message = problems.length === 1 ? "a value cannot be used" : `${problems.length} values cannot be used`;
  return new CommandFailure("USAGE", message, { problems });
}

/** The command line says whom to change, and not what. @param options with which that can be said */
export function nothingToChange(options: readonly string[]): CommandFailure {
  return new CommandFailure("USAGE", "nothing to change was given", {
    hints: [`Give at least one of ${options.join(", ")}.`],
  });
}

/**
 * Tells the user why the command failed.
 *
 * @param asJson as one JSON document, for programs
 */
export function printFailure(printer: Printer, { exit, message, facts }: CommandFailure, asJson: boolean): void {
  const { problems = [], hints = [], code, reason, metadata } = facts;
  if (asJson) {
    const { code: exitCode } = EXIT_CODES[exit];
    printer.json({ error: { message, exitCode, code, reason, metadata, problems, hints } });
    return;
  }
  printer.line([
    { text: "error: ", look: ["red", "bold"] },
    { text: printable(message) },
    { text: reason === undefined ? "" : ` (${printable(reason)})`, look: "dim" },
  ]);
  const width = Math.max(0, ...problems.map(({ name }) => name.length));
  for (const { name, description } of problems) {
    printer.line([{ text: `  ${printable(name).padEnd(width)}  `, look: "yellow" }, { text: printable(description) }]);
  }
  for (const hint of hints) printer.line([{ text: "hint: ", look: "cyan" }, { text: printable(hint) }]);
}
