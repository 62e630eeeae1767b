import { spawnSync } from "node:child_process";
import type { Side } from "../harness/cores.js";
import { freePort } from "../../test/helpers/processes.js";
import { HOST, startDaemon, type Daemon } from "./daemon.js";
import { residentBytes } from "./memory.js";
import type { System } from "./system.js";

/** Whoever has both programs of a kind can be measured. */
const KINDS = ["redis", "valkey"] as const;

const kind = KINDS.find((name) =>
  ["server", "benchmark"].every((program) => spawnSync(`${name}-${program}`, ["--version"]).status === 0),
);

/** What Redis itself is measured with. */
export const REDIS_BENCHMARK = `${kind ?? "redis"}-benchmark`;

/** Redis alone: what storages that are in Redis, and `redis-benchmark`, are tried on. */
export const redis: System = {
  name: "redis",
  title: "Redis, one node, without AOF and snapshots; also what Ops-Core on Redis has below it",
  missing: () =>
    kind === undefined
      ? "redis-server and redis-benchmark are not installed (Debian: redis-server), so nothing on Redis is measured"
      : undefined,

  async start() {
    const { port, pid, stop } = await startRedis("server");
    return {
      host: HOST,
      ports: [port],
      pid,
      stop,
      memory: () => Promise.resolve({ resident: residentBytes(pid) ?? 0 }),
    };
  },
};

export interface RedisServer extends Daemon {
  readonly port: number;
}

/** Starts a Redis with nothing in it. */
export async function startRedis(side: Side): Promise<RedisServer> {
  const port = await freePort();
  const daemon = await startDaemon({
    command: `${kind ?? "redis"}-server`,
    side,
    args: (folder) => [
      ...["--bind", HOST, "--port", String(port), "--dir", folder],
      ...["--save", "", "--appendonly", "no", "--daemonize", "no"],
    ],
    prints: "stdout",
    ready: "Ready to accept connections",
  });
  return { port, ...daemon };
}
