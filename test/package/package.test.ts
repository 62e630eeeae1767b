/** From a fresh copy to a program that uses the package: the way of a new user, step by step. */
import { cp, mkdir, readFile, writeFile } from "node:fs/promises";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { codeBlocks, type CodeBlock } from "../docs/markdown.js";
import { root } from "../helpers/repository.js";
import { plainEnvironment, run } from "../helpers/run.js";
import { emptyFolder, freshCopy, type Folder } from "./fresh-copy.js";

/** Installing and building take a while where nothing is cached. */
const SLOW_MS = 300_000;

/** Loads everything that the package exports. */
const ENTRIES = `
import * as client from "ops-core";
import * as server from "ops-core/server";
import * as testing from "ops-core/testing";
import * as messages from "ops-core/gen/opscore/v1/common_pb";
const entries = [client, server, testing, messages].filter((entry) => Object.keys(entry).length > 0);
console.log(entries.length, "entries");
`;

/** Newer than what the package was made with: a program brings its own, and there must be one for both. */
const PROTOBUF = "@bufbuild/protobuf@2.17.0";

const bin = (name: string): string => join(root, "node_modules/.bin", name);

async function readmeBlocks(info: string): Promise<readonly CodeBlock[]> {
  const blocks = codeBlocks(await readFile(join(root, "README.md"), "utf8"));
  return blocks.filter(({ language, marks }) => [language, ...marks].join(" ") === info);
}

let copy: Folder;
let tarball: string;

beforeAll(async () => {
  copy = await freshCopy();
});

afterAll(() => copy.remove());

describe("a fresh copy", () => {
  it(
    "installs and shows the demo with the README's first command",
    async () => {
      const [block, ...others] = await readmeBlocks("sh fresh");
      expect(others).toEqual([]);
      const output = await run("bash", ["-c", block?.code ?? ""], { cwd: copy.path });
      const events = ["REGISTERED .* UNKNOWN", "UNKNOWN → IDLE", "IDLE → ACTIVE", "ACTIVE → IDLE"];
      expect(output).toMatch(new RegExp(events.join("[\\s\\S]*")));
    },
    SLOW_MS,
  );

  it("is tested by CI with the README's second command", async () => {
    const scripts = await Promise.all(["run", "check"].map((name) => readFile(join(root, ".ci", name), "utf8")));
    for (const { code } of await readmeBlocks("sh ci")) {
      for (const command of code.split(" && ")) expect(scripts.join("\n")).toMatch(new RegExp(`\\b${command}$`, "m"));
    }
  });

  it(
    "packs a fresh build and what belongs to it",
    async () => {
      await writeFile(join(copy.path, "dist/stale.js"), "");
      const [packed] = JSON.parse(await run("npm", ["pack", "--json"], { cwd: copy.path })) as readonly {
        readonly filename: string;
        readonly files: readonly { readonly path: string }[];
      }[];
      tarball = join(copy.path, packed?.filename ?? "");
      const files = packed?.files.map(({ path }) => path) ?? [];
      const wanted = [
        ...["README.md", "LICENSE", "CHANGELOG.md", "examples/agent.ts"],
        ...["proto/opscore/v1/common.proto", "dist/src/index.d.ts"],
      ];
      expect(files).toEqual(expect.arrayContaining(wanted));
      expect(files.filter((path) => /stale|tsbuildinfo|^(test|bench|\.)/.test(path))).toEqual([]);
    },
    SLOW_MS,
  );
});

describe("the package", () => {
  it("has nothing for publint to complain about", async () => {
    const { messages, pkg } = await publint({ pkgDir: copy.path, strict: true });
    expect(messages.map((message) => formatMessage(message, pkg))).toEqual([]);
  });

  it("has types that resolve wherever modules do", async () => {
    await run(bin("attw"), [tarball, "--profile", "esm-only", "--no-emoji", "--no-color"]);
  });

  it(
    "installs into an empty project, where the README's program and one with its own Connect are checked and run",
    async () => {
      const project = await emptyFolder();
      try {
        await install(project.path);
        const [block] = await readmeBlocks("ts");
        await writeFile(join(project.path, "readme.ts"), block?.code ?? "");
        await writeFile(join(project.path, "entries.ts"), ENTRIES);
        await cp(join(root, "test/package/own-copies.ts"), join(project.path, "own-copies.ts"));
        // As strict as a program for Node can be, the types of its packages included.
        const node = { types: ["node"], typeRoots: [join(root, "node_modules/@types")] };
        const options = { target: "es2022", module: "nodenext", strict: true, skipLibCheck: false, ...node };
        await writeFile(join(project.path, "tsconfig.json"), JSON.stringify({ compilerOptions: options }));
        await run(bin("tsc"), ["--project", project.path]);
        await withServer(project.path, async (url) => {
          const program = join(project.path, "readme.js");
          await writeFile(program, (await readFile(program, "utf8")).replace("http://127.0.0.1:8080", url));
          expect(await run(process.execPath, [program], { cwd: project.path })).toBe("writer-1 is IDLE\n");
          const ownCopies = [join(project.path, "own-copies.js"), url];
          expect(await run(process.execPath, ownCopies)).toBe("both copies agree\n");
        });
        expect(await run(process.execPath, [join(project.path, "entries.js")])).toBe("4 entries\n");
      } finally {
        await project.remove();
      }
    },
    SLOW_MS,
  );
});

async function install(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "package.json"), JSON.stringify({ name: "empty", private: true, type: "module" }));
  const quietly = ["--prefer-offline", "--no-audit", "--no-fund", "--ignore-scripts"];
  await run("npm", ["install", tarball, PROTOBUF, ...quietly], { cwd: folder });
}

/** Runs `use` while the installed command serves. */
async function withServer(folder: string, use: (url: string) => Promise<void>): Promise<void> {
  const child = spawn(join(folder, "node_modules/.bin/opscore"), ["serve", "--port", "0", "--log-level", "warn"], {
    cwd: folder,
    env: plainEnvironment(),
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exited = once(child, "exit");
  try {
    const [line] = (await once(createInterface(child.stdout), "line")) as [string];
    await use(line.replace("listening on ", ""));
  } finally {
    child.kill("SIGTERM");
    await exited;
  }
}
