import { dialectOf } from "../load/dialects/index.js";
import { CALLERS, CONNECTIONS, openUnary } from "../load/unary.js";
import { STATE_SYSTEMS, type Scenario } from "../scenario.js";
import { atLeast, atMost } from "./claims.js";

export const setState: Scenario = {
  name: "set-state",
  title: "Unary SetState",
  description: `${CALLERS} callers on ${CONNECTIONS} connections, each with an agent of its own that goes from IDLE to ACTIVE and back; etcd: Put of 64 bytes.`,
  cases: STATE_SYSTEMS.map((system) => ({
    name: system,
    system,
    server: { agents: CALLERS },
    open: (target, pace) => openUnary(target, pace, dialectOf(system).commit({ callers: CALLERS })),
  })),
  claims: [
    atLeast(6, "unary SetState against Connect's handlers", "rate", "opscore", "connect"),
    atLeast(1.05, "unary SetState against grpc-js", "rate", "opscore", "grpc-js"),
    { ...atLeast(0.8, "unary SetState against etcd Put", "rate", "opscore", "etcd"), goal: 1 },
    atMost(1.8, "CPU of a unary commit against the floor", "cpuUs", "opscore", "floor"),
  ],
};

export const setStateRedis: Scenario = {
  name: "redis-set-state",
  title: "Unary SetState on Redis",
  description: `The same, with the state in Redis, each server with a Redis of its own: no AOF, no snapshots, on the core of the load. CPU is the server's, without Redis.`,
  cases: (["opscore", "connect"] as const).map((system) => ({
    name: system,
    system,
    server: { agents: CALLERS, storage: "redis" },
    open: (target, pace) => openUnary(target, pace, dialectOf(system).commit({ callers: CALLERS })),
  })),
  claims: [atLeast(4.5, "unary SetState on Redis against Connect's handlers", "rate", "opscore", "connect")],
};
