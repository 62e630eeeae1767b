/**
 * Tasks in the thousands, agents that crash at random, and replicas of the server that are killed one after the other: what must
 * hold at the end, however it went.
 */
import { create } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient, type Client, type Transport } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { expect } from "vitest";
import { SessionService } from "../../gen/opscore/v1/session_service_pb.js";
import { AgentService } from "../../gen/opscore/v1/agent_service_pb.js";
import { State } from "../../gen/opscore/v1/common_pb.js";
import { StateService } from "../../gen/opscore/v1/state_service_pb.js";
import { TaskDelivery, WatchKind } from "../../gen/opscore/v1/common_pb.js";
import { TaskService, TaskStatus, type Task } from "../../gen/opscore/v1/task_service_pb.js";
import { WorkflowService, WorkflowSchema } from "../../gen/opscore/v1/workflow_service_pb.js";
import { ServerProcess } from "./server-process.js";

export interface Storm {
  readonly sessions: number;
  /** Each session is one task, then these at once, then one that joins them. */
  readonly width: number;
  readonly agents: number;
  /** Of how many attempts one crashes its agent, and one fails. */
  readonly crashOneIn: number;
  readonly failOneIn: number;
  /** After how many answers a replica is killed, the other one the next time. */
  readonly killEvery: number;
  readonly settings: Readonly<Record<string, string>>;
}

/** Numbers that look random and are the same each time. */
class Dice {
  constructor(private seed: number) {}

  oneIn(sides: number): boolean {
    this.seed = (Math.imul(this.seed, 1_103_515_245) + 12_345) >>> 0;
    return (this.seed >>> 8) % sides === 0;
  }
}

/** Two replicas, of which at most one is down. */
class Replicas {
  kills = 0;
  private constructor(
    private readonly settings: Readonly<Record<string, string>>,
    private readonly servers: ServerProcess[],
    private readonly transports: Transport[],
  ) {}

  static async start(settings: Readonly<Record<string, string>>): Promise<Replicas> {
    const servers = await Promise.all([ServerProcess.start(settings), ServerProcess.start(settings)]);
    return new Replicas(
      settings,
      servers,
      servers.map(({ url }) => createGrpcTransport({ baseUrl: url })),
    );
  }

  transport(index: number): Transport {
    const transport = this.transports[index % 2];
    if (transport === undefined) throw new Error("there are two replicas");
    return transport;
  }

  /** Kills one, and starts another in its place. */
  async killOne(): Promise<void> {
    const index = this.kills % 2;
    this.kills += 1;
    await this.servers[index]?.kill();
    const next = await ServerProcess.start(this.settings);
    this.servers[index] = next;
    this.transports[index] = createGrpcTransport({ baseUrl: next.url });
  }
}

export async function runStorm(storm: Storm): Promise<void> {
  const replicas = await Replicas.start(storm.settings);
  const total = storm.sessions * (storm.width + 2);
  const done = new AbortController();
  const fleet = new StormFleet(replicas, storm, done.signal);
  const agents = Array.from({ length: storm.agents }, (_, index) => fleet.live(`agent-${index}`, index));
  const sessionIds: string[] = [];
  for (let index = 0; index < storm.sessions; index += 1) {
    sessionIds.push(`session-${index}`);
    await insist(replicas, index, (transport) =>
      createClient(WorkflowService, transport).triggerWorkflow({
        sessionId: `session-${index}`,
        requestId: `trigger-${index}`,
        target: { case: "capability", value: "work" },
        definition: { case: "workflow", value: workflowOf(storm.width) },
      }),
    );
  }
  await fleet.ended(sessionIds);
  done.abort();
  await Promise.all(agents);
  await fleet.killing;

  let seen = 0;
  for (const [index, sessionId] of sessionIds.entries()) {
    const tasks = await allTasks(replicas, index, sessionId);
    for (const task of tasks) {
      seen += 1;
      const name = `${sessionId}/${task.taskId}`;
      if (task.status === TaskStatus.COMPLETED) {
        // One result was accepted, that of the attempt which the task says it was.
        expect([name, task.result]).toEqual([name, { attempt: task.attempt }]);
        expect([name, fleet.accepted.get(name)?.filter((attempt) => attempt !== task.attempt) ?? []]).toEqual([
          name,
          [],
        ]);
      } else if (task.status === TaskStatus.FAILED) {
        expect([name, task.attemptsLeft, task.reason]).toEqual([name, 0, expect.stringMatching(/^[A-Z]\w+$/)]);
      } else {
        // It waits for one that is in the dead letter.
        expect([name, task.status]).toEqual([name, TaskStatus.PENDING]);
        const states = new Map(tasks.map(({ taskId, status }) => [taskId, status]));
        expect(task.dependsOn.some((taskId) => states.get(taskId) !== TaskStatus.COMPLETED)).toBe(true);
      }
    }
  }
  expect(seen).toBe(total);
  expect(replicas.kills).toBeGreaterThan(1);
}

function workflowOf(width: number) {
  const retry = { maxAttempts: 5, initialBackoff: { seconds: 0n, nanos: 50_000_000 } };
  const middle = Array.from({ length: width }, (_, index) => `part-${index}`);
  return create(WorkflowSchema, {
    tasks: [
      { taskId: "begin", retry },
      ...middle.map((taskId) => ({ taskId, dependsOn: ["begin"], retry })),
      { taskId: "join", dependsOn: middle, retry },
    ],
  });
}

class StormFleet {
  /** The attempts whose result the server has confirmed, by task. */
  readonly accepted = new Map<string, number[]>();
  private readonly dice = new Dice(42);
  private answers = 0;
  /** While a replica is down and another one starts in its place. */
  killing: Promise<void> | undefined;
  private readonly open = new Set<string>();
  private onEnded: (() => void) | undefined;

  constructor(
    private readonly replicas: Replicas,
    private readonly storm: Storm,
    private readonly signal: AbortSignal,
  ) {}

  /** Waits until nothing of these sessions can run any more. */
  async ended(sessionIds: readonly string[]): Promise<void> {
    for (const sessionId of sessionIds) this.open.add(sessionId);
    const all = new Promise<void>((resolve) => (this.onEnded = resolve));
    void this.follow();
    await all;
  }

  /** An agent: registers, takes tasks, crashes, and begins again. */
  async live(agentId: string, index: number): Promise<void> {
    for (let life = index; !this.signal.aborted; life += 1) {
      try {
        await this.liveOnce(agentId, this.replicas.transport(life));
      } catch (thrown) {
        // The replica is gone, or the task was another's by then.
        if (!(thrown instanceof ConnectError)) throw thrown;
      }
    }
  }

  private async liveOnce(agentId: string, transport: Transport): Promise<void> {
    const life = new AbortController();
    const signal = AbortSignal.any([life.signal, this.signal]);
    const states = createClient(StateService, transport);
    const tasks = createClient(TaskService, transport);
    const { agent } = await createClient(AgentService, transport).registerAgent(
      { agentId, capabilities: ["work"], taskDelivery: TaskDelivery.STREAM, initialState: State.IDLE },
      { signal },
    );
    try {
      for await (const { kind, events, tasks: held } of tasks.watchTasks(
        { agentId, includeSnapshot: true },
        { signal },
      )) {
        const leased = kind === WatchKind.EVENTS ? events.flatMap(({ task }) => task ?? []) : held;
        for (const task of leased) {
          if (task.status !== TaskStatus.LEASED || task.agentIncarnation !== agent?.incarnation) continue;
          if (!(await this.work(task, states, tasks, signal))) return;
        }
      }
    } finally {
      life.abort();
    }
  }

  /** @returns false when the agent crashes over it */
  private async work(
    task: Task,
    states: Client<typeof StateService>,
    tasks: Client<typeof TaskService>,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { sessionId, taskId, attempt, agentId, agentIncarnation: incarnation } = task;
    const key = { sessionId, taskId, attempt };
    await states.setState({ agentId, incarnation, state: State.ACTIVE, sessionId, taskId }, { signal });
    if (this.dice.oneIn(this.storm.crashOneIn)) return false;
    if (this.dice.oneIn(this.storm.failOneIn)) {
      await tasks.failTask({ ...key, reason: "Unlucky" }, { signal });
    } else {
      await tasks.completeTask({ ...key, result: { attempt } }, { signal });
      const name = `${sessionId}/${taskId}`;
      this.accepted.set(name, [...(this.accepted.get(name) ?? []), attempt]);
    }
    this.answered();
    await states.setState({ agentId, incarnation, state: State.IDLE }, { signal });
    return true;
  }

  private answered(): void {
    this.answers += 1;
    if (this.answers % this.storm.killEvery !== 0 || this.killing !== undefined) return;
    this.killing = this.replicas.killOne().finally(() => (this.killing = undefined));
  }

  /** Sees sessions end, on whichever replica there is. */
  private async follow(): Promise<void> {
    for (let index = 0; !this.signal.aborted; index += 1) {
      const sessions = createClient(SessionService, this.replicas.transport(index));
      try {
        for await (const message of sessions.watchSessions({ includeSnapshot: true }, { signal: this.signal })) {
          for (const session of [...message.sessions, ...message.events.flatMap((event) => event.session ?? [])]) {
            if (session.endTime !== undefined) this.open.delete(session.sessionId);
          }
          if (this.open.size === 0) this.onEnded?.();
        }
      } catch (thrown) {
        if (!(thrown instanceof ConnectError)) throw thrown;
      }
    }
  }
}

async function allTasks(replicas: Replicas, index: number, sessionId: string): Promise<Task[]> {
  const { tasks } = await insist(replicas, index, (transport) =>
    createClient(TaskService, transport).listTasks({ sessionId, pageSize: 1000 }),
  );
  return tasks;
}

/** What a client calls a server that is not there, or not any more. */
const GONE: ReadonlySet<Code> = new Set([Code.Unavailable, Code.Aborted, Code.Canceled]);

/** Calls until a replica answers: one of them always does. */
async function insist<T>(replicas: Replicas, first: number, call: (transport: Transport) => Promise<T>): Promise<T> {
  for (let index = first; ; index += 1) {
    try {
      return await call(replicas.transport(index));
    } catch (thrown) {
      if (!GONE.has(ConnectError.from(thrown).code)) throw thrown;
    }
  }
}
