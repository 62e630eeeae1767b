/** The CLI as a test runs it: in this process, with an io that remembers what was written and tells when. */
import { systemScheduler, type Scheduler } from "../../src/client/index.js";
import type { CliIo, StopSignal, Terminal } from "../../src/cli/io.js";
import { run } from "../../src/cli/run.js";

/** A terminal, or a pipe, that keeps what is written to it. */
export class FakeTerminal implements Terminal {
  text = "";
  columns = 100;
  rows = 30;
  private readonly resizing = new Set<() => void>();
  private readonly watching = new Set<() => void>();

  constructor(readonly isTTY: boolean) {}

  get lines(): readonly string[] {
    return this.text.split("\n").slice(0, -1);
  }

  write(text: string): void {
    this.text += text;
    for (const watcher of this.watching) watcher();
  }

  onResize(listener: () => void): () => void {
    this.resizing.add(listener);
    return () => void this.resizing.delete(listener);
  }

  resize(columns: number, rows: number): void {
    Object.assign(this, { columns, rows });
    for (const listener of this.resizing) listener();
  }

  /** How many listen to its size. */
  get listeners(): number {
    return this.resizing.size;
  }

  /** Resolves when what was written matches. */
  seen(pattern: RegExp | string): Promise<void> {
    const matches = () => (typeof pattern === "string" ? this.text.includes(pattern) : pattern.test(this.text));
    return new Promise((resolve) => {
      const look = () => {
        if (!matches()) return;
        this.watching.delete(look);
        resolve();
      };
      this.watching.add(look);
      look();
    });
  }
}

export interface FakeIoOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Whether a person sits at it. Default false. */
  readonly tty?: boolean;
  /** How wide its terminal is. Default 100. */
  readonly columns?: number;
  readonly stdin?: string;
  readonly scheduler?: Scheduler;
}

export class FakeIo implements CliIo {
  readonly stdout: FakeTerminal;
  readonly stderr: FakeTerminal;
  readonly env: Readonly<Record<string, string>>;
  readonly scheduler: Scheduler;
  private readonly stdin: string;
  private readonly listeners = new Set<(signal: StopSignal) => void>();

  constructor({ env = {}, tty = false, columns, stdin = "", scheduler = systemScheduler }: FakeIoOptions = {}) {
    this.stdout = new FakeTerminal(tty);
    if (columns !== undefined) this.stdout.columns = columns;
    this.stderr = new FakeTerminal(tty);
    this.env = env;
    this.stdin = stdin;
    this.scheduler = scheduler;
  }

  readStdin(): Promise<string> {
    return Promise.resolve(this.stdin);
  }

  onSignal(listener: (signal: StopSignal) => void): () => void {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }

  signal(signal: StopSignal): void {
    for (const listener of this.listeners) listener(signal);
  }
}

/** A command that is running. */
export interface Running {
  readonly io: FakeIo;
  readonly stdout: FakeTerminal;
  readonly stderr: FakeTerminal;
  readonly exit: Promise<number>;
  /** Asks it to end, and answers its exit code. */
  stop(signal?: StopSignal): Promise<number>;
}

/** Starts a command. */
export function start(argv: readonly string[], options: FakeIoOptions = {}): Running {
  const io = new FakeIo(options);
  const exit = run(argv, io);
  return {
    io,
    stdout: io.stdout,
    stderr: io.stderr,
    exit,
    stop(signal = "SIGINT") {
      io.signal(signal);
      return exit;
    },
  };
}

/** How a command ended. */
export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command to its end. */
export async function opscore(argv: readonly string[], options: FakeIoOptions = {}): Promise<Ended> {
  const { stdout, stderr, exit } = start(argv, options);
  const code = await exit;
  return { code, stdout: stdout.text, stderr: stderr.text };
}

/** The CLI of one server. */
export class Shell {
  constructor(
    readonly url: string,
    private readonly env: Readonly<Record<string, string>> = {},
  ) {}

  /** Runs a command to its end. */
  run(line: string | readonly string[], options: FakeIoOptions = {}): Promise<Ended> {
    return opscore(wordsOf(line), this.options(options));
  }

  /** Runs a command that must succeed, with `--json`, and answers its document. */
  async json(line: string | readonly string[]): Promise<unknown> {
    const { code, stdout, stderr } = await this.run([...wordsOf(line), "--json"]);
    if (code !== 0) throw new Error(`${wordsOf(line).join(" ")} ended with ${code}: ${stderr}`);
    return JSON.parse(stdout);
  }

  /** Runs a command that must succeed, and answers what it printed. */
  async text(line: string | readonly string[], options: FakeIoOptions = {}): Promise<string> {
    const { code, stdout, stderr } = await this.run(line, options);
    if (code !== 0) throw new Error(`${wordsOf(line).join(" ")} ended with ${code}: ${stderr}`);
    return stdout;
  }

  start(line: string | readonly string[], options: FakeIoOptions = {}): Running {
    return start(wordsOf(line), this.options(options));
  }

  private options(options: FakeIoOptions): FakeIoOptions {
    return { ...options, env: { OPSCORE_URL: this.url, ...this.env, ...options.env } };
  }
}

/** A line without quoted words, as its words. */
function wordsOf(line: string | readonly string[]): readonly string[] {
  return typeof line === "string" ? line.split(" ") : line;
}

/** JSON lines, parsed. */
export function jsonLines(text: string): readonly Record<string, unknown>[] {
  return text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}
