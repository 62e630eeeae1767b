import { RegisterAgentRequestSchema } from "../../gen/opscore/v1/agent_service_pb.js";
import { State } from "../../gen/opscore/v1/common_pb.js";
import { ClosedLoop } from "../load/closed-loop.js";
import { Connections } from "../load/connections.js";
import type { Operation, Request } from "../load/dialects/index.js";
import { dialectOf } from "../load/dialects/index.js";
import { encode, report, STATES } from "../load/dialects/opscore.js";
import { CALLERS, CONNECTIONS } from "../load/unary.js";
import type { Load, Pace, Scenario, Target } from "../scenario.js";
import { agentId } from "../systems/population.js";
import { atMost } from "./claims.js";

const AGENTS = 30_000;
const TRANSITIONS = 10;
/** The log keeps 100,000 entries: so many warm-ups fill it. */
const LOG_FILLS = 3;

export const agentMemory: Scenario = {
  name: "agent-memory",
  title: `Memory of an agent with ${TRANSITIONS} transitions`,
  description: `What the live objects of the server take after ${AGENTS.toLocaleString("en")} agents registered and made their transitions, all over gRPC, less what it was before, for each agent; after the garbage was collected.`,
  cases: [{ name: "opscore", system: "opscore", server: { agents: CALLERS }, open }],
  claims: [atMost(4_000, `memory of an agent with ${TRANSITIONS} transitions`, "bytes", "opscore")],
  repetitions: 1,
};

async function open(target: Target, { warmUp, scale }: Pace): Promise<Load> {
  const connections = await Connections.open(target, CONNECTIONS);
  const run = (operation: Operation, count: number): Promise<unknown> =>
    new ClosedLoop(connections, operation, CALLERS).times(count);
  // Neither code that is compiled late nor the log, which is bounded and full after this, is the agents' memory.
  await run(dialectOf(target.system).commit({ callers: CALLERS }), warmUp * LOG_FILLS);
  return {
    async measure() {
      const agents = Math.ceil(AGENTS * scale);
      const before = await live(target);
      await run(new Each(registration), agents);
      for (let turn = 1; turn <= TRANSITIONS; turn += 1) {
        await run(new Each((agent) => ({ path: `${STATES}/SetState`, message: report(agent, turn) })), agents);
      }
      return { bytes: ((await live(target)) - before) / agents };
    },
    close() {
      connections.close();
      return Promise.resolve();
    },
  };
}

function registration(agent: number): Request {
  const message = encode(RegisterAgentRequestSchema, {
    agentId: agentId(agent),
    displayName: "An agent of the bench",
    version: "1.0.0",
    capabilities: ["bench"],
    labels: { env: "bench" },
    initialState: State.IDLE,
  });
  return { path: "/opscore.v1.AgentService/RegisterAgent", message };
}

async function live(target: Target): Promise<number> {
  const { live: bytes } = await target.memory();
  if (bytes === undefined) throw new Error("only a Node process says what lives in it");
  return bytes;
}

/** One call for each agent, after those that the server was filled with. */
class Each implements Operation {
  private next = CALLERS;

  constructor(private readonly make: (agent: number) => Request) {}

  request(): Request {
    return this.make(this.next++);
  }

  isDone(_bytes: Buffer, start: number, end: number): boolean {
    return end > start;
  }
}
