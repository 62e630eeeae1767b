import type { Load, Pace, Sample, Target } from "../scenario.js";
import { ClosedLoop } from "./closed-loop.js";
import { Connections } from "./connections.js";
import { cpuPer } from "./cpu.js";
import type { Operation } from "./dialects/index.js";

/** The usual crowd: enough that the server never waits for its load. */
export const CONNECTIONS = 8;
export const CALLERS = 128;

/** Callers that repeat unary calls; each sample is their rate, and what an operation costs the server. */
export async function openUnary(target: Target, pace: Pace, operation: Operation): Promise<Load> {
  const connections = await Connections.open(target, CONNECTIONS);
  const loop = new ClosedLoop(connections, operation, CALLERS);
  await loop.times(pace.warmUp);
  return {
    measure: () => measureRate(target, pace, loop),
    close() {
      connections.close();
      return Promise.resolve();
    },
  };
}

/** The rate of a loop, and what an operation costs the server. */
export async function measureRate(target: Target, pace: Pace, loop: ClosedLoop): Promise<Sample> {
  const run = (): ReturnType<ClosedLoop["forSeconds"]> => loop.forSeconds(pace.seconds);
  const { result, cpu } = await cpuPer(target.pid, run, ({ operations }) => operations);
  return { rate: result.operations / result.seconds, ...cpu };
}
