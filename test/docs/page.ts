/**
 * Runs the code of a page as a reader would: block after block, against one server, in a folder that has nothing but the examples.
 *
 * Marks after the language say what else there is to know of a block:
 * - `ts`: a module that is checked and run. `ts check`: it is only checked.
 * - `sh`: runs and ends with exit code 0. `sh fails`: with another one. `sh server`: starts a server, which serves the blocks below.
 *   One that goes to a Redis gets one of its own.
 *   `sh fresh`: runs at the top of a fresh copy of the project, in test/package. `sh ci`: CI runs it, in .ci/run.
 * - `text output`: what the block above printed; `…` stands for what differs from run to run.
 * - `text`, `json`, `mermaid`: looked at, not run.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { delimiter, join } from "node:path";
import { tmpdir } from "node:os";
import { RedisProcess } from "../helpers/redis-process.js";
import { root } from "../helpers/repository.js";
import { plainEnvironment, runToEnd, type Finished } from "../helpers/run.js";
import type { CodeBlock } from "./markdown.js";

/** Where every example expects the server, and Redis. */
const DOCUMENTED = /http:\/\/127\.0\.0\.1:8080/g;
const DOCUMENTED_REDIS = /127\.0\.0\.1:6379/g;
const MAIN = join(root, "dist/src/cli/main.js");

/** What happens to a block. */
export type Treatment = "look" | "check" | "run" | "fail" | "serve" | "output" | "elsewhere";

const TREATMENTS: Readonly<Record<string, Treatment>> = {
  ts: "run",
  "ts check": "check",
  sh: "run",
  "sh fails": "fail",
  "sh server": "serve",
  "sh fresh": "elsewhere",
  "sh ci": "elsewhere",
  "text output": "output",
  text: "look",
  json: "look",
  mermaid: "look",
};

/** @throws for a block of which nobody knows what to do with it */
export function treatmentOf({ language, marks, line }: CodeBlock): Treatment {
  const info = [language, ...marks].join(" ");
  const treatment = TREATMENTS[info];
  if (treatment === undefined)
    throw new Error(`the code block at line ${line} is marked "${info}", which means nothing`);
  return treatment;
}

/** A reader at work on one page. */
export class PageRun {
  private server: { readonly process: ChildProcess; readonly url: string } | undefined;
  private redis: RedisProcess | undefined;

  private constructor(private readonly folder: string) {}

  static async start(): Promise<PageRun> {
    const folder = await mkdtemp(join(tmpdir(), "opscore-docs-"));
    await mkdir(join(folder, "bin"));
    await mkdir(join(folder, "work"));
    await symlink(join(root, "examples"), join(folder, "work/examples"));
    const command = join(folder, "bin/opscore");
    await writeFile(command, `#!/bin/sh\nexec "${process.execPath}" "${MAIN}" "$@"\n`);
    await chmod(command, 0o755);
    return new PageRun(folder);
  }

  /** Runs shell commands. */
  async shell(code: string): Promise<Finished> {
    const url = await this.url();
    return runToEnd("bash", ["-euo", "pipefail", "-c", code.replace(DOCUMENTED, url)], {
      cwd: join(this.folder, "work"),
      env: this.environment(url),
    });
  }

  /** Runs a compiled module. @param source its JavaScript */
  async module(file: string, source: string): Promise<Finished> {
    const url = await this.url();
    await writeFile(file, source.replace(DOCUMENTED, url));
    return runToEnd(process.execPath, [file], { cwd: join(this.folder, "work"), env: this.environment(url) });
  }

  /** Starts a server with a command that goes on until it is stopped. */
  async serve(code: string): Promise<void> {
    await this.stopServer();
    const child = spawn("bash", ["-euo", "pipefail", "-c", `exec ${await this.withRedis(code)}`], {
      cwd: join(this.folder, "work"),
      env: { ...this.environment(undefined), OPSCORE_PORT: "0", LOG_LEVEL: "warn" },
      stdio: ["ignore", "pipe", "inherit"],
    });
    for await (const line of createInterface(child.stdout)) {
      const url = /^listening on (\S+)$/.exec(line)?.[1];
      if (url === undefined) continue;
      this.server = { process: child, url };
      return;
    }
    throw new Error(`no server listens: ${code}`);
  }

  /** Stops what was started; @returns the exit code of the server, undefined when there was none */
  async end(): Promise<number | undefined> {
    const code = await this.stopServer();
    await this.redis?.remove();
    await rm(this.folder, { recursive: true });
    return code;
  }

  /** Starts a Redis for a page that wants one; `redis-cli` goes to it from then on. */
  private async withRedis(code: string): Promise<string> {
    if (code.search(DOCUMENTED_REDIS) === -1) return code;
    if (this.redis === undefined) {
      this.redis = await RedisProcess.start();
      const command = join(this.folder, "bin/redis-cli");
      const real = (await runToEnd("bash", ["-c", "command -v redis-cli"])).stdout.trim();
      await writeFile(command, `#!/bin/sh\nexec "${real}" -p ${this.redis.port} "$@"\n`);
      await chmod(command, 0o755);
    }
    return code.replace(DOCUMENTED_REDIS, `127.0.0.1:${this.redis.port}`);
  }

  private async stopServer(): Promise<number | undefined> {
    if (this.server === undefined) return undefined;
    const { process: child } = this.server;
    this.server = undefined;
    const exited = once(child, "exit");
    child.kill("SIGTERM");
    const [code] = (await exited) as [number];
    return code;
  }

  private async url(): Promise<string> {
    if (this.server === undefined) await this.serve("opscore serve");
    if (this.server === undefined) throw new Error("no server");
    return this.server.url;
  }

  private environment(url: string | undefined): NodeJS.ProcessEnv {
    const plain = plainEnvironment();
    return {
      ...plain,
      PATH: [join(this.folder, "bin"), plain["PATH"]].join(delimiter),
      ...(url === undefined ? {} : { OPSCORE_URL: url }),
    };
  }
}
