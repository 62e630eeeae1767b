import { ClosedLoop } from "../load/closed-loop.js";
import { Connections } from "../load/connections.js";
import { dialectOf } from "../load/dialects/index.js";
import { CALLERS, CONNECTIONS, openUnary } from "../load/unary.js";
import { STATE_SYSTEMS, type Load, type Pace, type Scenario, type Target } from "../scenario.js";

export const getState: Scenario = {
  name: "get-state",
  title: "Unary GetState",
  description: `${CALLERS} callers on ${CONNECTIONS} connections, each reads its own agent; etcd: Range of one key of 64 bytes, linearizable.`,
  cases: STATE_SYSTEMS.map((system) => ({ name: system, system, server: { agents: CALLERS }, open })),
  claims: [],
};

async function open(target: Target, pace: Pace): Promise<Load> {
  const dialect = dialectOf(target.system);
  // Something must be there to be read.
  const connections = await Connections.open(target, 1);
  await new ClosedLoop(connections, dialect.commit({ callers: CALLERS }), CALLERS).times(CALLERS);
  connections.close();
  return openUnary(target, pace, dialect.read());
}
