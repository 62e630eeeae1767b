/** Servers that are not ours: programs that are started as an administrator starts them, and that notice nothing of the bench. */
import { spawn, type ChildProcess } from "node:child_process";
import { existsSync, rmSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { endProcess } from "../../test/helpers/processes.js";
import { onCore, type Side } from "../harness/cores.js";

export const HOST = "127.0.0.1";
/** Their files are kept in memory where that is possible: disks are not what is compared. */
const MEMORY_FOLDER = "/dev/shm";
/** How many of its last lines say why one did not start. */
const LAST_LINES = 10;

export interface Daemon {
  readonly pid: number;
  /** Ends it and removes its files. */
  readonly stop: () => Promise<void>;
}

export interface DaemonOptions {
  readonly command: string;
  readonly side: Side;
  /** @param folder its own, which is empty */
  readonly args: (folder: string) => readonly string[];
  /** Where it prints what it does. */
  readonly prints: "stdout" | "stderr";
  /** Stands in the line that it prints when it takes calls. */
  readonly ready: string;
}

/** @throws Error with its last lines when it does not start; then nothing is left of it */
export async function startDaemon({ command, side, args, prints, ready }: DaemonOptions): Promise<Daemon> {
  const folder = await mkdtemp(join(existsSync(MEMORY_FOLDER) ? MEMORY_FOLDER : tmpdir(), `opscore-bench-${command}-`));
  const [program, words] = onCore(side, command, args(folder));
  const child = spawn(program, words, {
    stdio: ["ignore", ...(["stdout", "stderr"] as const).map((each) => (each === prints ? "pipe" : "ignore"))],
  });
  // A bench that is interrupted must not leave it behind: unlike the other servers it does not notice.
  const abandon = (): void => {
    child.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  };
  process.once("exit", abandon);
  const stop = async (): Promise<void> => {
    process.off("exit", abandon);
    await endProcess(child, "SIGKILL");
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await untilReady(child, child[prints], command, ready);
    const { pid } = child;
    if (pid === undefined) throw new Error(`${command} has no process`);
    return { pid, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function untilReady(
  child: ChildProcess,
  output: ChildProcess["stdout"],
  command: string,
  ready: string,
): Promise<void> {
  if (output === null) throw new Error("its output is piped");
  // A program that cannot be started prints nothing, and its output ends.
  child.once("error", () => undefined);
  const last: string[] = [];
  for await (const line of createInterface({ input: output })) {
    if (line.includes(ready)) {
      output.resume();
      return;
    }
    if (last.push(line) > LAST_LINES) last.shift();
  }
  throw new Error(`${command} did not start:\n${last.join("\n")}`);
}
