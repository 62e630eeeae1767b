import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { FakeScheduler } from "../client/helpers/fake-scheduler.js";
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

describe("state set", () => {
  it("takes everything that the API takes", async () => {
    await shell.text("agent register a");
    const line = [
      ...["state", "set", "a", "Active", "--reason", "Busy", "-m", "drafting", "--details", '{"page":3}'],
      ...["--session-id", "s1", "--task-id", "t1", "--incarnation", "1", "--sequence", "7", "--expect", "unknown,idle"],
    ];
    expect(await shell.json(line)).toMatchObject({
      changed: true,
      state: {
        state: "STATE_ACTIVE",
        reason: "Busy",
        message: "drafting",
        details: { page: 3 },
        sessionId: "s1",
        taskId: "t1",
        incarnation: "1",
        sequence: "7",
      },
    });
    const text = await shell.text("state get a");
    expect(text).toMatch(/^State {7}ACTIVE$/m);
    expect(text).toMatch(/^Details {5}\{"page":3\}$/m);
  });

  it("says whether anything changed", async () => {
    await shell.text("agent register a");
    expect((await shell.run("state set a idle")).stderr).toBe("reported\n");
    expect((await shell.run("state set a idle")).stderr).toBe("nothing new: no event was made\n");
  });

  it("is held until the agent registers", async () => {
    const report = shell.run("state set early idle");
    await shell.text("agent register early");
    expect((await report).code).toBe(0);
    expect(await shell.json("state get early")).toMatchObject({ state: { state: "STATE_IDLE" } });
  });

  it("tells a person soon that it is held, and for whom", async () => {
    const scheduler = new FakeScheduler();
    const report = shell.start("state set wirter-1 idle", { tty: true, scheduler, env: { NO_COLOR: "1" } });
    await scheduler.elapse(1_000);
    await report.stderr.seen("\n");
    expect(report.stderr.text).toBe(
      "agent wirter-1 is not registered: waiting until it is, for at most 5s (--wait-for-registration)\n",
    );
    expect(report.stdout.text).toBe("");
    await shell.text("agent register wirter-1");
    expect(await report.exit).toBe(0);
    expect(report.stderr.lines.slice(1)).toEqual(["reported"]);
    expect(scheduler.running).toEqual([]);
  });

  it.each([
    ["state set early idle", false],
    ["state set early idle --json", true],
  ])("tells programs nothing before it is over: %s, on a terminal %j", async (line, tty) => {
    const scheduler = new FakeScheduler();
    const report = shell.run(line, { tty, scheduler });
    await shell.text("agent register early");
    expect((await report).code).toBe(0);
    expect(scheduler.waits).toEqual([]);
  });

  it.each([
    ["state set nobody idle --wait-for-registration 0", 3, "(AGENT_NOT_FOUND)", "opscore agent list"],
    ["state set a active --expect error", 4, "(STATE_MISMATCH)", "read it again"],
    ["state set a active --if-revision 1234567", 4, "(STATE_MISMATCH)", "read it again"],
    ["state set a active --incarnation 9", 4, "(UNKNOWN_INCARNATION)", "opscore agent register"],
    ["state set a active --sequence 1", 4, "(STALE_SEQUENCE)", "nothing to repeat"],
    ["state set a unknown", 4, "(ILLEGAL_TRANSITION)", ""],
    ["state set done active", 4, "(ILLEGAL_TRANSITION)", "begins the next one"],
  ])("%s ends with %i", async (line, code, reason, hint) => {
    await shell.text("agent register a");
    await shell.text("state set a idle --sequence 1");
    await shell.text("agent register done --initial-state finished");
    const ended = await shell.run(line);
    expect({ code: ended.code, stdout: ended.stdout }).toEqual({ code, stdout: "" });
    expect(ended.stderr).toContain(reason);
    expect(ended.stderr).toContain(hint);
  });

  it("is told by the server which fields are wrong", async () => {
    const { code, stderr } = await shell.run(["state", "set", "a b", "idle", "--reason", "x y"]);
    expect(code).toBe(2);
    expect(stderr.trimEnd().split("\n")).toEqual([
      "error: the server refused 2 values (INVALID_FIELD)",
      expect.stringMatching(/^ {2}agent_id {2}must be 1 to 128 characters/),
      expect.stringMatching(/^ {2}reason {4}must be one CamelCase word/),
    ]);
  });
});

describe("state history", () => {
  beforeEach(async () => {
    await shell.text("agent register a");
    await shell.text(["state", "set", "a", "idle", "-m", "ready"]);
    await shell.text("state set a active --reason Busy");
  });

  it("is a table, newest last", async () => {
    const time = String.raw`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z +\d+`;
    expect((await shell.text("state history a")).trimEnd().split("\n")).toEqual([
      "TIME                      REVISION  EVENT       CHANGE          BY         NOTE",
      expect.stringMatching(new RegExp(`^${time} {2}REGISTERED {2}UNKNOWN {9}anonymous$`)),
      expect.stringMatching(new RegExp(`^${time} {2}TRANSITION {2}UNKNOWN → IDLE {2}anonymous {2}ready$`)),
      expect.stringMatching(new RegExp(`^${time} {2}TRANSITION {2}IDLE → ACTIVE {3}anonymous {2}Busy$`)),
    ]);
  });

  it("can be cut at either end", async () => {
    const types = (answer: unknown) => (answer as { events: { type: string }[] }).events.map(({ type }) => type);
    const all = await shell.json("state history a");
    expect(types(all)).toEqual(["TYPE_REGISTERED", "TYPE_TRANSITION", "TYPE_TRANSITION"]);
    const { events } = all as { events: { state: { revision: string } }[] };
    const after = await shell.json(`state history a --after-revision ${events[0]?.state.revision}`);
    expect((after as { events: unknown[] }).events).toHaveLength(2);
    expect(((await shell.json("state history a --last 1")) as { events: unknown[] }).events).toEqual([events[2]]);
  });

  it("is there after the agent is gone", async () => {
    await shell.text("agent deregister a");
    expect(await shell.text("state history a --last 1")).toContain("DEREGISTERED");
    expect((await shell.run("state history nobody")).code).toBe(3);
  });
});

describe("state wait", () => {
  beforeEach(() => shell.text("agent register a --initial-state active"));

  it("ends when the state is reached", async () => {
    const wait = shell.start("state wait a idle finished");
    await shell.text(["state", "set", "a", "idle", "-m", "free again"]);
    expect(await wait.exit).toBe(0);
    expect(wait.stdout.text).toBe("REACHED  a  IDLE  free again\n");
  });

  it("ends at once when it is there, and answers as the API does", async () => {
    expect(await shell.json("state wait a active")).toMatchObject({
      outcome: "WAIT_OUTCOME_REACHED",
      state: { agentId: "a", state: "STATE_ACTIVE" },
    });
  });

  it("waits for an agent that does not exist yet", async () => {
    const wait = shell.start("state wait later unknown");
    await shell.text("agent register later");
    expect(await wait.exit).toBe(0);
  });

  it("finds what was passed through after a revision", async () => {
    const { state } = (await shell.json("state get a")) as { state: { revision: string } };
    await shell.text("state set a error");
    await shell.text("state set a idle");
    expect(await shell.text(`state wait a error --after-revision ${state.revision}`)).toMatch(/^REACHED {2}a {2}ERROR/);
  });

  it("ends with 10 in a state that it must not get into", async () => {
    const wait = shell.start("state wait a idle --fail-on error,finished");
    await shell.text("state set a error");
    expect(await wait.exit).toBe(10);
    expect(wait.stdout.text).toBe("FAILED  a  ERROR\n");
  });

  it("ends with 12 when the agent is removed", async () => {
    const { state } = (await shell.json("state get a")) as { state: { revision: string } };
    // What came after the revision counts, so it does not matter whether the wait or the removal is first.
    const wait = shell.start(`state wait a idle --after-revision ${state.revision}`);
    await shell.text("agent deregister a");
    expect(await wait.exit).toBe(12);
    expect(wait.stdout.text).toBe("DEREGISTERED  a  ACTIVE\n");
  });

  it("ends with 11 when the agent is lost", async () => {
    await shell.text("agent register leased --lease-ttl 100ms --initial-state active");
    const { code, stdout } = await shell.run("state wait leased idle --fail-on-lost");
    expect({ code, stdout }).toEqual({ code: 11, stdout: "LOST  leased  ACTIVE\n" });
  });

  it("ends with 5 when the time runs out, and says what was seen", async () => {
    const { code, stdout, stderr } = await shell.run("state wait a idle --timeout 50ms");
    expect({ code, stdout }).toEqual({ code: 5, stdout: "" });
    expect(stderr).toContain("(WAIT_TIMED_OUT)");
    expect(stderr).toContain("hint: It was last seen ACTIVE.");
  });

  it("ends with 130 when it is interrupted, with 143 when it is terminated", async () => {
    for (const [signal, code] of [["SIGINT", 130] as const, ["SIGTERM", 143] as const]) {
      const wait = shell.start("state wait a idle");
      const ended = await wait.stop(signal);
      expect([ended, wait.stdout.text, wait.stderr.text]).toEqual([code, "", ""]);
    }
  });
});
