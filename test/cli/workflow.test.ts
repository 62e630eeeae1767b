import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { Agent, createOpsCoreClient, type AgentTask } from "../../src/client/index.js";
import { next as nextTask } from "../client/helpers/tasks.js";
import { root } from "../helpers/repository.js";
import { startServerUnowned, type TestServer } from "../helpers/server.js";
import { jsonLines, Shell } from "./harness.js";

const SAMPLE = join(root, "examples/workflows/sample.json");
const REPORT = join(root, "examples/workflows/report.yaml");

let server: TestServer;
let shell: Shell;
let namespace: string;
let namespaces = 0;

beforeAll(async () => {
  server = await startServerUnowned();
});
beforeEach(() => {
  namespaces += 1;
  namespace = `test-${namespaces}`;
  shell = new Shell(server.url, { OPSCORE_NAMESPACE: namespace });
});
afterAll(() => server.server.close());

async function file(text: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "opscore-cli-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  await writeFile(join(folder, "flow.yaml"), text);
  return join(folder, "flow.yaml");
}

/** An agent that waits for its next task. */
async function taking(): Promise<() => Promise<AgentTask>> {
  const client = createOpsCoreClient({ baseUrl: server.url, namespace });
  const agent = await Agent.start({ client, agentId: "a", capabilities: ["sample"] });
  onTestFinished(async () => {
    await agent.stop();
    client.close();
  });
  const tasks = agent.tasks();
  return () => nextTask(tasks);
}

describe("workflow", () => {
  it("apply, list, get and delete", async () => {
    const applied = await shell.text(["workflow", "apply", SAMPLE, REPORT]);
    expect(applied).toBe("sample_workflow_id  created, 2 tasks\nreport  created, 4 tasks\n");
    const lines = jsonLines((await shell.run(["workflow", "apply", SAMPLE, "--json"])).stdout);
    expect(lines).toMatchObject([{ workflow: { workflowId: "sample_workflow_id" } }]);
    expect(await shell.text("workflow list")).toMatch(/report .*4.*\n.*sample_workflow_id .*2/);
    const text = await shell.text("workflow get report");
    expect(text).toMatch(/^Name +Report on a topic$/m);
    expect(text).toMatch(/^summarize +write +search-web search-archive +5m +3$/m);
    expect(await shell.json("workflow get report")).toMatchObject({ workflow: { tasks: [{}, {}, {}, {}] } });
    expect(await shell.run("workflow delete report --if-revision 999")).toMatchObject({ code: 4 });
    expect(await shell.text("workflow delete report")).toBe("report  deleted\n");
    expect((await shell.run("workflow get report")).stderr).toContain("workflow report does not exist");
  });

  it("apply stores nothing when a file cannot be used", async () => {
    const path = await file("workflow_id: w\ntasks:\n  - task_id: t\n    timeout: 30\n");
    const { code, stdout, stderr } = await shell.run(["workflow", "apply", SAMPLE, path]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toBe(
      `error: a definition cannot be used\n  ${path}:4:14  tasks[0].timeout must be a duration such as 500ms, 30s, 5m or 1h, not the number 30\n`,
    );
    expect((await shell.run("workflow list")).stderr).toContain("no workflows");
  });

  it("trigger and cancel", async () => {
    await shell.text("agent register a");
    await shell.text(["workflow", "apply", SAMPLE]);
    const payload = ["--payload", '{"topic":"tides"}', "--session-id", "s", "--metadata", '{"by":"test"}'];
    const text = await shell.text(["workflow", "trigger", "sample_workflow_id", "--agent", "a", ...payload]);
    expect(text).toMatch(/^Workflow {2}sample_workflow_id$/m);
    expect(await shell.json("task get s step_1")).toMatchObject({
      task: { boundAgentId: "a", parameters: { topic: "tides" }, status: "TASK_STATUS_READY" },
    });
    const cancelled = await shell.text(["workflow", "cancel", "s", "--message", "not today"]);
    expect(cancelled).toMatch(/^Status +CANCELLED$/m);
    expect(await shell.text("task list --session s")).toMatch(/step_1 +CANCELLED.*\n.*step_2 +CANCELLED/);
  });

  it("trigger runs a file that is not stored, for agents with a capability", async () => {
    const path = await file("workflow_id: w\ntasks:\n  - task_id: t\n");
    expect(await shell.json(["workflow", "trigger", "--file", path, "--capability", "c"])).toMatchObject({
      session: { workflowId: "w", status: "SESSION_STATUS_STARTED" },
    });
    const { stderr } = await shell.run(["workflow", "trigger", "--file", path]);
    expect(stderr).toContain("no agent would get task");
  });

  it.each([
    ["nothing", [], "<workflow-id>  must be given once, or --file instead of it"],
    ["two workflows", ["v", "w"], "<workflow-id>  must be given once, or --file instead of it"],
    ["a workflow and a file", ["w", "--file", SAMPLE], "<workflow-id>  must be given once, or --file instead of it"],
    ["two targets", ["w", "--agent", "a", "--capability", "c"], "--capability  must not be given with --agent"],
  ])("trigger refuses %s", async (_, words, message) => {
    const { code, stderr } = await shell.run(["workflow", "trigger", ...words]);
    expect(code).toBe(2);
    expect(stderr).toContain(message);
  });
});

describe("task", () => {
  it("list, get, retry and cancel", async () => {
    const next = await taking();
    await shell.text(["workflow", "trigger", "--file", SAMPLE, "--session-id", "s"]);
    await (await next()).fail(new Error("no sources"), { permanent: true });
    expect(await shell.text("task list --status failed")).toMatch(/step_1 +FAILED +1 of 3 +a .*Failed: no sources/);
    expect(await shell.text("session get s")).toMatch(/^Status +FAILED$/m);
    expect(await shell.text("task get s step_1")).toMatch(/^Error +Failed: no sources$/m);

    expect(await shell.text("task retry s step_1")).toMatch(/^Attempt +1 of 4$/m);
    const again = await next();
    expect(again.attempt).toBe(2);
    const cancelled = new Promise((resolve) => again.signal.addEventListener("abort", resolve, { once: true }));
    expect(await shell.text("task cancel s step_1 --message enough")).toMatch(/^Status +CANCELLED$/m);
    await cancelled;
    expect(await shell.json("task list --agent a")).toMatchObject({ tasks: [{ taskId: "step_1", error: "enough" }] });
    const { code, stderr } = await shell.run("task retry s step_1");
    expect({ code, lines: stderr.trimEnd().split("\n") }).toEqual({
      code: 4,
      lines: [
        "error: task step_1 is CANCELLED, not FAILED (STATE_MISMATCH)",
        "hint: Only tasks of the dead letter, which are FAILED, can be retried: `opscore task list --status failed` shows them.",
      ],
    });
    expect((await shell.run("task get s nothing")).stderr).toContain("session s has no task nothing");
    expect((await shell.run("task list --status ready")).stderr).toContain("no tasks");
    expect(await shell.run("task list --session s --status ready")).toMatchObject({ code: 0, stderr: "no tasks\n" });
  });

  it.each(["", " --json"])("list of a session that does not exist fails with 3%s", async (flag) => {
    const { code, stdout, stderr } = await shell.run(`task list --session nobody${flag}`);
    expect({ code, stdout }).toEqual({ code: 3, stdout: "" });
    expect(stderr).toContain("session nobody does not exist");
  });
});

describe("session watch --tasks", () => {
  it("is a live picture of the graph on a terminal, and lines where that is wanted", async () => {
    const next = await taking();
    const watching = shell.start("session watch s --tasks", { tty: true });
    const plain = shell.start("session watch s --tasks --plain", { tty: true, env: { NO_COLOR: "1" } });
    await watching.stdout.seen("no tasks yet");
    await plain.stdout.seen("SYNCED");
    await shell.text(["workflow", "apply", SAMPLE]);
    await shell.text("workflow trigger sample_workflow_id --agent a --session-id s");
    await watching.stdout.seen("0 of 2");
    await (await next()).complete();
    await watching.stdout.seen("1 of 2");
    await (await next()).complete();
    await watching.stdout.seen("2 of 2");
    await plain.stdout.seen(/step_2 +LEASED → COMPLETED/);
    expect(await watching.stop()).toBe(130);
    expect(await plain.stop()).toBe(130);
    // What stays when the picture is gone.
    const [, after = ""] = watching.stdout.text.split("\x1b[?25h\x1b[?1049l");
    expect(stripVTControlCharacters(after)).toMatch(/step_1 +✓ COMPLETED.*\n └ step_2 +✓ COMPLETED/);
    expect(plain.stdout.text).not.toContain("\x1b");
  });

  it("shows each step as it progresses", async () => {
    const next = await taking();
    const watching = shell.start("session watch s --tasks");
    // The lines of several sessions say which is meant.
    const several = shell.start("session watch s t --tasks");
    const asJson = shell.start("session watch s --tasks --json");
    await Promise.all([watching, several, asJson].map(({ stdout }) => stdout.seen("SYNCED")));
    await shell.text(["workflow", "trigger", "--file", SAMPLE, "--session-id", "s"]);
    await (await next()).complete();
    await (await next()).fail("no use", { permanent: true });
    await Promise.all([watching, several, asJson].map(({ stdout }) => stdout.seen("no use")));
    expect([await watching.stop(), await several.stop(), await asJson.stop()]).toEqual([130, 130, 130]);
    expect(several.stdout.lines[1]).toMatch(/ s\/step_1 +READY/);
    const lines = watching.stdout.lines.slice(1).map((line) =>
      line
        .replace(/^\S+ +/, "")
        .replace(/ +/g, " ")
        .trim(),
    );
    expect(lines).toEqual([
      "CREATED step_1 READY",
      "CREATED step_2 PENDING after step_1",
      "TASK step_1 READY → LEASED on a",
      "TASK step_1 LEASED → COMPLETED on a",
      "TASK step_2 PENDING → READY",
      "TASK step_2 READY → LEASED on a",
      "TASK step_2 LEASED → FAILED Failed: no use",
    ]);
    const events = jsonLines(asJson.stdout.text).filter(({ kind }) => kind === "WATCH_KIND_EVENTS");
    expect(events[0]).toMatchObject({ event: { task: { taskId: "step_1", status: "TASK_STATUS_READY" } } });
    const refused = await shell.run("session watch --tasks --status running");
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain("--status  must not be given with --tasks");
  });
});
