/** An agent that takes tasks, and who gives them to it, over real sockets from the real server. */
import { onTestFinished } from "vitest";
import { SessionStatus, type Session } from "../../../gen/opscore/v1/session_service_pb.js";
import type { TaskStatus } from "../../../gen/opscore/v1/task_service_pb.js";
import {
  Agent,
  createOpsCoreClient,
  type AgentOptions,
  type AgentTask,
  type OpsCoreClient,
} from "../../../src/client/index.js";

const SOON = { reconnect: { initialBackoffMs: 1, maxBackoffMs: 20 } };
export const AT_ONCE = { initialBackoff: { seconds: 0n }, maxBackoff: { seconds: 0n } };

export function clientOf(baseUrl: string): OpsCoreClient {
  const client = createOpsCoreClient({ baseUrl, retry: { initialBackoffMs: 1, maxBackoffMs: 20 } });
  onTestFinished(() => client.close());
  return client;
}

export async function agentOf(client: OpsCoreClient, options: Partial<AgentOptions> = {}): Promise<Agent> {
  const agent = await Agent.start({ client, agentId: "a", capabilities: ["work"], ...SOON, ...options });
  onTestFinished(() => agent.stop({ timeoutMs: 0 }).then(() => undefined));
  return agent;
}

export async function trigger(client: OpsCoreClient, tasks: readonly object[], sessionId = "s"): Promise<Session> {
  const { session } = await client.workflows.triggerWorkflow({
    sessionId,
    target: { case: "capability", value: "work" },
    definition: { case: "workflow", value: { tasks: [...tasks] } },
  });
  if (session === undefined) throw new Error("no session in the answer");
  return session;
}

/** Resolves with the session when it has ended. */
export async function ended(client: OpsCoreClient, sessionId = "s"): Promise<Session> {
  for await (const item of client.watchSessions({ sessionIds: [sessionId] })) {
    const session = item.type === "snapshot" ? item.session : item.type === "event" ? item.event.session : undefined;
    if (session !== undefined && session.status >= SessionStatus.COMPLETED) return session;
  }
  throw new Error("the watch ended before the session");
}

/** Resolves when the task has the status. */
export async function reached(client: OpsCoreClient, taskId: string, status: TaskStatus): Promise<void> {
  for await (const item of client.watchTasks({ sessionIds: ["s"] })) {
    const task = item.type === "snapshot" ? item.task : item.type === "event" ? item.event.task : undefined;
    if (task?.taskId === taskId && task.status === status) return;
  }
}

/** Resolves with the reason when the task is not to be worked on any more. */
export function aborted({ signal }: AgentTask): Promise<unknown> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(signal.reason);
    signal.addEventListener("abort", () => resolve(signal.reason), { once: true });
  });
}

export async function next(tasks: AsyncIterator<AgentTask, undefined>): Promise<AgentTask> {
  const { value } = await tasks.next();
  if (value === undefined) throw new Error("there are no more tasks");
  return value;
}

export const CHAIN = [
  { taskId: "one", parameters: { n: 1 } },
  { taskId: "two", dependsOn: ["one"] },
];
