/** `opscore serve` as a process that can be asked what it holds. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { root } from "../../helpers/repository.js";
import { plainEnvironment } from "../../helpers/run.js";

const LISTENING = /^listening on http:\/\/127\.0\.0\.1:(\d+)$/;
/** For how long the server's connections may take to be gone when their clients are, in milliseconds. */
const GONE_MS = 15_000;

/** What the server holds when all of its clients are gone, after a full garbage collection. */
export interface Holdings {
  /** In bytes. */
  readonly heap: number;
  /** Memory of buffers, in bytes. */
  readonly buffers: number;
  readonly rss: number;
  /** Sockets and pipes beside those that it had before its first client. */
  readonly sockets: number;
  /** File descriptors; 0 where the system does not tell. */
  readonly files: number;
}

const PROBE = `
import { existsSync, readdirSync } from "node:fs";
import { writeHeapSnapshot } from "node:v8";
const sockets = () => process.getActiveResourcesInfo().filter((name) => /^(TCPSocketWrap|PipeWrap)$/.test(name)).length;
let idle;
process.on("message", (snapshot) => {
  if (snapshot !== "") return process.send(writeHeapSnapshot(snapshot));
  idle ??= sockets();
  const since = performance.now();
  const look = () => {
    if (sockets() > idle && performance.now() - since < ${GONE_MS}) return setTimeout(look, 20);
    gc();
    gc();
    const { heapUsed: heap, rss, external: buffers } = process.memoryUsage();
    const files = existsSync("/proc/self/fd") ? readdirSync("/proc/self/fd").length : 0;
    process.send({ heap, buffers, rss, files, sockets: sockets() - idle });
  };
  look();
});
process.channel.unref();
`;

/** What V8 writes: a flat array of nodes, each with as many numbers as there are fields. */
interface Snapshot {
  readonly snapshot: {
    readonly meta: { readonly node_fields: readonly string[]; readonly node_types: [readonly string[]] };
  };
  readonly nodes: readonly number[];
  readonly strings: readonly string[];
}

function count({ snapshot: { meta }, nodes, strings }: Snapshot, classes: readonly string[]): Record<string, number> {
  const fields = meta.node_fields;
  const [types] = meta.node_types;
  const [type, name] = [fields.indexOf("type"), fields.indexOf("name")];
  const counts = Object.fromEntries(classes.map((each) => [each, 0]));
  for (let at = 0; at < nodes.length; at += fields.length) {
    if (types[nodes[at + type] ?? -1] !== "object") continue;
    const named = strings[nodes[at + name] ?? -1] ?? "";
    const before = counts[named];
    if (before !== undefined) counts[named] = before + 1;
  }
  return counts;
}

export class ProbedServer {
  private constructor(
    private readonly child: ChildProcess,
    readonly port: number,
  ) {}

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** @throws when it ends instead of listening */
  static async start(settings: Readonly<Record<string, string>>): Promise<ProbedServer> {
    const probe = `data:text/javascript,${encodeURIComponent(PROBE)}`;
    const main = join(root, "dist/src/cli/main.js");
    const child = spawn(process.execPath, ["--expose-gc", "--import", probe, main, "serve"], {
      env: { ...plainEnvironment(), OPSCORE_PORT: "0", LOG_LEVEL: "error", ...settings },
      stdio: ["ignore", "pipe", "inherit", "ipc"],
    });
    if (child.stdout === null) throw new Error("it has a pipe");
    for await (const line of createInterface({ input: child.stdout })) {
      const port = LISTENING.exec(line)?.[1];
      if (port !== undefined) return new ProbedServer(child, Number(port));
    }
    throw new Error("the server ended before it listened");
  }

  /** Answers when the connections of the server are gone, or ought to be. @throws when the server is gone */
  async holdings(): Promise<Holdings> {
    return (await this.ask("")) as Holdings;
  }

  /** How many objects of each of these classes there are. */
  async objects(...classes: readonly string[]): Promise<Readonly<Record<string, number>>> {
    const file = join(await mkdtemp(join(tmpdir(), "opscore-soak-")), "of-the-server.heapsnapshot");
    try {
      await this.ask(file);
      return count(JSON.parse(await readFile(file, "utf8")) as Snapshot, classes);
    } finally {
      await rm(dirname(file), { recursive: true });
    }
  }

  private async ask(snapshot: string): Promise<unknown> {
    const answered = new AbortController();
    const { signal } = answered;
    this.child.send(snapshot);
    try {
      const said: readonly unknown[] = await Promise.race([
        once(this.child, "message", { signal }),
        once(this.child, "exit", { signal }).then(() => Promise.reject(new Error("the server has ended"))),
      ]);
      return said[0];
    } finally {
      answered.abort();
    }
  }

  async stop(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const exited = once(this.child, "exit");
    this.child.kill();
    await exited;
  }
}
