/** Processes that tests and the bench start, and the ports that they are given. */
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";

/**
 * Ports that systems give to nobody who does not ask for one by its number: below what Linux, macOS and Windows use for connections and
 * for listeners on port 0, which others open all the time.
 */
const FIRST_PORT = 10_000;
const LAST_PORT = 31_999;
/** Test files run side by side, each in a process with ports of its own to begin with. */
const PORTS_OF_PROCESS = 50;

let next = FIRST_PORT + ((process.pid * PORTS_OF_PROCESS) % (LAST_PORT + 1 - FIRST_PORT));

/**
 * A port of this machine that nobody listens on now, for a process that is told which one to take. It stays free for that one, also
 * while it is started again.
 */
export async function freePort(): Promise<number> {
  for (let tries = FIRST_PORT; tries <= LAST_PORT; tries += 1) {
    const port = next;
    next = port === LAST_PORT ? FIRST_PORT : port + 1;
    if (await isFree(port)) return port;
  }
  throw new Error(`no port from ${FIRST_PORT} to ${LAST_PORT} is free`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", () => resolve(false));
    probe.listen(port, "127.0.0.1", () => probe.close(() => resolve(true)));
  });
}

/** Sends a signal that ends a process, and waits for its end. Harmless when it has ended, or was never there. */
export async function endProcess(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill(signal);
  // A process that was stopped takes other signals only when it runs again.
  child.kill("SIGCONT");
  await exited;
}
