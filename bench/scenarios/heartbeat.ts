import { HeartbeatRequestSchema } from "../../gen/opscore/v1/agent_service_pb.js";
import { encode, Repeated } from "../load/dialects/opscore.js";
import { CALLERS, CONNECTIONS, openUnary } from "../load/unary.js";
import type { Scenario } from "../scenario.js";
import { agentId } from "../systems/population.js";

const AGENTS = 10_000;
const LEASE_MS = 600_000;

export const heartbeat: Scenario = {
  name: "heartbeat",
  title: "Lease renewals",
  description: `${CALLERS} callers on ${CONNECTIONS} connections renew leases, on a server with ${AGENTS.toLocaleString("en")} agents that have one.`,
  cases: (["opscore", "connect", "grpc-js"] as const).map((system) => ({
    name: system,
    system,
    server: { agents: AGENTS, leaseTtlMs: LEASE_MS },
    open: (target, pace) =>
      openUnary(
        target,
        pace,
        new Repeated((caller) => ({
          path: "/opscore.v1.AgentService/Heartbeat",
          message: encode(HeartbeatRequestSchema, { agentId: agentId(caller), incarnation: 1n }),
        })),
      ),
  })),
  claims: [],
};
