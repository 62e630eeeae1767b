import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { TaskDelivery } from "../../src/storage/records.js";
import { startServerUnowned, type TestServer } from "../helpers/server.js";
import { Shell } from "./harness.js";

let server: TestServer;
let shell: Shell;
let namespaces = 0;

beforeAll(async () => {
  server = await startServerUnowned();
});
beforeEach(() => {
  namespaces += 1;
  shell = new Shell(server.url, { OPSCORE_NAMESPACE: `test-${namespaces}` });
});
afterAll(() => server.server.close());

describe("agent register", () => {
  it("takes everything that the API takes", async () => {
    const line = [
      ...["agent", "register", "writer-1", "--display-name", "The writer", "--agent-version", "1.2"],
      ...["--capability", "write", "--capability", "read", "--label", "env=prod", "--label", "note=a=b"],
      ...["--contact-endpoint", "http://127.0.0.1:9/run", "--metadata", '{"team":{"size":3}}', "--lease-ttl", "30s"],
      ...["--initial-state", "initializing"],
    ];
    expect(await shell.json(line)).toMatchObject({
      created: true,
      agent: {
        agentId: "writer-1",
        displayName: "The writer",
        version: "1.2",
        capabilities: ["read", "write"],
        labels: { env: "prod", note: "a=b" },
        contactEndpoint: "http://127.0.0.1:9/run",
        metadata: { team: { size: 3 } },
        leaseTtl: "30s",
        incarnation: "1",
        state: { state: "STATE_INITIALIZING", liveness: "LIVENESS_ALIVE" },
      },
    });
  });

  it("says whether the agent is new", async () => {
    expect((await shell.run("agent register a")).stderr).toBe("registered\n");
    expect((await shell.run("agent register a")).stderr).toBe("registered again\n");
    expect((await shell.run("agent register a --keep-state")).stderr).toMatch(/its data is up to date/);
    expect(await shell.json("agent get a")).toMatchObject({ agent: { incarnation: "2" } });
  });

  it("lets the server make an id", async () => {
    const answer = await shell.json("agent register");
    expect(answer).toMatchObject({ agent: { agentId: expect.stringMatching(/^[0-9a-f-]{36}$/) as string } });
  });

  it("repeats nothing with a request id", async () => {
    await shell.json("agent register a --request-id r1");
    expect(await shell.json("agent register a --request-id r1")).toMatchObject({ agent: { incarnation: "1" } });
  });

  it("reads data from a file and from standard input", async () => {
    const folder = await mkdtemp(join(tmpdir(), "opscore-cli-"));
    const file = join(folder, "data.json");
    await writeFile(file, '{"from":"a file"}');
    try {
      const fromFile = await shell.json(["agent", "register", "a", "--metadata", `@${file}`]);
      expect(fromFile).toMatchObject({ agent: { metadata: { from: "a file" } } });
    } finally {
      await rm(folder, { recursive: true });
    }
    await shell.text("agent register b --metadata -", { stdin: '{"from":"a pipe"}' });
    expect(await shell.json("agent get b")).toMatchObject({ agent: { metadata: { from: "a pipe" } } });
  });
});

describe("agent get", () => {
  it("shows names and values", async () => {
    await shell.text("agent register writer-1 --capability write --label env=prod --lease-ttl 1m");
    const text = await shell.text("agent get writer-1");
    expect(text).toMatch(/^Agent {9}writer-1$/m);
    expect(text).toMatch(/^Capabilities {2}write$/m);
    expect(text).toMatch(/^Labels {8}env=prod$/m);
    expect(text).toMatch(/^Lease {9}1m$/m);
    expect(text).toMatch(/^Registered {4}\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z {2}\d+s ago$/m);
    expect(text).toMatch(/^State {9}UNKNOWN$/m);
    expect(text).not.toMatch(/Message|Metadata|\x1b|\t/);
  });

  it("is the API's answer with --json, empty fields too", async () => {
    await shell.text("agent register writer-1");
    expect(await shell.json("agent get writer-1")).toEqual({
      agent: {
        agentId: "writer-1",
        displayName: "",
        version: "",
        capabilities: [],
        contactEndpoint: "",
        labels: {},
        incarnation: "1",
        registerTime: expect.stringMatching(/Z$/) as string,
        updateTime: expect.stringMatching(/Z$/) as string,
        revision: expect.stringMatching(/^\d+$/) as string,
        state: expect.objectContaining({ agentId: "writer-1", state: "STATE_UNKNOWN", message: "" }) as object,
        maxConcurrentTasks: 1,
        taskDelivery: "TASK_DELIVERY_UNSPECIFIED",
      },
    });
  });

  it("does not let an agent repaint the terminal", async () => {
    await shell.text(["agent", "register", "a", "--display-name", "\x1b[2Jgone"]);
    expect(await shell.text("agent get a")).toContain("Name         \\x1b[2Jgone");
  });
});

describe("agent list", () => {
  const ids = async (line: string) =>
    ((await shell.json(line)) as { agents: { agentId: string }[] }).agents.map(({ agentId }) => agentId);

  beforeEach(async () => {
    await shell.text("agent register web-1 --label env=prod --capability serve --initial-state idle");
    await shell.text("agent register web-2 --label env=prod --label canary=yes --capability serve");
    await shell.text("agent register db-1 --label env=test --capability store --capability serve");
  });

  it("is a table", async () => {
    await shell.text(["state", "set", "web-1", "active", "--message", "answering"]);
    expect((await shell.text("agent list")).split("\n").slice(0, -1)).toEqual([
      "AGENT  STATE    LIVENESS  CHANGED  CAPABILITIES  LABELS               MESSAGE",
      expect.stringMatching(/^web-1 {2}ACTIVE {3}ALIVE {10}\ds {2}serve {9}env=prod {13}answering$/),
      expect.stringMatching(/^web-2 {2}UNKNOWN {2}ALIVE {10}\ds {2}serve {9}canary=yes,env=prod$/),
      expect.stringMatching(/^db-1 {3}UNKNOWN {2}ALIVE {10}\ds {2}serve,store {3}env=test$/),
    ]);
  });

  it.each([
    ["agent list --selector env=prod", ["web-1", "web-2"]],
    ["agent list -l env=prod,!canary", ["web-1"]],
    ["agent list --capability store --capability serve", ["db-1"]],
    ["agent list --state idle,active", ["web-1"]],
    ["agent list --state STATE_IDLE --state error", ["web-1"]],
    ["agent list --liveness lost", []],
    ["agent list --limit 2", ["web-1", "web-2"]],
  ])("%s finds %j", async (line, expected) => {
    expect(await ids(line)).toEqual(expected);
  });

  it("reads page after page", async () => {
    for (let i = 0; i < 1_003; i += 1) await registerDirectly(`many-${i}`);
    expect(await ids("agent list")).toHaveLength(1_006);
    expect(await ids("agent list --limit 1002")).toHaveLength(1_002);
    const { stderr } = await shell.run("agent list --limit 1");
    expect(stderr).toBe("there is more: raise --limit\n");
  });

  it("says when there is nobody", async () => {
    expect(await shell.run("agent list --selector no=body")).toEqual({ code: 0, stdout: "", stderr: "no agents\n" });
    expect(await ids("agent list --selector no=body")).toEqual([]);
  });

  it("has colours on a terminal, and is not wider than it", async () => {
    const running = shell.start("agent list", { tty: true });
    running.stdout.columns = 50;
    expect(await running.exit).toBe(0);
    expect(running.stdout.text).toContain("\x1b[36mIDLE");
    for (const line of running.stdout.lines) {
      expect(stripVTControlCharacters(line).length).toBeLessThanOrEqual(50);
    }
    expect((await shell.run("agent list", { tty: true, env: { NO_COLOR: "1" } })).stdout).not.toContain("\x1b");
    expect((await shell.run("agent list", { env: { FORCE_COLOR: "1" } })).stdout).toContain("\x1b[36mIDLE");
  });

  async function registerDirectly(agentId: string): Promise<void> {
    const profile = {
      displayName: "",
      version: "",
      capabilities: [],
      contactEndpoint: "",
      labels: {},
      metadata: undefined,
      leaseTtlMs: 0,
      maxConcurrentTasks: 1,
      taskDelivery: TaskDelivery.AUTO,
    };
    const key = { namespace: `test-${namespaces}`, agentId, actor: "test", requestId: "" };
    await server.server.storage.registerAgent({ ...key, profile, initialState: 1, keepState: false });
  }
});

describe("agent deregister", () => {
  it("removes the agent and shows what it was", async () => {
    await shell.text("agent register a --label env=prod");
    const { code, stdout, stderr } = await shell.run("agent deregister a");
    expect({ code, stderr }).toEqual({ code: 0, stderr: "deregistered; this is what it was\n" });
    expect(stdout).toMatch(/^Labels {6} *env=prod$/m);
    expect((await shell.run("agent get a")).code).toBe(3);
  });

  it("removes only the incarnation that was meant", async () => {
    await shell.text("agent register a");
    await shell.text("agent register a");
    const { code, stderr } = await shell.run("agent deregister a --incarnation 1");
    expect(code).toBe(4);
    expect(stderr).toContain("(STALE_INCARNATION)");
    expect(await shell.json("agent deregister a --incarnation 2")).toMatchObject({ agent: { agentId: "a" } });
  });
});

it("every transport gives the same answer", async () => {
  await shell.text("agent register a --label env=prod");
  const answers = await Promise.all(
    ["grpc", "connect", "grpc-web"].map((transport) => shell.json(`agent get a --transport ${transport}`)),
  );
  expect(answers[1]).toEqual(answers[0]);
  expect(answers[2]).toEqual(answers[0]);
});
