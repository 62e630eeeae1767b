/** A workflow over a few agents: the work is made up; who gets which task when, and what is shown of it, is real. */
import { SessionStatus, type Session } from "../../../gen/opscore/v1/session_service_pb.js";
import { Agent, type AgentTask, type OpsCoreClient } from "../../client/index.js";
import { Ending } from "../../client/ending.js";
import { pause, type Scheduler } from "../../client/scheduler.js";

export const DEMO_SESSION = "demo";

/** Two searches at the same time, a summary of what both found, a check of the summary. */
const TASKS = [
  { taskId: "search-web", agentCapability: "search" },
  { taskId: "search-archive", agentCapability: "search" },
  { taskId: "summarize", agentCapability: "write", dependsOn: ["search-web", "search-archive"] },
  { taskId: "check", agentCapability: "review", dependsOn: ["summarize"] },
];

export const TASK_COUNT = TASKS.length;

const AGENTS = [
  { agentId: "researcher-1", capabilities: ["search"] },
  { agentId: "researcher-2", capabilities: ["search"] },
  { agentId: "writer", capabilities: ["write"] },
  { agentId: "reviewer", capabilities: ["review"] },
];

/** The agents of the workflow. */
export class Troupe {
  private readonly ending = new Ending();
  private readonly agents: Agent[] = [];
  private readonly work: Promise<void>[] = [];

  /** @param workMs how long a task takes at least, in milliseconds; up to twice that */
  constructor(
    private readonly client: OpsCoreClient,
    private readonly scheduler: Scheduler,
    private readonly workMs: number,
  ) {}

  /** Registers the agents and triggers the workflow. */
  async start(): Promise<void> {
    for (const part of AGENTS) {
      const agent = await Agent.start({ client: this.client, ...part });
      this.agents.push(agent);
      this.work.push(this.perform(agent));
    }
    await this.client.workflows.triggerWorkflow({
      sessionId: DEMO_SESSION,
      definition: { case: "workflow", value: { workflowId: "report", tasks: TASKS } },
      initialPayload: { topic: "tides" },
    });
  }

  /** The session when it has ended; undefined when `signal` aborts before. */
  async ended(signal: AbortSignal): Promise<Session | undefined> {
    for await (const item of this.client.watchSessions({ sessionIds: [DEMO_SESSION] }, { signal })) {
      const session = item.type === "snapshot" ? item.session : item.type === "event" ? item.event.session : undefined;
      if (session !== undefined && session.status >= SessionStatus.COMPLETED) return session;
    }
    return undefined;
  }

  async stop(): Promise<void> {
    this.ending.end();
    await Promise.all(this.agents.map((agent) => agent.stop()));
    await Promise.allSettled(this.work);
  }

  private async perform(agent: Agent): Promise<void> {
    for await (const task of agent.tasks()) {
      await pause(this.scheduler, this.workMs * (1 + this.scheduler.random()), this.ending, task.signal);
      if (!task.signal.aborted) await task.complete(resultOf(task));
    }
  }
}

function resultOf({ taskId, inputs, parameters }: AgentTask): { readonly from: string[]; readonly topic: string } {
  const topic = parameters["topic"];
  return { from: Object.keys(inputs), topic: typeof topic === "string" ? topic : taskId };
}
