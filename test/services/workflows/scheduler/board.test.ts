/** The board against a list that is searched from its beginning each time. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Board } from "../../../../src/services/workflows/scheduler/board.js";
import { toTaskView, type AgentView, type TaskView } from "../../../../src/services/workflows/scheduler/views.js";
import { Liveness, State, TaskDelivery, TaskStatus, type TaskRecord } from "../../../../src/storage/records.js";
import { newTask } from "../../../../src/storage/memory/task-records.js";
import { present } from "../../../contract/storage/harness.js";
import { aTask } from "../../../helpers/tasks.js";

const SKILLS = ["plan", "write", "check"] as const;
const IDS = ["a", "b", "c", "d"] as const;

interface TaskSpec {
  readonly capability: string;
  readonly boundAgentId: string;
  readonly priority: number;
}

let revision = 0;

function anAgent(
  agentId: string,
  agent: Partial<AgentView> & { skills?: readonly string[]; max?: number } = {},
): AgentView {
  const { skills = ["plan"], max = 1, ...fields } = agent;
  revision += 1;
  return {
    agentId,
    traits: { capabilities: skills, maxConcurrentTasks: max, delivery: TaskDelivery.STREAM },
    incarnation: 1,
    state: State.IDLE,
    liveness: Liveness.ALIVE,
    revision,
    isSuspended: false,
    isAvailable: false,
    ...fields,
  };
}

function aView(taskId: string, spec: Partial<TaskSpec>, createTime = 0, changes: Partial<TaskRecord> = {}): TaskView {
  revision += 1;
  const identity = { namespace: "default", sessionId: "s", workflowId: "w" };
  const record = newTask(aTask(taskId, { capability: "plan", ...spec }), identity, createTime, revision);
  return present(toTaskView({ ...record, ...changes }));
}

/** Everything that is proposed now, as `task>agent`. */
function proposals(board: Board): string[] {
  const made: string[] = [];
  for (let next = board.propose(); next !== undefined; next = board.propose()) {
    made.push(`${next.task.taskId}>${next.agent.agentId}`);
  }
  return made;
}

describe("Board", () => {
  it("gives the most important task to whoever has waited longest", () => {
    const board = new Board();
    for (const id of ["a", "b", "c"]) board.putAgent(anAgent(id));
    board.putTask(aView("low", { priority: -1 }, 1), true);
    board.putTask(aView("late", {}, 2), true);
    board.putTask(aView("early", {}, 1), true);
    board.putTask(aView("high", { priority: 5 }, 9), true);
    expect(proposals(board)).toEqual(["high>a", "early>b", "late>c"]);
    board.removeTask("s/high");
    expect(proposals(board)).toEqual(["low>a"]);
  });

  it("takes turns among agents with room for more than one task", () => {
    const board = new Board();
    board.putAgent(anAgent("a", { max: 2 }));
    board.putAgent(anAgent("b", { max: 2 }));
    for (const id of ["1", "2", "3", "4", "5"]) board.putTask(aView(id, {}, Number(id)), true);
    expect(proposals(board)).toEqual(["1>a", "2>b", "3>a", "4>b"]);
  });

  it.each<[string, Partial<AgentView>, boolean]>([
    ["IDLE", { state: State.IDLE }, true],
    ["ACTIVE", { state: State.ACTIVE }, false],
    ["UNKNOWN", { state: State.UNKNOWN }, false],
    ["ERROR", { state: State.ERROR }, false],
    ["FINISHED", { state: State.FINISHED }, false],
    ["SUSPECT", { liveness: Liveness.SUSPECT }, false],
    ["LOST", { liveness: Liveness.LOST }, false],
  ])("gives a task to an agent that is %s: %o, %s", (_name, agent, takes) => {
    const board = new Board();
    board.putAgent(anAgent("a", agent));
    board.putTask(aView("t", {}), true);
    expect(proposals(board)).toEqual(takes ? ["t>a"] : []);
  });

  it("gives more to an agent that is ACTIVE when it takes more than one", () => {
    const board = new Board();
    board.putAgent(anAgent("a", { state: State.ACTIVE, max: 2 }));
    board.putTask(aView("held", {}, 0, { status: TaskStatus.LEASED, agentId: "a", attempt: 1 }), true);
    for (const id of ["1", "2"]) board.putTask(aView(id, {}, Number(id)), true);
    expect(proposals(board)).toEqual(["1>a"]);
    expect(board.leasedTo("a").map(({ taskId }) => taskId)).toEqual(["held"]);
  });

  it("keeps a bound task for its agent", () => {
    const board = new Board();
    board.putAgent(anAgent("a"));
    board.putTask(aView("t", { boundAgentId: "b", capability: "" }), true);
    expect(proposals(board)).toEqual([]);
    board.putAgent(anAgent("b", { skills: [] }));
    expect(proposals(board)).toEqual(["t>b"]);
  });

  it("does not propose an agent again that was refused, before there is news of it", () => {
    const board = new Board();
    const agent = anAgent("a");
    board.putAgent(agent);
    board.putTask(aView("t", {}), true);
    const proposal = present(board.propose());
    board.agentRefused(proposal, agent.revision);
    expect(proposals(board)).toEqual([]);
    board.agentMoved(agent);
    expect(proposals(board)).toEqual(["t>a"]);
  });

  it("does propose it when the news came while it was refused", () => {
    const board = new Board();
    const agent = anAgent("a");
    board.putAgent(agent);
    board.putTask(aView("t", {}), true);
    const proposal = present(board.propose());
    const { revision: seen } = agent;
    agent.revision += 1;
    board.agentMoved(agent);
    board.agentRefused(proposal, seen);
    expect(proposals(board)).toEqual(["t>a"]);
  });

  it("leaves a task alone that was refused, that is not due, or whose session is held", () => {
    const board = new Board();
    for (const id of IDS) board.putAgent(anAgent(id));
    const task = aView("t", {});
    board.putTask(task, false);
    expect(proposals(board)).toEqual([]);
    board.ripen(task);
    board.taskRefused(present(board.propose()).task);
    expect(proposals(board)).toEqual([]);
    const again = aView("t", {});
    board.putTask(again, true);
    board.ripen(task);
    board.park(present(board.propose()).task);
    board.unpark("other");
    expect(proposals(board)).toEqual([]);
    board.unpark("s");
    expect(proposals(board)).toEqual(["t>c"]);
    board.giveBack(again);
    board.removeTask("s/t");
    board.giveBack(again);
    board.unpark("s");
    expect(proposals(board)).toEqual([]);
    expect(board.size).toBe(0);
  });

  it("proposes what a search through everything would", () => {
    const spec = fc.record({
      capability: fc.constantFrom(...SKILLS),
      boundAgentId: fc.constantFrom("", "", "", ...IDS),
      priority: fc.integer({ min: -1, max: 1 }),
    });
    const step = fc.oneof(
      fc.record({
        kind: fc.constant("agent" as const),
        id: fc.constantFrom(...IDS),
        skills: fc.subarray([...SKILLS]),
        max: fc.integer({ min: 1, max: 3 }),
        state: fc.constantFrom(State.IDLE, State.IDLE, State.ACTIVE, State.ERROR),
      }),
      fc.record({ kind: fc.constant("gone" as const), id: fc.constantFrom(...IDS) }),
      fc.record({ kind: fc.constant("task" as const), spec }),
      fc.record({ kind: fc.constant("end" as const), index: fc.nat(20) }),
      fc.record({ kind: fc.constant("back" as const), index: fc.nat(20) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const board = new Board();
        const naive = new Search();
        const tasks: TaskView[] = [];
        for (const each of steps) {
          if (each.kind === "agent") {
            const agent = anAgent(each.id, each);
            board.putAgent(agent);
            naive.putAgent(agent);
          } else if (each.kind === "gone") {
            board.removeAgent(each.id);
            naive.agents = naive.agents.filter(({ agentId }) => agentId !== each.id);
          } else if (each.kind === "task") {
            const task = aView(`t${tasks.length}`, each.spec, tasks.length % 3);
            tasks.push(task);
            board.putTask(task, true);
            naive.waiting.push(task);
          } else {
            const task = tasks[each.index];
            if (task === undefined) continue;
            const wasGiven = naive.given.delete(task);
            if (each.kind === "end") {
              board.removeTask(task.name);
              naive.waiting = naive.waiting.filter((other) => other !== task);
            } else if (wasGiven) {
              board.giveBack(task);
              naive.waiting.push(task);
            }
            // Who has room again goes behind those that had it all along.
            naive.refresh();
          }
          naive.refresh();
          expect(proposals(board)).toEqual(naive.proposals());
        }
      }),
      { numRuns: 300 },
    );
  });
});

/** The rules once more, without anything that makes them fast. */
class Search {
  agents: AgentView[] = [];
  waiting: TaskView[] = [];
  readonly given = new Map<TaskView, string>();
  /** Those that can take a task, the one that has waited longest first. */
  private queue: AgentView[] = [];

  putAgent(agent: AgentView): void {
    this.agents = [...this.agents.filter(({ agentId }) => agentId !== agent.agentId), agent];
    this.refresh();
  }

  refresh(): void {
    this.queue = this.queue.filter((agent) => this.agents.includes(agent) && this.canTake(agent));
    for (const agent of this.agents) if (!this.queue.includes(agent) && this.canTake(agent)) this.queue.push(agent);
  }

  proposals(): string[] {
    const made: string[] = [];
    for (;;) {
      const sorted = [...this.waiting].sort(
        (a, b) => b.priority - a.priority || a.createTime - b.createTime || a.revision - b.revision,
      );
      const pairs = sorted.flatMap((task) => {
        const agent = this.queue.find((each) => this.suits(task, each));
        return agent === undefined ? [] : [{ task, agent }];
      });
      const [next] = pairs;
      if (next === undefined) return made;
      const { task, agent } = next;
      this.waiting = this.waiting.filter((other) => other !== task);
      this.given.set(task, agent.agentId);
      this.queue = this.queue.filter((other) => other !== agent);
      this.refresh();
      made.push(`${task.taskId}>${agent.agentId}`);
    }
  }

  private canTake({ agentId, state, traits }: AgentView): boolean {
    const load = [...this.given.values()].filter((id) => id === agentId).length;
    const { maxConcurrentTasks: max } = traits;
    return load < max && (state === State.IDLE || (state === State.ACTIVE && max > 1));
  }

  private suits(task: TaskView, { agentId, traits }: AgentView): boolean {
    return task.boundAgentId === "" ? traits.capabilities.includes(task.capability) : task.boundAgentId === agentId;
  }
}
