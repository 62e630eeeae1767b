import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { describe, expect, it, onTestFinished } from "vitest";
import { State } from "../../gen/opscore/v1/common_pb.js";
import { createOpsCoreClient } from "../../src/client/index.js";
import { freePort } from "../helpers/processes.js";
import { RedisProcess } from "../helpers/redis-process.js";
import { root } from "../helpers/repository.js";
import { plainEnvironment, runToEnd } from "../helpers/run.js";
import { startServer } from "../helpers/server.js";
import { opscore, Shell, start } from "./harness.js";

const MAIN = join(root, "dist/src/cli/main.js");
const LISTENING = /^listening on (http:\/\/127\.0\.0\.1:\d+)$/;

describe("opscore serve", () => {
  it("serves until it is told to stop", async () => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      const serving = start(["serve", "--port", "0", "--log-level", "silent"]);
      await serving.stdout.seen("\n");
      const [line = ""] = serving.stdout.lines;
      const url = LISTENING.exec(line)?.[1] ?? "";
      expect((await new Shell(url).run("agent list")).code).toBe(0);
      expect(await serving.stop(signal)).toBe(0);
      expect(serving.stdout.text).toBe(`${line}\n`);
      expect((await new Shell(url).run("agent list")).code).toBe(6);
    }
  });

  it("greets a person", async () => {
    const serving = start(["serve", "--port", "0", "--log-level", "silent"], { tty: true });
    await serving.stderr.seen("Ctrl-C");
    expect(serving.stdout.text).toMatch(/^listening on http:\/\/127\.0\.0\.1:\d+\n$/);
    expect(serving.stderr.text).toContain("everybody on this machine");
    const [, url = ""] = LISTENING.exec(serving.stdout.text.trim()) ?? [];
    expect(serving.stderr.text).toContain(`opscore state watch --url ${url}`);
    expect(serving.stderr.text).toContain(`${url}/dashboard`);
    expect(await serving.stop()).toBe(0);
  });

  it("says so when its port is in use", async () => {
    const { port } = await startServer();
    const { code, stdout, stderr } = await opscore(["serve", "--port", String(port), "--log-level", "silent"]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toContain(`error: port ${port} of 127.0.0.1 is in use`);
    expect(stderr).toContain("hint: Is a server running already? --port or OPSCORE_PORT names another port");
  });

  it("says what is wrong with the workflows that it is to load", async () => {
    const path = await mkdtemp(join(tmpdir(), "opscore-workflows-"));
    onTestFinished(() => rm(path, { recursive: true }));
    await writeFile(join(path, "a.yaml"), "workflow_id: a\nversion: 1.0\n");
    const env = { OPSCORE_WORKFLOWS_DIR: path };
    const { code, stdout, stderr } = await opscore(["serve", "--port", "0", "--log-level", "silent"], { env });
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toBe(
      `error: a definition cannot be used\n  ${path}/a.yaml:2:10  version must be text, not the number 1\n`,
    );
  });

  it("says so when its address is not there", async () => {
    const argv = ["serve", "--port", "0", "--host", "192.0.2.1", "--insecure", "--log-level", "silent"];
    const { code, stderr } = await opscore(argv);
    expect(code).toBe(1);
    expect(stderr).toContain("error: 192.0.2.1 is not an address of this machine");
  });
});

describe("opscore serve on Redis", () => {
  it("serves what another server on the same Redis serves", async () => {
    const redis = await startRedis();
    const argv = ["serve", "--port", "0", "--log-level", "silent", "--storage-type", "redis", "--redis-url", redis.url];
    const [one, other] = [start(argv, { tty: true }), start(argv)];
    await Promise.all([one.stdout.seen("\n"), other.stdout.seen("\n")]);
    const [here, there] = [one, other].map(({ stdout }) => new Shell(LISTENING.exec(stdout.lines[0] ?? "")?.[1] ?? ""));
    await here?.text("agent register a");
    expect(await there?.text("agent get a")).toContain("a");
    expect(one.stderr.text).toContain("in Redis: shared with every server that uses it");
    expect([await one.stop(), await other.stop()]).toEqual([0, 0]);
  });

  it("says so when there is no Redis", async () => {
    const port = await freePort();
    const env = { OPSCORE_STORAGE_TYPE: "redis", REDIS_PORT: String(port), OPSCORE_REDIS_CONNECT_TIMEOUT: "1s" };
    const { code, stdout, stderr } = await opscore(["serve", "--log-level", "silent"], { env });
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toContain(`error: Redis at redis://127.0.0.1:${port}/0 could not be used within 1s: connect ECONN`);
    expect(stderr).toContain("hint: REDIS_URL, or REDIS_HOST and REDIS_PORT, say where Redis is.");
  });

  it("says so when the password is wrong, and does not repeat it", async () => {
    const redis = await startRedis({ requirepass: "right" });
    const env = {
      ...{ OPSCORE_STORAGE_TYPE: "redis", REDIS_URL: redis.url, REDIS_PASSWORD: "my-guess" },
      OPSCORE_REDIS_CONNECT_TIMEOUT: "2s",
    };
    const { code, stderr } = await opscore(["serve", "--log-level", "silent"], { env });
    expect(code).toBe(1);
    expect(stderr).toContain("WRONGPASS");
    expect(stderr).toContain("hint: REDIS_USERNAME and REDIS_PASSWORD name the user and the password");
    expect(stderr).not.toContain("my-guess");
  });

  it("says so when the URL is none of a Redis", async () => {
    const env = { OPSCORE_STORAGE_TYPE: "redis", REDIS_URL: "http://user:my-guess@redis:6379" };
    const { code, stderr } = await opscore(["serve", "--log-level", "silent"], { env });
    expect(code).toBe(2);
    expect(stderr).toMatch(/^ {2}REDIS_URL {2}cannot be used: a Redis URL begins with redis:\/\//m);
    expect(stderr).not.toContain("my-guess");
  });

  async function startRedis(settings: Readonly<Record<string, string>> = {}): Promise<RedisProcess> {
    const redis = await RedisProcess.start({ settings });
    onTestFinished(() => redis.remove());
    return redis;
  }
});

describe("the built command", () => {
  it("stops gracefully on SIGTERM, with a watch open", async () => {
    const { child, url } = await serve();
    const client = createOpsCoreClient({ baseUrl: url });
    onTestFinished(() => client.close());
    const watch = client.watchState()[Symbol.asyncIterator]();
    await watch.next();
    child.kill("SIGTERM");
    expect(await once(child, "close")).toEqual([0, null]);
  });

  it.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const)("is ended by %s also while it tries to reach its Redis", async (signal, code) => {
    const silent = createServer();
    onTestFinished(() => void silent.close());
    silent.listen(0, "127.0.0.1");
    await once(silent, "listening");
    const { port } = silent.address() as AddressInfo;
    const redis = { OPSCORE_STORAGE_TYPE: "redis", REDIS_PORT: String(port), OPSCORE_REDIS_CONNECT_TIMEOUT: "10m" };
    const child = spawnMain(["serve", "--port", "0"], { ...plainEnvironment(), ...redis });
    await once(silent, "connection");
    child.kill(signal);
    expect(await once(child, "close")).toEqual([code, null]);
  });

  it("ends at once on a second signal, although a call is open", async () => {
    const { child, url } = await serve("--drain-timeout", "10m", "--log-level", "info", "--log-format", "json");
    const client = createOpsCoreClient({ baseUrl: url, retry: { maxAttempts: 1 } });
    onTestFinished(() => client.close());
    await client.health.check({});
    const held = client.states.setState({
      ...{ agentId: "nobody", state: State.IDLE },
      waitForRegistration: durationFromMs(60_000),
    });
    held.catch(() => undefined);
    // One connection keeps its order: when the second check is answered, the server holds the report.
    await client.health.check({});
    const stopping = logged(child, "stopping");
    child.kill("SIGTERM");
    await stopping;
    child.kill("SIGTERM");
    expect(await once(child, "close")).toEqual([143, null]);
  });

  it("ends quietly when whoever reads its output goes away", async () => {
    const { url } = await startServer();
    const child = spawnMain(["state", "watch", "--url", url]);
    await once(child.stdout ?? child, "data");
    child.stdout?.destroy();
    await new Shell(url).text("agent register a");
    expect(await once(child, "close")).toEqual([141, null]);
  });

  it("says nothing but why when its port is in use", async () => {
    const { port } = await startServer();
    const ended = await runToEnd(process.execPath, [MAIN, "serve", "--port", String(port)]);
    expect(ended).toMatchObject({ code: 1, stdout: "" });
    expect(ended.stderr.trimEnd().split("\n")).toEqual([
      `error: port ${port} of 127.0.0.1 is in use`,
      "hint: Is a server running already? --port or OPSCORE_PORT names another port, and 0 picks a free one.",
    ]);
  });

  it("passes its exit code on", async () => {
    const { url } = await startServer();
    const ended = await runToEnd(process.execPath, [MAIN, "agent", "get", "nobody", "--url", url]);
    expect(ended).toMatchObject({ code: 3, stdout: "" });
    expect(ended.stderr).toMatch(/^error: agent nobody is not registered \(AGENT_NOT_FOUND\)\n/);
  });

  it("is interrupted by Ctrl-C", async () => {
    const { url } = await startServer();
    const child = spawnMain(["state", "watch", "--url", url]);
    await once(child.stdout ?? child, "data");
    child.kill("SIGINT");
    expect(await once(child, "close")).toEqual([130, null]);
  });

  it.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const)("is ended by %s also while it reads standard input, which nobody closes", async (signal, code) => {
    const child = spawnMain(["agent", "register", "a", "--metadata", "-"], plainEnvironment(), "pipe");
    // More than a pipe holds: when all of it is written, somebody reads.
    await new Promise((resolve) => child.stdin?.write(" ".repeat(4 * 1024 * 1024), resolve));
    child.kill(signal);
    expect(await once(child, "close")).toEqual([code, null]);
  });
});

function spawnMain(
  argv: readonly string[],
  env = plainEnvironment(),
  stdin: "ignore" | "pipe" = "ignore",
): ChildProcess {
  const child = spawn(process.execPath, [MAIN, ...argv], {
    env,
    stdio: [stdin, "pipe", "pipe"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  return child;
}

/** Starts a server as a process of its own. */
async function serve(...flags: readonly string[]): Promise<{ readonly child: ChildProcess; readonly url: string }> {
  const child = spawnMain(["serve", "--port", "0", "--log-level", "silent", ...flags]);
  if (child.stdout === null) throw new Error("the process has no output");
  for await (const line of createInterface({ input: child.stdout })) {
    const url = LISTENING.exec(line)?.[1];
    if (url !== undefined) return { child, url };
  }
  throw new Error("the server ended before it listened");
}

/** Resolves when the process has written `words` to its log. */
function logged({ stderr }: ChildProcess, words: string): Promise<void> {
  return new Promise((resolve) => {
    stderr?.setEncoding("utf8").on("data", (text: string) => {
      if (text.includes(words)) resolve();
    });
  });
}
