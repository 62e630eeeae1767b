import { create, fromBinary } from "@bufbuild/protobuf";
import {
  CompleteTaskRequestSchema,
  TaskStatus,
  WatchTasksRequestSchema,
  WatchTasksResponseSchema,
  type Task,
} from "../../gen/opscore/v1/task_service_pb.js";
import { WatchKind } from "../../gen/opscore/v1/common_pb.js";
import { TriggerWorkflowRequestSchema, WorkflowSchema } from "../../gen/opscore/v1/workflow_service_pb.js";
import { percentile } from "../harness/statistics.js";
import { call } from "../load/call.js";
import { Connections } from "../load/connections.js";
import { encode } from "../load/dialects/opscore.js";
import type { Connection } from "../load/http2/connection.js";
import type { Load, Pace, Scenario, Target } from "../scenario.js";
import { agentId } from "../systems/population.js";
import { atMost } from "./claims.js";

const AGENTS = 50;
const CONNECTIONS = 8;
/** What the agents of a filled server can do. */
const CAPABILITY = "bench";
const TASK = "task";
const MEMORY = "in memory";
const REDIS = "on Redis";

export const taskDispatch: Scenario = {
  name: "task-dispatch",
  title: "From a trigger to the agent",
  description: `${AGENTS} idle agents with a stream for their tasks; one workflow of one task after the other is triggered for a capability that all of them have. The time is from the trigger to the task on its agent's stream, on a server that does nothing else.`,
  cases: [
    { name: MEMORY, system: "opscore", server: { agents: AGENTS }, open },
    { name: REDIS, system: "opscore", server: { agents: AGENTS, storage: "redis" }, open },
  ],
  claims: [
    atMost(10, "a trigger to the agent's stream, in memory, 99th percentile", "p99Ms", MEMORY),
    atMost(20, "a trigger to the agent's stream, on Redis, 99th percentile", "p99Ms", REDIS),
  ],
};

async function open(target: Target, pace: Pace): Promise<Load> {
  const connections = await Connections.open(target, CONNECTIONS);
  const arrivals = new Map<string, (task: Task) => void>();
  for (let agent = 0; agent < AGENTS; agent += 1) await watch(connections.for(agent), agent, arrivals);
  let count = 0;

  const once = async (): Promise<number> => {
    count += 1;
    const sessionId = `session-${count}`;
    const connection = connections.for(count);
    const arrived = new Promise<Task>((resolve) => arrivals.set(sessionId, resolve));
    const since = performance.now();
    const triggered = call(connection, "/opscore.v1.WorkflowService/TriggerWorkflow", trigger(sessionId));
    const { attempt } = await arrived;
    const time = performance.now() - since;
    await triggered;
    await call(
      connection,
      "/opscore.v1.TaskService/CompleteTask",
      encode(CompleteTaskRequestSchema, { sessionId, taskId: TASK, attempt }),
    );
    return time;
  };

  const run = async (seconds: number): Promise<number[]> => {
    const times: number[] = [];
    const until = performance.now() + seconds * 1000;
    do times.push(await once());
    while (performance.now() < until);
    return times;
  };

  await run(pace.seconds);
  return {
    async measure() {
      const times = await run(pace.seconds);
      return { p50Ms: percentile(times, 0.5), p99Ms: percentile(times, 0.99) };
    },
    close() {
      connections.close();
      return Promise.resolve();
    },
  };
}

function trigger(sessionId: string): Uint8Array {
  return encode(TriggerWorkflowRequestSchema, {
    sessionId,
    target: { case: "capability", value: CAPABILITY },
    definition: { case: "workflow", value: create(WorkflowSchema, { tasks: [{ taskId: TASK }] }) },
  });
}

/** Opens an agent's stream; answers when it stands. */
function watch(connection: Connection, agent: number, arrivals: Map<string, (task: Task) => void>): Promise<void> {
  return new Promise((resolve) => {
    const request = encode(WatchTasksRequestSchema, { agentId: agentId(agent), includeSnapshot: true });
    connection.call("/opscore.v1.TaskService/WatchTasks", request, true, {
      message: (bytes, start, end) => {
        const { kind, events } = fromBinary(WatchTasksResponseSchema, bytes.subarray(start, end));
        if (kind === WatchKind.SYNCED) resolve();
        for (const { task } of events) {
          if (task?.status !== TaskStatus.LEASED) continue;
          arrivals.get(task.sessionId)?.(task);
          arrivals.delete(task.sessionId);
        }
      },
      ended: () => undefined,
    });
  });
}
