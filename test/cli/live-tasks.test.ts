/** The live picture of tasks: what a watch says, as it stands on the terminal. */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import { TaskEventSchema, TaskSchema, TaskStatus, type Task } from "../../gen/opscore/v1/task_service_pb.js";
import { boardFrame } from "../../src/cli/live/board-frame.js";
import { TaskBoard } from "../../src/cli/live/task-board.js";
import { graphOrder } from "../../src/lib/task-graph.js";
import { render, richWidth, span } from "../../src/cli/text/rich.js";
import { FakeClock } from "../helpers/fake-clock.js";

const TEXT = { title: span("a title"), status: span("● live"), footer: span("a footer") };
const { PENDING, READY, LEASED, COMPLETED, FAILED, CANCELLED } = TaskStatus;

let clock: FakeClock;
let board: TaskBoard;

beforeEach(() => {
  clock = new FakeClock();
  board = new TaskBoard(clock, ["s"]);
});

function task(taskId: string, status: TaskStatus, more: MessageInitShape<typeof TaskSchema> = {}): Task {
  const now = timestampFromMs(clock.now());
  const times =
    status === LEASED ? { startTime: now } : [COMPLETED, FAILED, CANCELLED].includes(status) ? { endTime: now } : {};
  return create(TaskSchema, { sessionId: "s", updateTime: now, ...times, ...more, taskId, status });
}

function there(...tasks: readonly Task[]): void {
  for (const each of tasks) board.apply({ type: "snapshot", task: each });
}

function becomes(now: Task, previousStatus: TaskStatus): void {
  board.apply({ type: "event", event: create(TaskEventSchema, { task: now, previousStatus }) });
}

function frame(columns = 80, rows = 24): readonly string[] {
  return boardFrame(board, TEXT, { columns, rows }, clock).map((line) => render(line));
}

/** The lines between the title and the events. */
function table(columns = 80, rows = 24): readonly string[] {
  const lines = frame(columns, rows).slice(2);
  return lines.slice(0, lines.indexOf(""));
}

describe("the order of a graph", () => {
  /** Tasks that wait for some of those before them, shuffled. */
  const graph = fc
    .array(fc.array(fc.nat(), { maxLength: 3 }), { maxLength: 20 })
    .map((picks) => picks.map((of, i) => ({ taskId: `t${i}`, dependsOn: i === 0 ? [] : of.map((n) => `t${n % i}`) })))
    .chain((nodes) => fc.shuffledSubarray(nodes, { minLength: nodes.length }));

  it("has each task once, below all that it waits for, and deeper than those", () => {
    fc.assert(
      fc.property(graph, (nodes) => {
        const placed = graphOrder(nodes);
        expect(placed.map(({ taskId }) => taskId).sort()).toEqual(nodes.map(({ taskId }) => taskId).sort());
        const at = new Map(placed.map(({ taskId, depth }, place) => [taskId, { place, depth }]));
        for (const { taskId, dependsOn } of nodes) {
          for (const id of dependsOn) {
            expect(at.get(id)?.place).toBeLessThan(at.get(taskId)?.place ?? -1);
            expect(at.get(id)?.depth).toBeLessThan(at.get(taskId)?.depth ?? -1);
          }
        }
      }),
    );
  });

  it("puts a task right below the last that it waits for", () => {
    const nodes = [
      { taskId: "a", dependsOn: [] },
      { taskId: "b", dependsOn: [] },
      { taskId: "after-a", dependsOn: ["a"] },
      { taskId: "join", dependsOn: ["after-a", "b", "unknown", "b"] },
    ];
    expect(graphOrder(nodes)).toEqual([
      { taskId: "a", depth: 0 },
      { taskId: "after-a", depth: 1 },
      { taskId: "b", depth: 0 },
      { taskId: "join", depth: 2 },
    ]);
  });

  it("loses nothing of a circle, and takes a chain of any length", () => {
    const circle = [
      { taskId: "a", dependsOn: ["b"] },
      { taskId: "b", dependsOn: ["a"] },
    ];
    expect(graphOrder(circle)).toHaveLength(2);
    const chain = Array.from({ length: 20_000 }, (_, i) => ({
      taskId: `${i}`,
      dependsOn: i === 0 ? [] : [`${i - 1}`],
    }));
    expect(graphOrder(chain).at(-1)).toEqual({ taskId: "19999", depth: 19_999 });
  });
});

describe("a picture of the tasks", () => {
  it("shows the graph as it progresses", () => {
    there(
      task("publish", PENDING, { dependsOn: ["draft", "check"] }),
      task("draft", PENDING, { dependsOn: ["gather"] }),
      task("check", PENDING, { dependsOn: ["gather"] }),
      task("gather", READY),
    );
    board.apply({ type: "synced" });
    becomes(task("gather", LEASED, { agentId: "reader", attempt: 1 }), READY);
    const startTime = timestampFromMs(clock.now());
    clock.advance(65_000);
    becomes(task("gather", COMPLETED, { agentId: "reader", attempt: 1, startTime }), LEASED);
    becomes(task("check", READY, { dependsOn: ["gather"] }), PENDING);
    becomes(task("draft", LEASED, { dependsOn: ["gather"], agentId: "writer", attempt: 2 }), READY);
    clock.advance(3_000);
    expect(frame(80, 20)).toEqual([
      ` a title${" ".repeat(65)}● live`,
      "",
      ` ████░░░░░░░░░░░░░░░  1 of 4  1 LEASED  1 READY  1 PENDING  1 COMPLETED`,
      " TASK          STATUS         TIME  NOTE",
      " gather        ✓ COMPLETED   1m05s  on reader",
      " └ check       ○ READY          3s",
      " └ draft       ● LEASED         3s  on writer  attempt 2",
      "   └ publish   · PENDING            after draft check",
      "",
      ` ── EVENTS ${"─".repeat(68)}`,
      expect.stringMatching(/^ [\d:.]+ {2}SYNCED {4}4 tasks are there$/),
      expect.stringMatching(/^ [\d:.]+ {2}TASK {6}gather {8}READY → LEASED {7}on reader$/),
      ...Array.from({ length: 3 }, () => expect.stringContaining("  TASK  ") as unknown),
      ...["", "", "", ""],
      " a footer",
    ]);
  });

  it("says why a task failed, and why another was called off", () => {
    there(
      task("a", FAILED, { reason: "TimedOut", error: "the attempt took too long", attempt: 3 }),
      task("b", CANCELLED, { error: "not needed" }),
    );
    expect(table().slice(2)).toEqual([
      " a             ✗ FAILED             TimedOut: the attempt took too long",
      " b             – CANCELLED          not needed",
    ]);
  });

  it("shows what is urgent where there is no room for all, below what is shown of what it waits for", () => {
    there(
      ...Array.from({ length: 60 }, (_, i) => task(`t-${i}`, PENDING, i === 0 ? {} : { dependsOn: [`t-${i - 1}`] })),
    );
    clock.advance(10_000);
    for (const id of ["t-20", "t-21", "t-22"]) becomes(task(id, COMPLETED, { dependsOn: [] }), LEASED);
    becomes(task("t-40", LEASED, { dependsOn: ["t-39"], agentId: "a" }), READY);
    becomes(task("t-41", FAILED, { dependsOn: ["t-40"], error: "broken" }), LEASED);
    const lines = table(80, 18);
    expect(lines.map((line) => line.trim().split(/ {2,}/).slice(0, 2).join(" "))).toEqual([
      "█░░░░░░░░░░░░░░░░░░ 4 of 60",
      "TASK STATUS",
      "t-20 ✓ COMPLETED",
      "t-21 ✓ COMPLETED",
      "t-40 ● LEASED",
      "└ t-41 ✗ FAILED",
      "and 56 more: 55 PENDING 1 COMPLETED",
    ]);
    expect(frame(80, 18)).toHaveLength(18);
  });

  it("names sessions where there are several, and counts only what it knows all of", () => {
    there(task("a", COMPLETED, { sessionId: "s-1" }), task("b", LEASED, { sessionId: "s-1", dependsOn: ["a"] }));
    there(task("a", READY, { sessionId: "s-2" }));
    const all = board;
    board = new TaskBoard(clock, ["s-1", "s-2"]);
    for (const { tasks } of all.sessions) there(...tasks.map((known) => known.task));
    expect(table().filter((line) => !/✓|●|○/.test(line))).toEqual([
      " ██████░░░░░░░░░░░░░  1 of 3  1 LEASED  1 READY  1 COMPLETED",
      " TASK          STATUS         TIME  NOTE",
      " s-1  1 of 2",
      " s-2  0 of 1",
    ]);
    board = new TaskBoard(clock, []);
    for (const { tasks } of all.sessions) there(...tasks.map((known) => known.task));
    expect(table().filter((line) => !/✓|●|○/.test(line))).toEqual([
      " 1 LEASED  1 READY  1 COMPLETED",
      " TASK          STATUS         TIME  NOTE",
      " s-1",
      " s-2",
    ]);
  });

  it("of all sessions keeps only some that have nothing left to do", () => {
    board = new TaskBoard(clock, []);
    there(task("open", LEASED, { sessionId: "open" }));
    for (let i = 0; i < 100; i += 1) becomes(task("t", COMPLETED, { sessionId: `s-${i}` }), LEASED);
    expect(board.sessions).toHaveLength(11);
    expect(board.sessions[0]?.sessionId).toBe("open");
    expect(board.sessions.at(-1)?.sessionId).toBe("s-99");
  });

  it("forgets all when continuity is lost", () => {
    there(task("a", READY));
    board.apply({ type: "resync" });
    expect(table()).toEqual([" no tasks yet"]);
  });

  it.each([
    [80, 24],
    [40, 10],
    [20, 8],
    [200, 60],
  ])("fits in %i columns and %i lines", (columns, rows) => {
    for (let i = 0; i < 60; i += 1) {
      const dependsOn = i === 0 ? [] : [`step-with-a-long-name-${i - 1}`];
      becomes(task(`step-with-a-long-name-${i}`, LEASED, { dependsOn, agentId: "漢字 and more", attempt: 2 }), READY);
    }
    const lines = boardFrame(board, TEXT, { columns, rows }, clock);
    expect(lines).toHaveLength(rows);
    for (const line of lines) expect(richWidth(line)).toBeLessThan(columns);
    if (columns >= 40) expect(lines.map((line) => render(line)).join("\n")).toContain("● LEASED");
  });
});
