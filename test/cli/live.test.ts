import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { stripVTControlCharacters } from "node:util";
import { beforeEach, describe, expect, it } from "vitest";
import { AgentStateSchema, Liveness, State, type AgentState } from "../../gen/opscore/v1/common_pb.js";
import { StateEvent_Type, StateEventSchema } from "../../gen/opscore/v1/state_service_pb.js";
import { boardFrame, finalFrame } from "../../src/cli/live/board-frame.js";
import { Screen } from "../../src/cli/live/screen.js";
import { StateBoard } from "../../src/cli/live/state-board.js";
import { render, richWidth, span } from "../../src/cli/text/rich.js";
import { plain } from "../../src/cli/text/style.js";
import { RestartableServer } from "../client/helpers/restartable-server.js";
import { FakeClock } from "../helpers/fake-clock.js";
import { FakeTerminal, Shell } from "./harness.js";

const TEXT = { title: span("a title"), status: span("● live"), footer: span("a footer") };

let clock: FakeClock;
let board: StateBoard;

beforeEach(() => {
  clock = new FakeClock();
  board = new StateBoard(clock);
});

function state(agentId: string, is: State, more: MessageInitShape<typeof AgentStateSchema> = {}): AgentState {
  const commitTime = timestampFromMs(clock.now());
  return create(AgentStateSchema, {
    state: is,
    liveness: Liveness.ALIVE,
    incarnation: 1n,
    commitTime,
    ...more,
    agentId,
  });
}

function happens(type: StateEvent_Type, now: AgentState, previous?: AgentState): void {
  const event = create(
    StateEventSchema,
    previous === undefined ? { type, state: now } : { type, state: now, previous },
  );
  board.apply({ type: "event", event });
}

function ids(): readonly string[] {
  return board.agents.map(({ state: { agentId } }) => agentId);
}

function frame(columns = 80, rows = 20): readonly string[] {
  return boardFrame(board, TEXT, { columns, rows }, clock).map((line) => render(line));
}

describe("the board", () => {
  it("holds every agent once, in the order of the ids as people read them", () => {
    for (const id of ["agent-10", "agent-9", "Beta", "agent-1"]) {
      board.apply({ type: "snapshot", state: state(id, State.IDLE) });
    }
    happens(StateEvent_Type.TRANSITION, state("agent-9", State.ACTIVE), state("agent-9", State.IDLE));
    expect(ids()).toEqual(["agent-1", "agent-9", "agent-10", "Beta"]);
    expect(board.agents[1]?.state.state).toBe(State.ACTIVE);
  });

  it("knows since when an agent is in its state, whatever else changes", () => {
    const idle = state("a", State.IDLE);
    happens(StateEvent_Type.TRANSITION, idle, state("a", State.UNKNOWN));
    const since = clock.now();
    clock.advance(5_000);
    const suspect = state("a", State.IDLE, { liveness: Liveness.SUSPECT });
    happens(StateEvent_Type.LIVENESS, suspect, idle);
    expect(board.agents[0]).toMatchObject({ since });
    clock.advance(5_000);
    happens(StateEvent_Type.REGISTERED, state("a", State.IDLE, { incarnation: 2n }), suspect);
    expect(board.agents[0]).toMatchObject({ since: clock.now() });
  });

  it("drops who is gone, who left the filter, and everybody when continuity is lost", () => {
    for (const id of ["a", "b", "c"]) board.apply({ type: "snapshot", state: state(id, State.IDLE) });
    happens(StateEvent_Type.DEREGISTERED, state("a", State.IDLE), state("a", State.IDLE));
    happens(StateEvent_Type.EXITED, state("b", State.IDLE), state("b", State.IDLE));
    expect(ids()).toEqual(["c"]);
    board.apply({ type: "resync" });
    expect(ids()).toEqual([]);
    expect(board.log()).toHaveLength(3);
  });

  it("shows only the states that the watch is about", () => {
    board = new StateBoard(clock, [State.ERROR]);
    happens(StateEvent_Type.TRANSITION, state("a", State.ERROR), state("a", State.ACTIVE));
    expect(ids()).toEqual(["a"]);
    happens(StateEvent_Type.TRANSITION, state("a", State.IDLE), state("a", State.ERROR));
    expect(ids()).toEqual([]);
  });

  it("keeps no more of the log than can be seen", () => {
    for (let i = 0; i < 5_000; i += 1) happens(StateEvent_Type.TRANSITION, state("a", State.IDLE, { message: `${i}` }));
    expect(board.log().length).toBeLessThanOrEqual(1_000);
    expect(render(board.log(1)[0] ?? [])).toContain("4999");
  });
});

describe("a picture of the board", () => {
  it("fills the terminal: agents above, events below, the newest last", () => {
    happens(StateEvent_Type.REGISTERED, state("writer-1", State.UNKNOWN));
    happens(
      StateEvent_Type.TRANSITION,
      state("writer-1", State.ACTIVE, { reason: "Busy", message: "drafting" }),
      state("writer-1", State.UNKNOWN),
    );
    board.apply({ type: "snapshot", state: state("lost-1", State.IDLE, { liveness: Liveness.LOST }) });
    clock.advance(65_000);
    const lines = frame(80, 16);
    expect(lines).toEqual([
      ` a title${" ".repeat(65)}● live`,
      "",
      " AGENT         STATE           LIVENESS     FOR  LAST MESSAGE",
      " lost-1        ○ IDLE          LOST       1m05s",
      " writer-1      ● ACTIVE        ALIVE      1m05s  Busy  drafting",
      "",
      ` ── EVENTS ${"─".repeat(68)}`,
      expect.stringMatching(/^ \d\d:\d\d:\d\d\.000 {2}REGISTERED {4}writer-1 {6}UNKNOWN$/),
      expect.stringMatching(/^ \d\d:\d\d:\d\d\.000 {2}TRANSITION {4}writer-1 {6}UNKNOWN → ACTIVE {8}Busy {2}draft…$/),
      ...["", "", "", "", "", ""],
      " a footer",
    ]);
  });

  it("shortens a long id, at its middle, and never what happened", () => {
    const [id, other] = ["3f2b8c1e-4d5a-4b6c-9d7e-8f9a0b1c2d3e", "customer-support-agent-eu-west-production-0042"];
    for (const each of [id, other]) happens(StateEvent_Type.REGISTERED, state(each, State.UNKNOWN));
    happens(
      StateEvent_Type.TRANSITION,
      state(id, State.INITIALIZING, { message: "loading the model" }),
      state(id, State.UNKNOWN),
    );
    happens(StateEvent_Type.TRANSITION, state(other, State.ACTIVE), state(other, State.IDLE));
    const lines = frame(80, 18).map((line) => line.slice(15));
    expect(lines).toContain("REGISTERED    3f2b8c1e-4d…f9a0b1c2d3e  UNKNOWN");
    expect(lines).toContain("TRANSITION    3f2b8c1e-4d…f9a0b1c2d3e  UNKNOWN → INITIALIZING  …");
    expect(lines).toContain("TRANSITION    customer-su…uction-0042  IDLE → ACTIVE");
    // The same events on a wider terminal.
    expect(frame(130, 18).map((line) => line.slice(15))).toContain(
      `TRANSITION    ${id}      UNKNOWN → INITIALIZING  loading the model`,
    );
    expect(frame(80, 18).join("\n")).toMatch(/^ customer-\S*…\S*-0042 +● ACTIVE/m);
  });

  it("shows who changed last where there is no room for all", () => {
    for (let i = 1; i <= 30; i += 1) board.apply({ type: "snapshot", state: state(`a-${i}`, State.IDLE) });
    clock.advance(10_000);
    happens(StateEvent_Type.TRANSITION, state("a-27", State.ACTIVE), state("a-27", State.IDLE));
    const lines = frame(80, 18);
    expect(lines).toHaveLength(18);
    expect(lines.filter((line) => /^ a-\d+/.test(line)).map((line) => line.trim().split(" ")[0])).toEqual([
      ...["a-1", "a-2", "a-3", "a-4"],
      "a-27",
    ]);
    expect(lines).toContain(" and 25 more, quiet for longer");
  });

  it("says when nobody is there", () => {
    expect(frame()).toContain(" no agents yet");
  });

  it.each([
    [80, 24],
    [40, 12],
    [20, 10],
    [200, 60],
  ])("fits in %i columns and %i lines", (columns, rows) => {
    for (let i = 1; i <= 40; i += 1) {
      const message = "漢字 and a long message that goes on and on";
      happens(StateEvent_Type.TRANSITION, state(`agent-with-a-long-name-${i}`, State.INITIALIZING, { message }));
    }
    const lines = boardFrame(board, TEXT, { columns, rows }, clock);
    expect(lines).toHaveLength(rows);
    for (const line of lines) expect(richWidth(line)).toBeLessThan(columns);
  });

  it("lets what has just changed stand out, and not for long", () => {
    happens(StateEvent_Type.REGISTERED, state("a", State.UNKNOWN));
    const looks = () => boardFrame(board, TEXT, { columns: 80, rows: 20 }, clock)[3]?.find(({ text }) => text === "a");
    expect(looks()?.look).toEqual(["bold", "inverse"]);
    clock.advance(1_000);
    expect(looks()?.look).toBe("bold");
  });

  it("that stays is short, and nothing stands out in it", () => {
    for (let i = 1; i <= 40; i += 1) happens(StateEvent_Type.REGISTERED, state(`a-${i}`, State.UNKNOWN));
    const lines = finalFrame(board, span("a title"), { columns: 80, rows: 100 }, clock);
    expect(lines.length).toBeLessThanOrEqual(30);
    expect(JSON.stringify(lines)).not.toContain("inverse");
  });
});

describe("the screen", () => {
  it("sends only the lines that changed", () => {
    const terminal = new FakeTerminal(true);
    const screen = new Screen(terminal, plain);
    screen.draw([span("not yet")]);
    expect(terminal.text).toBe("");
    screen.enter();
    screen.draw([span("one"), span("two"), span("three")]);
    terminal.text = "";
    screen.draw([span("one"), span("2"), span("three")]);
    expect(terminal.text).toBe("\x1b[?2026h\x1b[2;1H\x1b[2K2\x1b[?2026l");
    terminal.text = "";
    screen.draw([span("one"), span("2"), span("three")]);
    expect(terminal.text).toBe("");
    screen.draw([span("one")]);
    expect(terminal.text).toBe("\x1b[?2026h\x1b[2;1H\x1b[2K\x1b[3;1H\x1b[2K\x1b[?2026l");
  });

  it("cuts what does not fit, and draws all of it again after a change of size", () => {
    const terminal = new FakeTerminal(true);
    terminal.resize(4, 2);
    const screen = new Screen(terminal, plain);
    screen.enter();
    screen.draw([span("abcdef"), span("b"), span("c")]);
    expect(terminal.text).toContain("abc…");
    expect(terminal.text).not.toContain("\x1b[3;1H");
    terminal.text = "";
    screen.invalidate();
    screen.draw([span("abcd"), span("b")]);
    expect(terminal.text).toBe("\x1b[2J\x1b[?2026h\x1b[1;1H\x1b[2Kabcd\x1b[2;1H\x1b[2Kb\x1b[?2026l");
  });

  it("is given back once", () => {
    const terminal = new FakeTerminal(true);
    const screen = new Screen(terminal, plain);
    screen.leave();
    expect(terminal.text).toBe("");
    screen.enter();
    screen.leave();
    screen.leave();
    expect(terminal.text.match(/\x1b\[\?1049l/g)).toHaveLength(1);
  });
});

describe("state watch on a terminal", () => {
  it("is a live view, which goes on over a restart of the server", async () => {
    const server = await RestartableServer.start();
    const shell = new Shell(server.url);
    await shell.text("agent register writer-1 --initial-state idle");
    const watch = shell.start("state watch", { tty: true });
    await watch.stdout.seen("● live");
    await shell.text(["state", "set", "writer-1", "active", "-m", "drafting"]);
    await watch.stdout.seen("drafting");

    watch.stdout.text = "";
    watch.stdout.resize(60, 20);
    expect(stripVTControlCharacters(watch.stdout.text)).toContain("opscore state watch");

    await server.stop();
    await watch.stdout.seen("◌ reconnecting");
    watch.stdout.text = "";
    await server.start();
    // Although it has nothing new to tell.
    await watch.stdout.seen("● live");
    await shell.text("agent register writer-2");
    await watch.stdout.seen("writer-2");

    expect(await watch.stop()).toBe(130);
    const [, after = ""] = watch.stdout.text.split("\x1b[?25h\x1b[?1049l");
    expect(stripVTControlCharacters(after)).toContain("writer-2");
    expect(watch.stdout.listeners).toBe(0);
    expect(watch.stderr.text).toBe("");
  });

  it("does not take the terminal before it has reached the server", async () => {
    const watch = new Shell("http://127.0.0.1:9").start("state watch", { tty: true });
    expect(await watch.exit).toBe(6);
    expect(watch.stdout.text).toBe("");
    expect(stripVTControlCharacters(watch.stderr.text)).toContain("cannot reach the server");
  });

  it.each(["state watch --plain", "state watch --json"])("can be lines all the same: %s", async (line) => {
    const server = await RestartableServer.start();
    const watch = new Shell(server.url).start(line, { tty: true, env: { NO_COLOR: "1" } });
    await watch.stdout.seen("SYNCED");
    await watch.stop();
    expect(watch.stdout.text).not.toContain("\x1b");
  });
});
