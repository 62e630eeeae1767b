import type { Command } from "commander";
import type { Context } from "./context.js";
import type { Exit } from "./exit-codes.js";
import { readValues, refuse, type Flags, type Positionals, type Values } from "./flags.js";
import { exampleLines, type Example } from "./help.js";

/** What help says of a command. */
export interface CommandHelp {
  /** One line for lists of commands, without a full stop. */
  readonly summary: string;
  /** More than that, for its own help. */
  readonly details?: string;
  readonly examples?: readonly Example[];
}

/** One command: what it takes, and what it does. */
export interface CommandSpec<P extends Positionals, F extends Flags, Common extends Flags> extends CommandHelp {
  /** In the order in which they are typed. */
  readonly positionals: P;
  readonly flags: F;
  /** Options that it shares with others. */
  readonly common: Common;
  /** @returns how it ended; nothing means OK */
  run(values: Values<P> & Values<F>, common: Values<Common>, context: Context): Promise<Exit | undefined>;
}

/** Where commands live: what they are given, and where they say how they ended. */
export interface Host {
  readonly context: Context;
  readonly finish: (exit: Exit) => void;
}

/** Makes `command` do what `spec` says. */
export function implement<P extends Positionals, F extends Flags, Common extends Flags>(
  command: Command,
  { context, finish }: Host,
  spec: CommandSpec<P, F, Common>,
): void {
  const { positionals, flags, common } = spec;
  describe(command, spec);
  for (const { argument } of Object.values(positionals)) command.addArgument(argument);
  for (const { option } of [...Object.values(flags), ...Object.values(common)]) command.addOption(option);
  command.action(async () => {
    const { io } = context;
    const places = Object.keys(positionals);
    const words: readonly unknown[] = command.processedArgs;
    const optionValue = ({ option }: Flags[string]): unknown => command.getOptionValue(option.attributeName());
    const taken = await readValues(positionals, (_, key) => words[places.indexOf(key)], io);
    const chosen = await readValues(flags, optionValue, io);
    const shared = await readValues(common, optionValue, io);
    refuse([...taken.problems, ...chosen.problems, ...shared.problems]);
    finish((await spec.run({ ...taken.values, ...chosen.values }, shared.values, context)) ?? "OK");
  });
}

/** Gives a command its help. */
export function describe(command: Command, { summary, details, examples = [] }: CommandHelp): void {
  command.summary(summary).description(details === undefined ? `${summary}.` : `${summary}.\n\n${details}`);
  if (examples.length > 0) command.addHelpText("after", exampleLines(examples));
}
