/** The check for breaking changes must be able to fail, whatever the checkout looks like. */
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { root } from "../helpers/repository.js";
import { plainEnvironment, run, runToEnd, type Finished } from "../helpers/run.js";

const PROTO = "proto/opscore/v1/session_service.proto";

const env = {
  ...plainEnvironment(),
  PATH: [join(root, "node_modules/.bin"), process.env["PATH"]].join(delimiter),
  PROTO_AGAINST: "",
  GIT_AUTHOR_NAME: "test",
  GIT_AUTHOR_EMAIL: "test@example.com",
  GIT_COMMITTER_NAME: "test",
  GIT_COMMITTER_EMAIL: "test@example.com",
};

let folder: string;
let repository: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "opscore-breaking-"));
  repository = join(folder, "repository");
  for (const part of ["proto", ".ci"]) await cp(join(root, part), join(repository, part), { recursive: true });
  await writeFile(
    join(repository, "buf.yaml"),
    "version: v2\nmodules:\n  - path: proto\nbreaking:\n  use: [WIRE_JSON]\n",
  );
  await git("init", "--quiet", "--initial-branch=main");
  await commitAll("first");
});

afterEach(() => rm(folder, { recursive: true }));

async function git(...args: readonly string[]): Promise<void> {
  await run("git", args, { cwd: repository, env });
}

async function commitAll(message: string): Promise<void> {
  await git("add", "--all");
  await git("commit", "--quiet", "--allow-empty", `--message=${message}`);
}

async function edit(from: string, to: string): Promise<void> {
  const text = await readFile(join(repository, PROTO), "utf8");
  expect(text).toContain(from);
  await writeFile(join(repository, PROTO), text.replace(from, to));
}

const breakIt = (): Promise<void> => edit("string error = 7;", "int32 error = 7;");
const extendIt = (): Promise<void> => edit("int64 revision = 11;", "int64 revision = 11;\n  string extra = 12;");

function check(cwd = repository, ...args: readonly string[]): Promise<Finished> {
  return runToEnd("bash", [".ci/proto-breaking", ...args], { cwd, env });
}

describe("npm run proto:breaking", () => {
  it("has nothing to compare with on the first commit", async () => {
    const { code, stdout } = await check();
    expect(code).toBe(0);
    expect(stdout).toContain("nothing to compare with");
  });

  it("compares what is not committed with the last commit on main", async () => {
    await commitAll("second");
    await breakIt();
    const broken = await check();
    expect(broken.code).not.toBe(0);
    expect(broken.stdout).toContain("second");
    expect(broken.stdout).toContain('"error" on message "Session" changed type');
  });

  it("compares a branch with main", async () => {
    await git("checkout", "--quiet", "-b", "branch");
    await breakIt();
    await commitAll("break it");
    expect((await check()).code).not.toBe(0);
  });

  it("compares main with the commit before its last one", async () => {
    await breakIt();
    await commitAll("break it");
    const broken = await check();
    expect(broken.code).not.toBe(0);
    expect(broken.stdout).toContain("first");
  });

  it("lets compatible changes pass, committed or not", async () => {
    await extendIt();
    const before = await check();
    await commitAll("extend it");
    const after = await check();
    for (const { code, stdout } of [before, after]) {
      expect(code).toBe(0);
      expect(stdout).toContain("first");
    }
  });

  it("compares with a commit that is named", async () => {
    await breakIt();
    await commitAll("break it");
    await commitAll("something else");
    expect((await check()).code).toBe(0);
    expect((await check(repository, "main~2")).code).not.toBe(0);
  });

  it("fails in a shallow clone, and says how to get the history", async () => {
    await extendIt();
    await commitAll("extend it");
    const shallow = join(folder, "shallow");
    await run("git", ["clone", "--quiet", "--depth=1", `file://${repository}`, shallow], { env });
    const { code, stderr } = await check(shallow);
    expect(code).not.toBe(0);
    expect(stderr).toContain("git fetch --unshallow");
  });

  it("fails when the commit that is named does not exist", async () => {
    const { code, stderr } = await check(repository, "nowhere");
    expect(code).not.toBe(0);
    expect(stderr).toContain("nowhere");
  });
});
