import type { SystemName } from "../scenario.js";
import { etcd } from "./etcd.js";
import { nodeSystem } from "./node-system.js";
import { redis } from "./redis.js";
import type { System } from "./system.js";

export const systems: Readonly<Record<SystemName, System>> = {
  opscore: nodeSystem("opscore", "Ops-Core, the whole server", "opscore"),
  connect: nodeSystem("connect", "the same server with its gRPC lane off: Connect's handlers", "opscore"),
  "grpc-js": nodeSystem("grpc-js", "the same storage and services behind `@grpc/grpc-js`", "grpc-js"),
  floor: nodeSystem("floor", "bare `node:http2` with constant answers", "floor"),
  etcd,
  redis,
};
