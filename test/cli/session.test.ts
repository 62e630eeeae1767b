import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { startServerUnowned, type TestServer } from "../helpers/server.js";
import { jsonLines, Shell } from "./harness.js";

let server: TestServer;
let shell: Shell;
let namespaces = 0;

beforeAll(async () => {
  server = await startServerUnowned();
});
beforeEach(async () => {
  namespaces += 1;
  shell = new Shell(server.url, { OPSCORE_NAMESPACE: `test-${namespaces}` });
  await shell.text("agent register a");
});
afterAll(() => server.server.close());

describe("session start, get and update", () => {
  it("take everything that the API takes", async () => {
    const line = [
      "session",
      "start",
      "a",
      "--session-id",
      "s1",
      "--workflow-id",
      "w1",
      "--metadata",
      '{"topic":"tides"}',
    ];
    expect(await shell.json(line)).toMatchObject({
      session: {
        sessionId: "s1",
        agentId: "a",
        workflowId: "w1",
        status: "SESSION_STATUS_STARTED",
        metadata: { topic: "tides" },
      },
    });
    await shell.text("session update s1 --status running");
    const update = [
      "session",
      "update",
      "s1",
      "--status",
      "failed",
      "--error",
      "no sources",
      "--result",
      '{"pages":0}',
    ];
    const text = await shell.text(update);
    expect(text).toMatch(/^Status {4}FAILED$/m);
    expect(text).toMatch(/^Error {5}no sources$/m);
    expect(await shell.json("session get s1")).toMatchObject({
      session: {
        status: "SESSION_STATUS_FAILED",
        error: "no sources",
        result: { pages: 0 },
        metadata: { topic: "tides" },
      },
    });
  });

  it("change only what is given", async () => {
    await shell.text("session start a --session-id s1 --metadata -", { stdin: '{"kept":true}' });
    await shell.text(["session", "update", "s1", "--error", ""]);
    expect(await shell.json("session get s1")).toMatchObject({
      session: { status: "SESSION_STATUS_STARTED", metadata: { kept: true }, error: "" },
    });
  });

  it.each([
    ["session start nobody", 3, "(AGENT_NOT_FOUND)", "opscore agent list"],
    ["session start a --session-id s1", 4, "(SESSION_ALREADY_EXISTS)", "Give another --session-id"],
    ["session get none", 3, "(SESSION_NOT_FOUND)", "opscore session list"],
    ["session update none --status paused", 3, "(SESSION_NOT_FOUND)", "opscore session list"],
    ["session update ended --status running", 4, "(SESSION_ENDED)", "opscore session start"],
    ["session update s1 --status started --if-revision 99999", 4, "(STATE_MISMATCH)", "read it again"],
  ])("%s ends with %i", async (line, code, reason, hint) => {
    await shell.text("session start a --session-id s1");
    await shell.text("session start a --session-id ended");
    await shell.text("session update ended --status completed");
    const ended = await shell.run(line);
    expect(ended.code).toBe(code);
    expect(ended.stderr).toContain(reason);
    expect(ended.stderr).toContain(hint);
  });
});

describe("session list", () => {
  beforeEach(async () => {
    await shell.text("agent register b");
    await shell.text("session start a --session-id s1 --workflow-id w1");
    await shell.text("session start b --session-id s2");
    await shell.text("session update s2 --status running");
  });

  it("is a table", async () => {
    expect((await shell.text("session list")).trimEnd().split("\n")).toEqual([
      "SESSION  AGENT  STATUS   STARTED  CHANGED  WORKFLOW  ERROR",
      expect.stringMatching(/^s1 {7}a {6}STARTED {7}\ds {7}\ds {2}w1$/),
      expect.stringMatching(/^s2 {7}b {6}RUNNING {7}\ds {7}\ds$/),
    ]);
  });

  it.each([
    ["session list", ["s1", "s2"]],
    ["session list --agent b", ["s2"]],
    ["session list --workflow w1", ["s1"]],
    ["session list --status running,paused", ["s2"]],
    ["session list --limit 1", ["s1"]],
    ["session list --agent nobody", []],
  ])("%s finds %j", async (line, expected) => {
    const { sessions } = (await shell.json(line)) as { sessions: { sessionId: string }[] };
    expect(sessions.map(({ sessionId }) => sessionId)).toEqual(expected);
  });

  it("says when there is none", async () => {
    const ended = await shell.run("session list --agent nobody");
    expect(ended).toEqual({ code: 0, stdout: "", stderr: "no sessions\n" });
  });
});

describe("session watch", () => {
  it("prints one line for each event", async () => {
    await shell.text("session start a --session-id s1");
    const watch = shell.start("session watch");
    await watch.stdout.seen("SYNCED");
    await shell.text("session update s1 --status running");
    await shell.text(["session", "update", "s1", "--status", "failed", "--error", "no sources"]);
    await watch.stdout.seen("ENDED");
    expect(await watch.stop()).toBe(130);
    expect(watch.stdout.lines.map((line) => line.replace(/^\S+Z {2}/, "").replace(/ +/g, " "))).toEqual([
      "SNAPSHOT s1 STARTED on a",
      "SYNCED this is how things stand; what follows happens now",
      "UPDATED s1 STARTED → RUNNING on a",
      "ENDED s1 RUNNING → FAILED on a no sources",
    ]);
  });

  it("prints JSON lines with the names of the API, and goes on after a token", async () => {
    const watch = shell.start("session watch s1 s2 --agent a --json");
    await watch.stdout.seen("WATCH_KIND_SYNCED");
    await shell.text("session start a --session-id s1");
    await watch.stdout.seen("TYPE_STARTED");
    await watch.stop();
    const lines = jsonLines(watch.stdout.text);
    const last = lines.at(-1) as { event: unknown; resumeToken: string };
    expect(last).toEqual({
      kind: "WATCH_KIND_EVENTS",
      event: {
        type: "TYPE_STARTED",
        session: expect.objectContaining({ sessionId: "s1", status: "SESSION_STATUS_STARTED" }) as object,
        previousStatus: "SESSION_STATUS_UNSPECIFIED",
      },
      resumeToken: expect.stringMatching(/^[\w-]+$/) as string,
    });

    await shell.text("session update s1 --status paused");
    const resumed = shell.start(`session watch s1 s2 --agent a --json --resume-token ${last.resumeToken}`);
    await resumed.stdout.seen("WATCH_KIND_SYNCED");
    await resumed.stop();
    expect(jsonLines(resumed.stdout.text)).toMatchObject([
      { kind: "WATCH_KIND_EVENTS", event: { session: { status: "SESSION_STATUS_PAUSED" } } },
      { kind: "WATCH_KIND_SYNCED" },
    ]);
  });
});
