/** Real Redis processes for the tests: each on a port of its own, with a folder of its own, gone when the tests are. */
import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { Redis } from "ioredis";
import type { RedisTarget } from "../../src/storage/redis/index.js";
import { endProcess, freePort } from "./processes.js";
import { redisBinary } from "./redis-binary.js";

const HOST = "127.0.0.1";
const START_ATTEMPTS = 3;
const MAX_LINES = 1_000;

export interface RedisProcessOptions {
  /** Further settings, as on the command line: `{ appendonly: "yes" }`. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Default: a free one. */
  readonly port?: number;
  /** A configuration that the server may rewrite; for a Sentinel. */
  readonly sentinelConfig?: string;
  /** Files to find in its folder, by name. */
  readonly files?: Readonly<Record<string, string>>;
}

/** What a server prints when it takes connections. */
const READY = /Ready to accept connections|Sentinel ID is/;
const SENTINEL_CONFIG = "sentinel.conf";

/** A Redis server that a test may stop, kill, freeze and start again on the same port with the same data. */
export class RedisProcess {
  private child: ChildProcess | undefined;
  private output = new Output();
  private readonly folder = mkdtempSync(join(tmpdir(), "opscore-redis-"));

  private constructor(
    readonly port: number,
    private readonly binary: string,
    private readonly options: RedisProcessOptions,
  ) {
    running.add(this);
    const { sentinelConfig, files = {} } = options;
    const all = sentinelConfig === undefined ? files : { ...files, [SENTINEL_CONFIG]: sentinelConfig };
    for (const [name, text] of Object.entries(all)) writeFileSync(join(this.folder, name), text);
  }

  /** Starts a server and waits until it takes connections. */
  static async start(options: RedisProcessOptions = {}): Promise<RedisProcess> {
    const binary = await redisBinary();
    const { port } = options;
    for (let attempt = 1; ; attempt += 1) {
      const redis = new RedisProcess(port ?? (await freePort()), binary, options);
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

  /** A client that the caller disconnects. */
  client(): Redis {
    return new Redis(this.url);
  }

  /** Starts it again after {@link stop} or {@link kill}, with what it had on disk. */
  async start(): Promise<void> {
    const { settings = {}, sentinelConfig } = this.options;
    const isSentinel = sentinelConfig !== undefined;
    const common = { port: String(this.port), dir: this.folder, bind: HOST, daemonize: "no" };
    const all = isSentinel ? { ...common, ...settings } : { ...common, save: "", ...settings };
    const args = Object.entries(all).flatMap(([name, value]) => [`--${name}`, value]);
    const command = isSentinel ? [join(this.folder, SENTINEL_CONFIG), ...args, "--sentinel"] : args;
    const child = spawn(this.binary, command, { stdio: ["ignore", "pipe", "inherit"] });
    this.child = child;
    this.output = new Output(child);
    await this.output.until(READY);
  }

  /** Waits for a line that the server has printed since it was started, or will. */
  printed(pattern: RegExp): Promise<void> {
    return this.output.until(pattern);
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

  /** Takes the last bytes off the append-only file of a server that was killed: they had not reached the disk when the power failed. */
  loseTail(bytes: number): void {
    const folder = join(this.folder, "appendonlydir");
    const file = readdirSync(folder).find((name) => name.endsWith(".incr.aof"));
    if (file === undefined) throw new Error("there is no append-only file");
    const path = join(folder, file);
    truncateSync(path, Math.max(0, statSync(path).size - bytes));
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
    if (this.child !== undefined) await endProcess(this.child, signal);
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

/** What a server prints. */
class Output {
  private readonly lines: string[] = [];
  private ended: Error | undefined;
  private waiting: (() => void)[] = [];

  constructor(child?: ChildProcess) {
    if (child?.stdout == null) return;
    child.once("error", (error) => this.end(error));
    child.once("exit", (code) => {
      // The last words are enough to say why one did not start.
      this.end(new Error(`a Redis server ended with ${String(code)}:\n${this.lines.slice(-20).join("\n")}`));
    });
    createInterface({ input: child.stdout }).on("line", (line) => {
      if (this.lines.push(line) > MAX_LINES) this.lines.shift();
      this.wake();
    });
  }

  async until(pattern: RegExp): Promise<void> {
    while (!this.lines.some((line) => pattern.test(line))) {
      if (this.ended !== undefined) throw this.ended;
      await new Promise<void>((resolve) => this.waiting.push(resolve));
    }
  }

  private end(failure: Error): void {
    this.ended = failure;
    this.wake();
  }

  private wake(): void {
    const { waiting } = this;
    this.waiting = [];
    for (const resolve of waiting) resolve();
  }
}
