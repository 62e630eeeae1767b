import { Redis } from "ioredis";
import { createRedisStorage, DEFAULT_PARTITIONS, type RedisStorage } from "../../src/storage/redis/index.js";
import { Keys } from "../../src/storage/redis/keys.js";
import { REDIS_STORAGE_DEFAULTS } from "../../src/storage/redis/options.js";
import { State, TaskDelivery } from "../../src/storage/records.js";
import type { RegisterAgent } from "../../src/storage/storage.js";
import type { Load, Pace, Scenario, Target } from "../scenario.js";
import { agentId, COMMON, REDIS_TIMEOUT_MS, REPORT } from "../systems/population.js";

/** With their reports, as many commits as the log keeps: nothing of it is cut off meanwhile. */
const AGENTS = 8_000;
const REPORTS = 10;
const LEASE_MS = 3_600_000;
/** How many commands are under way. */
const IN_FLIGHT = 256;

const KINDS = ["an agent", "a report in the history", "a report in the log", "a registration in the log"] as const;
type Kind = (typeof KINDS)[number];

export const redisMemory: Scenario = {
  name: "redis-memory",
  title: "Memory in Redis",
  description: `${AGENTS.toLocaleString("en")} agents with two labels, two capabilities and a lease register, and each makes ${REPORTS} reports of about 40 characters, straight in the storage. All are differences of \`used_memory\`: that of the log shows when it is removed, and the others are without it.`,
  cases: KINDS.map((kind) => ({ name: kind, system: "redis", open: (target, pace) => open(target, pace, kind) })),
  claims: [],
  repetitions: 1,
};

async function open(target: Target, { scale }: Pace, kind: Kind): Promise<Load> {
  const { host, port } = target;
  const agents = Math.ceil(AGENTS * scale);
  const storage = await createRedisStorage({
    target: { kind: "standalone", address: { host, port } },
    commandTimeoutMs: REDIS_TIMEOUT_MS,
  });
  const memory = new RedisMemory(new Redis(port, host));
  return {
    async measure() {
      const empty = await memory.used();
      await each(agents, (agent) => storage.registerAgent(registration(agent)));
      const registered = await memory.withoutLog(agents);
      if (kind === "an agent") return { bytes: (registered.rest - empty) / agents };
      if (kind === "a registration in the log") return { bytes: registered.log / agents };
      const reports = agents * REPORTS;
      for (let turn = 1; turn <= REPORTS; turn += 1) await each(agents, (agent) => reportOf(storage, agent, turn));
      const reported = await memory.withoutLog(reports);
      if (kind === "a report in the log") return { bytes: reported.log / reports };
      return { bytes: (reported.rest - registered.rest) / reports };
    },
    async close() {
      memory.close();
      await storage.close();
    },
  };
}

interface Used {
  /** What the log of all partitions takes, in bytes. */
  readonly log: number;
  /** All the rest. */
  readonly rest: number;
}

class RedisMemory {
  private readonly keys = new Keys(REDIS_STORAGE_DEFAULTS.prefix, DEFAULT_PARTITIONS);

  constructor(private readonly client: Redis) {}

  /** In bytes. */
  async used(): Promise<number> {
    const used = /^used_memory:(\d+)/m.exec(await this.client.info("memory"))?.[1];
    if (used === undefined) throw new Error("Redis does not say how much memory it uses");
    return Number(used);
  }

  /**
   * Removes the log, and sees what was there because of it.
   *
   * @throws Error when it has not so many entries
   */
  async withoutLog(entries: number): Promise<Used> {
    const logs = this.keys.all.map((partition) => this.keys.log(partition));
    const lengths = await Promise.all(logs.map((log) => this.client.xlen(log)));
    const found = lengths.reduce((sum, length) => sum + length, 0);
    if (found !== entries) throw new Error(`${entries} commits are ${found} entries of the log`);
    const before = await this.used();
    await this.client.del(...logs);
    const rest = await this.used();
    return { log: before - rest, rest };
  }

  close(): void {
    this.client.disconnect();
  }
}

/** Does something for each agent. */
async function each(agents: number, command: (agent: number) => Promise<unknown>): Promise<void> {
  for (let first = 0; first < agents; first += IN_FLIGHT) {
    const count = Math.min(IN_FLIGHT, agents - first);
    await Promise.all(Array.from({ length: count }, (_, i) => command(first + i)));
  }
}

function registration(agent: number): RegisterAgent {
  return {
    ...COMMON,
    agentId: agentId(agent),
    profile: {
      displayName: `Agent ${agent}`,
      version: "1.0.0",
      capabilities: ["bench", "write"],
      contactEndpoint: "",
      labels: { env: "bench", team: "blue" },
      metadata: undefined,
      leaseTtlMs: LEASE_MS,
      maxConcurrentTasks: 1,
      taskDelivery: TaskDelivery.AUTO,
    },
    initialState: State.IDLE,
    keepState: false,
  };
}

/** @throws Error when it was not a change */
async function reportOf(storage: RedisStorage, agent: number, turn: number): Promise<void> {
  const { changed } = await storage.setState({
    ...COMMON,
    ...REPORT,
    agentId: agentId(agent),
    state: turn % 2 === 1 ? State.ACTIVE : State.IDLE,
    message: `working on part ${turn} of the task at hand`,
    sequence: turn,
  });
  if (!changed) throw new Error(`report ${turn} of an agent was not a change`);
}
