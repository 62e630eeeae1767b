/**
 * `redis-benchmark` with the commits of `ReportStates`: what Redis would take if there were no server before it.
 *
 * The same is: the script, which is the one that the storage itself has loaded (its name is its hash, and Redis is asked whether it
 * knows it); its only key, the agent's partition; the arguments, which are put together by the storage's own code; the agent, its
 * registration, the settings of log and history.
 *
 * Not the same are three things, because `redis-benchmark` repeats one command in which it can replace nothing but numbers of twelve
 * digits. A report has no sequence: there would be no next one. The reports that go alone differ in their message, so each is a real
 * change, but all of them are ACTIVE: they leave the index of states alone, which costs the server's own two commands each. And those
 * that go together are ACTIVE and IDLE in turn as the server's are, without a message, in calls of as many as a server sends at most;
 * there is an even number of them, so each call finds the agent as the one before it did.
 */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { Redis } from "ioredis";
import { encodeReport } from "../../src/storage/redis/encode.js";
import { createRedisStorage, REDIS_STORAGE_DEFAULTS, DEFAULT_PARTITIONS } from "../../src/storage/redis/index.js";
import { Keys } from "../../src/storage/redis/keys.js";
import { composeScripts } from "../../src/storage/redis/scripts.js";
import { State } from "../../src/storage/records.js";
import type { Target } from "../scenario.js";
import { agentId, COMMON, REDIS_TIMEOUT_MS, REPORT } from "../systems/population.js";
import { fill } from "../systems/servers/fill.js";
import { REDIS_BENCHMARK } from "../systems/redis.js";

const run = promisify(execFile);

const AGENT = agentId(0);
/** Becomes a number of twelve digits, another one each time. */
const RANDOM = "__rand_int__";
/** As far as its numbers go. */
const RANDOM_BELOW = 2_147_483_647;
/** So that no call is late: the script compares it with Redis's clock, as it does with a server's deadline. */
const UNTIL = String(Number.MAX_SAFE_INTEGER);
/** How a server says for how long the report may be held, and under which name: looked at only when there is no such agent. */
const HELD = ["5000", "00000000-0000-0000-0000-000000000000"] as const;
const CLIENTS = 50;

export interface Calls {
  /** How many reports go in one call of the script: 1, or an even number. */
  readonly reports: number;
  /** How many calls each client has under way. */
  readonly pipeline: number;
}

export interface Committed {
  readonly commits: number;
  readonly perSecond: number;
}

/** Reports that `redis-benchmark` can send again and again. */
export class RedisBenchmark {
  private constructor(
    private readonly target: Target,
    private readonly client: Redis,
    private readonly meta: string,
    private readonly calls: Calls,
    private readonly command: readonly string[],
  ) {}

  /** Fills a Redis that has nothing in it with the agent. */
  static async open(target: Target, calls: Calls): Promise<RedisBenchmark> {
    const { host, port } = target;
    const storage = await createRedisStorage({
      target: { kind: "standalone", address: { host, port } },
      commandTimeoutMs: REDIS_TIMEOUT_MS,
    });
    await fill(storage, { agents: 1 });
    await storage.close();

    const { prefix } = REDIS_STORAGE_DEFAULTS;
    const keys = new Keys(prefix, DEFAULT_PARTITIONS);
    const meta = keys.meta(keys.partitionOf(COMMON.namespace, AGENT));
    const script = composeScripts(REDIS_STORAGE_DEFAULTS, DEFAULT_PARTITIONS).get("apply-turn");
    if (script === undefined) throw new Error("there is no script that takes reports");
    const client = new Redis(port, host);
    const known: unknown = await client.script("EXISTS", script.sha);
    if (!Array.isArray(known) || known[0] !== 1) throw new Error("the storage has loaded another script");
    const reports = Array.from({ length: calls.reports }, (_, i) =>
      calls.reports === 1 ? command(State.ACTIVE, RANDOM) : command(i % 2 === 0 ? State.ACTIVE : State.IDLE, ""),
    );
    const words = ["EVALSHA", script.sha, "1", meta, UNTIL, "", ...reports.flat()];
    return new RedisBenchmark(target, client, meta, calls, words);
  }

  /**
   * Sends at least so many reports, and answers when all are commits.
   *
   * @throws Error when one of them is not
   */
  async times(reports: number): Promise<Committed> {
    const { host, port } = this.target;
    // It fills every pipeline, also the last one.
    const calls = Math.ceil(reports / this.calls.reports / this.calls.pipeline) * this.calls.pipeline;
    const before = await this.revision();
    const { stdout } = await run(REDIS_BENCHMARK, [
      ...["-h", host, "-p", String(port), "-c", String(CLIENTS), "-n", String(calls)],
      ...["-P", String(this.calls.pipeline), "-r", String(RANDOM_BELOW), "--csv"],
      ...this.command,
    ]);
    const commits = (await this.revision()) - before;
    const wanted = calls * this.calls.reports;
    if (commits !== wanted) throw new Error(`${wanted} reports were ${commits} commits:\n${stdout}`);
    return { commits, perSecond: callsPerSecond(stdout) * this.calls.reports };
  }

  close(): void {
    this.client.disconnect();
  }

  /** How many commits the partition has had. */
  private async revision(): Promise<number> {
    const revision = Number(await this.client.hget(this.meta, "revision"));
    if (!Number.isSafeInteger(revision) || revision < 1) throw new Error(`${this.meta} has no revision`);
    return revision;
  }
}

function command(state: State, message: string): readonly string[] {
  const report = { ...COMMON, ...REPORT, agentId: AGENT, state, message };
  return ["R", "1", COMMON.namespace, AGENT, ...encodeReport(report), ...HELD];
}

/** The second column of the only line after the head; the first one is the command, in quotes that it may hold itself. */
function callsPerSecond(csv: string): number {
  const rate = /","([\d.]+)"(?:,"[\d.]+"){6}\s*$/.exec(csv)?.[1];
  if (rate === undefined) throw new Error(`cannot read what ${REDIS_BENCHMARK} says:\n${csv}`);
  return Number(rate);
}
