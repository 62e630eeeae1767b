/** Real Redis processes for the tests: each on a port of its own, with a folder of its own, gone when the tests are. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { RedisTarget } from "../../src/storage/redis/index.js";
import { redisBinary } from "./redis-binary.js";

const HOST = "127.0.0.1";
const START_ATTEMPTS = 3;

export interface RedisProcessOptions {
  /** Further settings, as on the command line: `{ appendonly: "yes" }`. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Default: a free one. */
  readonly port?: number;
}

/** A Redis server that a test may stop, kill, freeze and start again on the same port with the same data. */
export class RedisProcess {
  private child: ChildProcess | undefined;
  private readonly folder = mkdtempSync(join(tmpdir(), "opscore-redis-"));

  private constructor(
    readonly port: number,
    private readonly binary: string,
    private readonly settings: Readonly<Record<string, string>>,
  ) {
    running.add(this);
  }

  /** Starts a server and waits until it takes connections. */
  static async start({ settings = {}, port }: RedisProcessOptions = {}): Promise<RedisProcess> {
    const binary = await redisBinary();
    for (let attempt = 1; ; attempt += 1) {
      const redis = new RedisProcess(port ?? (await freePort()), binary, settings);
      try {
        await redis.start();
        return redis;
      } catch (failure) {
        await redis.remove();
        // A free port may be taken by somebody else before the server has it.
        if (port !== undefined || attempt === START_ATTEMPTS) throw failure;
      }
    }
  }

  readonly host = HOST;

  get url(): string {
    return `redis://${HOST}:${this.port}`;
  }

  get target(): RedisTarget {
    return targetAt(this.port);
  }

  /** Starts it again after {@link stop} or {@link kill}, with what it had on disk. */
  async start(): Promise<void> {
    const settings = { bind: HOST, save: "", daemonize: "no", ...this.settings };
    const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
    const child = spawn(this.binary, ["--port", String(this.port), "--dir", this.folder, ...args], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    this.child = child;
    await ready(child, `redis-server on port ${this.port}`);
  }

  /** Lets it write what it keeps, and stops it. */
  stop(): Promise<void> {
    return this.end("SIGTERM");
  }

  /** Stops it as a power cut does. */
  kill(): Promise<void> {
    return this.end("SIGKILL");
  }

  /** Stops it in mid-step until {@link thaw}: connections stay open and nothing answers. */
  freeze(): void {
    this.child?.kill("SIGSTOP");
  }

  thaw(): void {
    this.child?.kill("SIGCONT");
  }

  /** Stops it and removes its data. */
  async remove(): Promise<void> {
    await this.kill();
    this.removeFolder();
    running.delete(this);
  }

  /** What can still be done while the process of the tests ends. */
  abandon(): void {
    this.child?.kill("SIGKILL");
    this.removeFolder();
  }

  private removeFolder(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  private async end(signal: NodeJS.Signals): Promise<void> {
    const { child } = this;
    if (child?.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, "exit");
    // A frozen process takes SIGTERM only when it runs again.
    child.kill("SIGCONT");
    child.kill(signal);
    await exited;
  }
}

/** A Redis on this machine, whether it runs or not. */
export function targetAt(port: number): RedisTarget {
  return { kind: "standalone", address: { host: HOST, port } };
}

const running = new Set<RedisProcess>();
process.once("exit", () => {
  for (const redis of running) redis.abandon();
});

/** A port that nobody listens on now. */
export async function freePort(): Promise<number> {
  const probe = createServer().listen(0, HOST);
  await once(probe, "listening");
  const address = probe.address();
  probe.close();
  await once(probe, "close");
  if (address === null || typeof address === "string") throw new Error("a TCP server has a port");
  return address.port;
}

/** Waits for the line with which a server says that it takes connections. */
async function ready(child: ChildProcess, name: string): Promise<void> {
  if (child.stdout === null) throw new Error("its output is piped");
  const lines: string[] = [];
  const failed = new Promise<never>((_, reject) => {
    child.once("error", reject);
    child.once("exit", (code) => {
      reject(new Error(`${name} ended with ${String(code)}:\n${lines.join("\n")}`));
    });
  });
  const output = createInterface({ input: child.stdout });
  const started = new Promise<void>((resolve) => {
    output.on("line", (line) => {
      // The last words are enough to say why one did not start.
      if (lines.push(line) > 20) lines.shift();
      if (line.includes("Ready to accept connections") || line.includes("Sentinel ID is")) resolve();
    });
  });
  await Promise.race([started, failed]);
  failed.catch(() => undefined);
}
