import type { Exit } from "./exit-codes.js";
import type { CliIo, StopSignal } from "./io.js";
import { Printer } from "./text/printer.js";

/** What every command is given. */
export interface Context {
  readonly io: CliIo;
  readonly out: Printer;
  readonly err: Printer;
  /** Aborts when somebody asks the command to end; its reason is an {@link Interruption}. */
  readonly signal: AbortSignal;
}

/** Somebody asked the command to end. */
export class Interruption extends Error {
  override readonly name = "Interruption";

  constructor(readonly signal: StopSignal) {
    super(`stopped by ${signal}`);
  }
}

/** How a command ends that goes on until somebody asks for its end; undefined when nobody has. */
export function interruptedExit(signal: AbortSignal): Exit | undefined {
  if (!(signal.reason instanceof Interruption)) return undefined;
  return signal.reason.signal === "SIGINT" ? "INTERRUPTED" : "TERMINATED";
}

export interface RunningContext extends Context {
  /** Stops listening for signals. */
  end(): void;
}

export function createContext(io: CliIo): RunningContext {
  const controller = new AbortController();
  const end = io.onSignal((signal) => controller.abort(new Interruption(signal)));
  return {
    io,
    out: new Printer(io.stdout, io.env),
    err: new Printer(io.stderr, io.env),
    signal: controller.signal,
    end,
  };
}
