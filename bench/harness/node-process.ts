import { spawn, type ChildProcess } from "node:child_process";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { endProcess } from "../../test/helpers/processes.js";
import { onCore, type Side } from "./cores.js";
import { Link, type Handlers } from "./link.js";

/** A Node process on a core of its own, and the link to it. */
export class NodeProcess {
  readonly link: Link;

  private constructor(
    private readonly child: ChildProcess,
    handlers: Handlers,
  ) {
    this.link = new Link(child, handlers);
    child.once("error", (error) => this.link.break(error));
    child.once("exit", (code, signal) => this.link.break(new Error(`a process ended with ${signal ?? String(code)}`)));
  }

  /**
   * Starts a module of the bench.
   *
   * @param module compiled: `new URL("…", import.meta.url)` of a file in the build
   * @param flags of Node
   */
  static start(module: URL, side: Side, handlers: Handlers = {}, flags: readonly string[] = []): NodeProcess {
    const [command, args] = onCore(side, process.execPath, [...flags, fileURLToPath(module)]);
    const child = spawn(command, args, { stdio: ["ignore", "inherit", "inherit", "ipc"], env: plainEnvironment() });
    return new NodeProcess(child, handlers);
  }

  get pid(): number {
    const { pid } = this.child;
    if (pid === undefined) throw new Error("the process was not started");
    return pid;
  }

  /** Ends it: what it would still do is not wanted. */
  stop(): Promise<void> {
    return endProcess(this.child, "SIGKILL");
  }
}

export const Nothing = z.undefined();

/** Settings of whoever runs the bench must not change what is measured. */
function plainEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(OPSCORE_|REDIS_|LOG_LEVEL$|NODE_OPTIONS$)/.test(name)),
  );
}
