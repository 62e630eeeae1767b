import { beforeEach, describe, expect, it } from "vitest";
import { RestartableServer } from "../client/helpers/restartable-server.js";
import { jsonLines, Shell } from "./harness.js";

let server: RestartableServer;
let shell: Shell;

beforeEach(async () => {
  server = await RestartableServer.start();
  shell = new Shell(server.url);
});

/** Without times and alignment. */
function essence(lines: readonly string[]): readonly string[] {
  return lines.map((line) => line.replace(/^\S+Z {2}/, "").replace(/ +/g, " "));
}

describe("state watch in a pipe", () => {
  it("prints one line for each thing that it gets", async () => {
    await shell.text("agent register old --initial-state idle");
    const watch = shell.start("state watch");
    await watch.stdout.seen("SYNCED");
    await shell.text("agent register writer-1 --lease-ttl 1h");
    await shell.text(["state", "set", "writer-1", "active", "--reason", "Busy", "-m", "drafting"]);
    await shell.text(["state", "set", "writer-1", "active", "-m", "still drafting"]);
    await shell.text("agent register writer-1 --keep-state --label env=prod --lease-ttl 1h");
    await shell.text("agent register writer-1");
    await shell.text("agent deregister writer-1");
    await watch.stdout.seen("DEREGISTERED");
    expect(await watch.stop()).toBe(130);
    expect(essence(watch.stdout.lines)).toEqual([
      "SNAPSHOT old IDLE",
      "SYNCED this is how things stand; what follows happens now",
      "REGISTERED writer-1 UNKNOWN",
      "TRANSITION writer-1 UNKNOWN → ACTIVE Busy drafting",
      "TRANSITION writer-1 ACTIVE still drafting",
      "UPDATED writer-1 ACTIVE its data changed, its state did not",
      "REGISTERED writer-1 ACTIVE → UNKNOWN incarnation 2",
      "DEREGISTERED writer-1 UNKNOWN was its last state",
    ]);
    expect(watch.stderr.text).toMatch(/^to go on from here: --resume-token \S+\n$/);
  });

  it("shows what the server observes", async () => {
    const watch = shell.start("state watch --no-snapshot");
    await watch.stdout.seen("SYNCED");
    await shell.text("agent register a --lease-ttl 100ms --initial-state active");
    await watch.stdout.seen("SUSPECT → LOST");
    await watch.stop();
    expect(essence(watch.stdout.lines).slice(2)).toEqual([
      "LIVENESS a ALIVE → SUSPECT while ACTIVE",
      "LIVENESS a SUSPECT → LOST while ACTIVE",
    ]);
  });

  it.each([
    ["state watch a", ["a"]],
    ["state watch a b", ["a", "b"]],
    ["state watch --selector env=prod", ["b"]],
    ["state watch --capability read", ["c"]],
    ["state watch --state idle", ["a", "c"]],
  ])("%s shows %j", async (line, expected) => {
    await shell.text("agent register a --initial-state idle");
    await shell.text("agent register b --label env=prod");
    await shell.text("agent register c --capability read --initial-state idle");
    const watch = shell.start(`${line} --json`);
    await watch.stdout.seen("WATCH_KIND_SYNCED");
    await watch.stop();
    const ids = jsonLines(watch.stdout.text)
      .filter(({ kind }) => kind === "WATCH_KIND_SNAPSHOT")
      .map(({ state }) => (state as { agentId: string }).agentId);
    expect(ids.sort()).toEqual(expected);
  });

  it("ends by itself when everybody that it names is gone", async () => {
    await shell.text("agent register a");
    const watch = shell.start("state watch a");
    await watch.stdout.seen("SYNCED");
    await shell.text("agent deregister a");
    expect(await watch.exit).toBe(0);
  });

  it("goes on over a restart of the server, and says so", async () => {
    await shell.text("agent register a");
    const watch = shell.start("state watch");
    await watch.stdout.seen("SYNCED");
    await server.stop();
    await watch.stderr.seen("connection lost: ");
    await server.start();
    await watch.stdout.seen(/RESYNC.*\n.*SYNCED/);
    await shell.text("agent register b");
    await watch.stdout.seen("REGISTERED    b");
    await watch.stop();
    expect(watch.stderr.text.match(/connection lost/g)).toHaveLength(1);
  });
});

describe("state watch --json", () => {
  it("prints JSON lines with the names of the API", async () => {
    await shell.text("agent register old");
    const watch = shell.start("state watch --json");
    await watch.stdout.seen("WATCH_KIND_SYNCED");
    await shell.text("state set old idle");
    await watch.stdout.seen("TYPE_TRANSITION");
    await watch.stop();
    const token = expect.stringMatching(/^[\w-]+$/) as string;
    const state = (name: string) => expect.objectContaining({ agentId: "old", state: name }) as object;
    expect(jsonLines(watch.stdout.text)).toEqual([
      { kind: "WATCH_KIND_SNAPSHOT", state: state("STATE_UNKNOWN") },
      { kind: "WATCH_KIND_SYNCED", resumeToken: token },
      {
        kind: "WATCH_KIND_EVENTS",
        event: { type: "TYPE_TRANSITION", state: state("STATE_IDLE"), previous: state("STATE_UNKNOWN") },
        resumeToken: token,
      },
    ]);
    expect(watch.stderr.text).toBe("");
  });

  it("goes on after the last token, without a gap and without a repetition", async () => {
    const first = shell.start("state watch --json");
    await first.stdout.seen("WATCH_KIND_SYNCED");
    await shell.text("agent register a");
    await first.stdout.seen("TYPE_REGISTERED");
    await first.stop();
    const token = String(jsonLines(first.stdout.text).at(-1)?.["resumeToken"]);
    await shell.text("state set a idle");
    await shell.text("state set a active");
    const second = shell.start(`state watch --json --resume-token ${token}`);
    await second.stdout.seen("WATCH_KIND_SYNCED");
    await second.stop();
    expect(jsonLines(second.stdout.text)).toMatchObject([
      { kind: "WATCH_KIND_EVENTS", event: { state: { state: "STATE_IDLE" } } },
      { kind: "WATCH_KIND_EVENTS", event: { state: { state: "STATE_ACTIVE" } } },
      { kind: "WATCH_KIND_SYNCED" },
    ]);
  });

  it("says what is wrong with a token", async () => {
    const { code, stdout, stderr } = await shell.run("state watch --resume-token nonsense");
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toMatch(/^error: .*\(INVALID_RESUME_TOKEN\)\nhint: A token belongs to the filter.*\n$/);
  });
});

describe("a watch that never reaches its server", () => {
  it.each(["state watch", "session watch", "state watch --json", "state wait a idle", "agent list"])(
    "%s ends with 6",
    async (line) => {
      await server.stop();
      const { code, stdout, stderr } = await shell.run(line);
      expect({ code, stdout }).toEqual({ code: 6, stdout: "" });
      expect(stderr).toContain(`cannot reach the server at ${server.url}: connection refused`);
      expect(stderr).toContain("Is it running? `opscore serve` starts one");
    },
  );
});
