/** Servers as processes of their own, started by the built command: what a deployment runs, and what a test may kill. */
import { spawn, type ChildProcessByStdio } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { onTestFinished } from "vitest";
import { endProcess } from "./processes.js";
import { root } from "./repository.js";
import { plainEnvironment } from "./run.js";

const MAIN = join(root, "dist/src/cli/main.js");
const LISTENING = /^listening on (http:\/\/\S+)$/;

type ServerChild = ChildProcessByStdio<null, Readable, Readable>;

function spawnServer(settings: Readonly<Record<string, string>>): ServerChild {
  return spawn(process.execPath, [MAIN, "serve"], {
    env: { ...plainEnvironment(), OPSCORE_PORT: "0", LOG_LEVEL: "error", ...settings },
    stdio: ["ignore", "pipe", "pipe"],
  });
}

export class ServerProcess {
  private constructor(
    private readonly child: ServerChild,
    readonly url: string,
  ) {}

  /**
   * Starts `opscore serve` on a free port, and waits until it listens. It is killed with the test.
   *
   * @param settings as environment variables
   * @throws when it ends instead, with what it wrote
   */
  static start(settings: Readonly<Record<string, string>> = {}): Promise<ServerProcess> {
    const child = spawnServer(settings);
    onTestFinished(() => void child.kill("SIGKILL"));
    return ServerProcess.listening(child);
  }

  /** The same, for suites that share a server: the caller ends it. */
  static startUnowned(settings: Readonly<Record<string, string>> = {}): Promise<ServerProcess> {
    return ServerProcess.listening(spawnServer(settings));
  }

  private static async listening(child: ServerChild): Promise<ServerProcess> {
    let errors = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => (errors = (errors + text).slice(-10_000)));
    for await (const line of createInterface({ input: child.stdout })) {
      const url = LISTENING.exec(line)?.[1];
      if (url !== undefined) return new ServerProcess(child, url);
    }
    throw new Error(`the server ended before it listened:\n${errors}`);
  }

  /** `kill -9`: it gets no chance to say anything. */
  kill(): Promise<void> {
    return endProcess(this.child, "SIGKILL");
  }

  /** Asks it to stop, as a deployment does. */
  stop(): Promise<void> {
    return endProcess(this.child, "SIGTERM");
  }
}
