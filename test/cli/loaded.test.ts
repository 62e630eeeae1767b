/**
 * What a start loads, which is nearly all of the time that it takes: the packages, the files, and the sources that were put into them.
 * Whoever adds to one of these lists makes every start slower, and should know it.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it, onTestFinished } from "vitest";
import { root } from "../helpers/repository.js";
import { plainEnvironment } from "../helpers/run.js";
import { startServer } from "../helpers/server.js";

const MAIN = join(root, "dist/src/cli/main.js");
const IMPORT = ["--input-type=module", "--eval", "await import(process.argv[1])"];
/** Writes what Node has loaded of itself. */
const TELL_BUILTINS = `data:text/javascript,${encodeURIComponent(
  `import { writeFileSync } from "node:fs";
  process.on("exit", () => writeFileSync(process.env.BUILTINS_FILE, JSON.stringify(process.moduleLoadList)));`,
)}`;
const CLIENT_PARTS = ["client", "errors", "gen", "lib"];

interface Loaded {
  /** Loaded from where they are installed. */
  readonly packages: readonly string[];
  /** Packages that are part of the files of the build. */
  readonly inlined: readonly string[];
  /** Of the build. */
  readonly files: readonly string[];
  /** What they were made from. */
  readonly sources: readonly string[];
  readonly builtins: readonly string[];
}

describe("what is loaded", () => {
  it("for help is neither the server nor the client", async () => {
    const { packages, sources } = await loadedBy([MAIN, "--help"]);
    expect(packages).toEqual(["commander"]);
    expect(sources.filter((path) => !/^src\/(cli|lib|client\/scheduler)/.test(path))).toEqual([]);
  });

  it("by an import of the client is what an agent needs, and not how it reaches a server", async () => {
    const { packages, inlined, files, sources } = await loadedBy([...IMPORT, join(root, "dist/src/index.js")]);
    expect(packages).toEqual(["@bufbuild/protobuf"]);
    expect(inlined).toEqual(["@connectrpc/connect"]);
    expect(partsOf(sources)).toEqual(CLIENT_PARTS);
    expect(files.length).toBeLessThanOrEqual(6);
  });

  it("for a client command is not the server", async () => {
    const { url } = await startServer();
    const { packages, inlined, sources } = await loadedBy([MAIN, "agent", "list", "--url", url]);
    expect(packages).toEqual(["@bufbuild/protobuf", "commander"]);
    expect(inlined).toEqual(["@connectrpc/connect", "@connectrpc/connect-node"]);
    expect(partsOf(sources)).toEqual(["cli", ...CLIENT_PARTS, "config"].sort());
    // Durations are read as in settings; the settings themselves are the server's.
    expect(sources).not.toContain("src/config/settings.ts");
  });

  it("for a server in memory is neither Redis, nor YAML, nor the metrics library, nor Node's fetch", async () => {
    const { packages, files, sources, builtins } = await loadedBy([MAIN, "serve", "--port", "0"]);
    expect(packages.filter((name) => !OF_PINO.has(name))).toEqual(["@bufbuild/protobuf", "commander", "pino"]);
    expect(sources).toContain("src/server/server.ts");
    expect(
      sources.filter((path) => /^src\/(storage\/redis|server\/metrics\/prometheus|index|testing)/.test(path)),
    ).toEqual([]);
    expect(files.length).toBeLessThanOrEqual(30);
    expect(builtins).toContain("NativeModule http2");
    expect(builtins.filter((name) => name.includes("undici"))).toEqual([]);
  });
});

/** What pino brings. */
const OF_PINO: ReadonlySet<string> = new Set([
  "@pinojs/redact",
  "atomic-sleep",
  "on-exit-leak-free",
  "pino-std-serializers",
  "quick-format-unescaped",
  "safe-stable-stringify",
  "sonic-boom",
  "thread-stream",
]);

/** What Node loads for a program, as V8 counted it; one that does not end is stopped once it has said something. */
async function loadedBy(argv: readonly string[]): Promise<Loaded> {
  const folder = await mkdtemp(join(tmpdir(), "opscore-loaded-"));
  try {
    const coverage = join(folder, "coverage");
    const builtins = join(folder, "builtins.json");
    const child = spawn(process.execPath, ["--import", TELL_BUILTINS, ...argv], {
      env: { ...plainEnvironment(), NODE_V8_COVERAGE: coverage, BUILTINS_FILE: builtins },
      stdio: ["ignore", "pipe", "ignore"],
    });
    onTestFinished(() => void child.kill("SIGKILL"));
    if (argv.includes("serve")) child.stdout.once("data", () => child.kill("SIGTERM"));
    else child.stdout.resume();
    expect(await once(child, "close")).toEqual([0, null]);
    return { ...(await read(coverage)), builtins: JSON.parse(await readFile(builtins, "utf8")) as string[] };
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function read(coverage: string): Promise<Omit<Loaded, "builtins">> {
  const [report = ""] = await readdir(coverage);
  const { result } = JSON.parse(await readFile(join(coverage, report), "utf8")) as { result: { url: string }[] };
  const paths = result.filter(({ url }) => url.startsWith("file:")).map(({ url }) => fileURLToPath(url));
  const files = paths.filter((path) => path.startsWith(join(root, "dist/")));
  const sources = (await Promise.all(files.map(sourcesOf))).flat();
  const own = sources.filter((path) => packageOf(path) === undefined);
  return { packages: packagesOf(paths), inlined: packagesOf(sources), files, sources: distinct(own) };
}

function packagesOf(paths: readonly string[]): readonly string[] {
  return distinct(paths.map(packageOf).filter((name) => name !== undefined));
}

function packageOf(path: string): string | undefined {
  return /.*\bnode_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1];
}

/** What a file of the build was made from, as its source map says. A file that only exports what others have has no map. */
async function sourcesOf(file: string): Promise<readonly string[]> {
  const map = `${file}.map`;
  if (!existsSync(map)) return [];
  const { sources } = JSON.parse(await readFile(map, "utf8")) as { sources: string[] };
  return sources.map((source) => relative(root, resolve(dirname(file), source)));
}

function partsOf(sources: readonly string[]): readonly string[] {
  return distinct(sources.map((path) => /^(?:src\/)?([a-z]+)/.exec(path)?.[1] ?? path));
}

function distinct(names: readonly string[]): readonly string[] {
  return [...new Set(names)].sort();
}
