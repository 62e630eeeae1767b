import { spawnSync } from "node:child_process";
import { availableParallelism } from "node:os";

/** Which side of a measurement a process is on. Each side has a core of its own where that is possible. */
export type Side = "server" | "load";

const CORES: Readonly<Record<Side, string>> = { server: "0", load: "1" };

/** Whether processes can be kept on their cores here. */
export const canPin: boolean = availableParallelism() > 1 && spawnSync("taskset", ["--version"]).status === 0;

/** A command that runs on one side's core. */
export function onCore(side: Side, command: string, args: readonly string[]): readonly [string, readonly string[]] {
  return canPin ? ["taskset", ["--cpu-list", CORES[side], command, ...args]] : [command, args];
}
