import { spawn } from "node:child_process";

/** How a command ended. */
export interface Finished {
  /** The exit code; null when a signal ended it. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly cwd?: string;
  /** Replaces the environment; default is this process's own, without what npm and vitest put there. */
  readonly env?: NodeJS.ProcessEnv;
  /** Written to standard input, which is then closed. */
  readonly input?: string;
}

/**
 * The environment as a shell outside of any npm script has it, so that a command run by a test does what it does for a person.
 */
export function plainEnvironment(): NodeJS.ProcessEnv {
  const foreign = /^(npm_|VITEST|OPSCORE_|INIT_CWD$|NODE_ENV$|NODE_OPTIONS$|DEV$|PROD$|MODE$|SSR$|TEST$|BASE_URL$)/;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !foreign.test(name)));
}

/** Runs a command to its end and tells how it ended. @throws when it cannot be started */
export function runToEnd(command: string, args: readonly string[], options: RunOptions = {}): Promise<Finished> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: options.cwd,
      env: options.env ?? plainEnvironment(),
      stdio: [options.input === undefined ? "ignore" : "pipe", "pipe", "pipe"],
    });
    let stdout = "";
    let stderr = "";
    child.stdout?.setEncoding("utf8").on("data", (text: string) => (stdout += text));
    child.stderr?.setEncoding("utf8").on("data", (text: string) => (stderr += text));
    child.on("error", reject).on("close", (code) => {
      resolve({ code, stdout, stderr });
    });
    child.stdin?.end(options.input);
  });
}

/**
 * Runs a command that must succeed.
 *
 * @returns what it wrote to standard output
 * @throws with everything it wrote when its exit code is not 0
 */
export async function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  const { code, stdout, stderr } = await runToEnd(command, args, options);
  if (code !== 0) throw new Error(`${[command, ...args].join(" ")} ended with ${code}\n${stdout}${stderr}`);
  return stdout;
}
