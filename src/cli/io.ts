import type { Scheduler } from "../client/scheduler.js";

/** The signals that ask a command to end. */
export type StopSignal = "SIGINT" | "SIGTERM";

/** Where a command writes to. */
export interface Terminal {
  write(text: string): void;
  /** Whether a person looks at it, and not a program or a file. */
  readonly isTTY: boolean;
  /** Its width in characters, as it is now; 80 when there is none. */
  readonly columns: number;
  /** Its height in lines, as it is now; 24 when there is none. */
  readonly rows: number;
  /**
   * Calls `listener` whenever its size changes.
   *
   * @returns stops listening
   */
  onResize(listener: () => void): () => void;
}

/**
 * Everything that a command touches outside itself. `main.ts` makes it from the process, tests make their own, and nothing else in the
 * CLI knows that there is a process.
 */
export interface CliIo {
  readonly stdout: Terminal;
  readonly stderr: Terminal;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly scheduler: Scheduler;
  /**
   * Reads standard input to its end.
   *
   * @throws when somebody asks the command to end before that
   */
  readStdin(): Promise<string>;
  /**
   * Calls `listener` when somebody asks the command to end.
   *
   * @returns stops listening
   */
  onSignal(listener: (signal: StopSignal) => void): () => void;
}
