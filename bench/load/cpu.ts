import { readFileSync } from "node:fs";
import type { Sample } from "../scenario.js";

/** Linux counts in hundredths of a second here, whatever its timer. */
const TICK_US = 10_000;

/**
 * CPU time that a process has used so far, user and system, in microseconds.
 *
 * @returns undefined where there is no /proc, or no process
 */
export function cpuUs(pid: number | undefined): number | undefined {
  if (pid === undefined) return undefined;
  try {
    // The name, in brackets, may hold blanks. utime and stime are fields 14 and 15.
    const fields = readFileSync(`/proc/${pid}/stat`, "latin1").split(") ")[1]?.split(" ");
    return (Number(fields?.[11]) + Number(fields?.[12])) * TICK_US;
  } catch {
    return undefined;
  }
}

/** CPU time of a process for each of `count` things that `work` does. */
export async function cpuPer<T>(
  pid: number | undefined,
  work: () => Promise<T>,
  count: (result: T) => number,
): Promise<{ readonly result: T; readonly cpu: Pick<Sample, "cpuUs"> }> {
  const before = cpuUs(pid);
  const result = await work();
  const after = cpuUs(pid);
  const cpu = before === undefined || after === undefined ? {} : { cpuUs: (after - before) / count(result) };
  return { result, cpu };
}
