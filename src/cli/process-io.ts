import type { WriteStream } from "node:tty";
import { systemScheduler } from "../client/scheduler.js";
import { EXIT_CODES } from "./exit-codes.js";
import type { CliIo, StopSignal, Terminal } from "./io.js";

/**
 * The process as the CLI sees it. It may be made once: from then on a second signal ends the process at once, whatever a command is
 * doing about the first, and so does a reader that closes the pipe.
 */
export function processIo(): CliIo {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      process.exit(error.code === "EPIPE" ? EXIT_CODES.PIPE_CLOSED.code : EXIT_CODES.FAILURE.code);
    });
  }
  const onSignal = signals();
  return {
    stdout: terminal(process.stdout),
    stderr: terminal(process.stderr),
    env: process.env,
    scheduler: systemScheduler,
    readStdin: () => readStdin(onSignal),
    onSignal,
  };
}

function terminal(stream: WriteStream): Terminal {
  return {
    write: (text) => void stream.write(text),
    // Node's types say that these are always there; without a terminal they are not.
    get isTTY() {
      return (stream.isTTY as boolean | undefined) ?? false;
    },
    get columns() {
      return (stream.columns as number | undefined) ?? 80;
    },
    get rows() {
      return (stream.rows as number | undefined) ?? 24;
    },
    onResize(listener) {
      stream.on("resize", listener);
      return () => void stream.off("resize", listener);
    },
  };
}

function signals(): CliIo["onSignal"] {
  const listeners = new Set<(signal: StopSignal) => void>();
  let asked = false;
  function on(signal: StopSignal, exitCode: number): void {
    process.on(signal, () => {
      if (asked || listeners.size === 0) process.exit(exitCode);
      asked = true;
      for (const listener of listeners) listener(signal);
    });
  }
  on("SIGINT", EXIT_CODES.INTERRUPTED.code);
  on("SIGTERM", EXIT_CODES.TERMINATED.code);
  return (listener) => {
    listeners.add(listener);
    return () => void listeners.delete(listener);
  };
}

/** @throws when somebody asks for the end before it has come: nobody may ever close standard input, a person least of all */
async function readStdin(onSignal: CliIo["onSignal"]): Promise<string> {
  const { stdin } = process;
  const stopListening = onSignal(() => stdin.destroy());
  try {
    stdin.setEncoding("utf8");
    let text = "";
    for await (const chunk of stdin) text += String(chunk);
    return text;
  } finally {
    stopListening();
  }
}
