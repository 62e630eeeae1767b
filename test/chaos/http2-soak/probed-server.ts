/** `opscore serve` as a process that can be asked what it holds. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";
import { root } from "../../helpers/repository.js";
import { plainEnvironment } from "../../helpers/run.js";

const DIST = pathToFileURL(join(root, "dist/src")).href;
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
  readonly connections: number;
  readonly streams: number;
  readonly bridges: number;
}

const PROBE = `
import { existsSync, readdirSync } from "node:fs";
import { createServer } from "node:http2";
import { queryObjects } from "node:v8";
import { Connection } from "${DIST}/transport/http2/connection.js";
import { Stream } from "${DIST}/transport/http2/stream.js";
import { Bridge } from "${DIST}/transport/http2/bridge.js";
const count = (constructor) => queryObjects(constructor, { format: "count" });
const sockets = () => process.getActiveResourcesInfo().filter((name) => /^(TCPSocketWrap|PipeWrap)$/.test(name)).length;
let idle;
process.on("message", () => {
  idle ??= sockets();
  const since = performance.now();
  const look = () => {
    if (sockets() > idle && performance.now() - since < ${GONE_MS}) return setTimeout(look, 20);
    const counts = { connections: count(Connection), streams: count(Stream), bridges: count(Bridge) };
    gc();
    const { heapUsed: heap, rss, external: buffers } = process.memoryUsage();
    const files = existsSync("/proc/self/fd") ? readdirSync("/proc/self/fd").length : 0;
    process.send({ heap, buffers, rss, files, sockets: sockets() - idle, ...counts });
  };
  look();
});
process.channel.unref();
`;

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
    const gone = new AbortController();
    const exited = once(this.child, "exit", { signal: gone.signal }).then(
      () => {
        throw new Error("the server has ended");
      },
      () => undefined,
    );
    const answered = once(this.child, "message", { signal: gone.signal });
    this.child.send("holdings");
    try {
      await Promise.race([answered, exited]);
      const [holdings] = (await answered) as [Holdings];
      return holdings;
    } finally {
      gone.abort();
    }
  }

  async stop(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const exited = once(this.child, "exit");
    this.child.kill();
    await exited;
  }
}
