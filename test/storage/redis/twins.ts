/** What holds the memory storage and the Redis storage against each other. */
import { expect } from "vitest";
import type { Awaitable } from "../../../src/lib/awaitable.js";
import type { AgentScope, Change } from "../../../src/storage/records.js";
import { createMemoryStorage, type MemoryStorageOptions } from "../../../src/storage/memory/index.js";
import { createRedisStorage, type RedisTarget } from "../../../src/storage/redis/index.js";
import type { Position, Storage } from "../../../src/storage/storage.js";
import { attempt, type Outcome } from "../../contract/storage/harness.js";
import { FakeClock } from "../../helpers/fake-clock.js";
import { freshPrefix } from "../../helpers/redis-storage.js";

export interface Command {
  readonly name: string;
  readonly run: (on: Storage) => Awaitable<unknown>;
}

/** Limits that both kinds of storage have. */
type Limits = Pick<
  MemoryStorageOptions,
  "historyLimit" | "historyAgeMs" | "maxHeldReportsPerAgent" | "maxEndedSessions" | "maxTombstones"
>;

/**
 * Does the same to a memory storage and to a Redis storage of one partition, and expects that they answer, log and hold the same.
 *
 * @param steps commands, and how much time passes between them in milliseconds
 * @param readAll reads what there is to read, by `expectSame`
 * @param readEvery after how many steps to do so
 */
export async function playOnTwins(
  target: RedisTarget,
  limits: Limits,
  steps: readonly (Command | number)[],
  readAll: (twins: Twins) => Promise<void>,
  readEvery = 1,
): Promise<void> {
  const clock = new FakeClock();
  const time = () => clock.now();
  const memory = createMemoryStorage({ clock, ...limits });
  const redis = await createRedisStorage({ target, prefix: freshPrefix(), partitions: 1, time, ...limits });
  try {
    await new Twins(memory, redis, clock, readAll, readEvery).play(steps);
  } finally {
    await redis.close();
  }
}

/** Two storages that must not differ: whatever is done to one is done to the other. */
export class Twins {
  private positions: readonly [Position, Position] | undefined;

  constructor(
    private readonly memory: Storage,
    private readonly redis: Storage,
    private readonly clock: FakeClock,
    private readonly readAll: (twins: Twins) => Promise<void>,
    private readonly readEvery: number,
  ) {}

  async play(steps: readonly (Command | number)[]): Promise<void> {
    this.positions = [await this.memory.head(), await this.redis.head()];
    for (const [index, each] of steps.entries()) {
      if (typeof each === "number") this.clock.advance(each);
      else await this.expectSame(each.name, each.run);
      await this.expectSameLog();
      if (index % this.readEvery === 0 || index === steps.length - 1) await this.readAll(this);
    }
  }

  async expectSame(name: string, run: (on: Storage) => Awaitable<unknown>): Promise<void> {
    const expected = plain(await attempt(() => run(this.memory)));
    expect(plain(await attempt(() => run(this.redis))), name).toEqual(expected);
  }

  private async expectSameLog(): Promise<void> {
    if (this.positions === undefined) throw new Error("the log is read from where it began");
    const [fromMemory, fromRedis] = this.positions;
    const expected = await this.memory.readLog(fromMemory, 1_000);
    const found = await this.redis.readLog(fromRedis, 1_000);
    if (expected.lost !== undefined || found.lost !== undefined) throw new Error("a log was lost");
    expect(found.changes.map(bare)).toEqual(expected.changes.map(bare));
    expect(found.position.revisions).toEqual(expected.position.revisions);
    this.positions = [expected.position, found.position];
  }
}

/** A change whose scopes are nothing but scopes: some storages have the whole record at hand. */
function bare(change: Change): unknown {
  if (change.kind !== "agent") return change;
  return { ...change, scope: bareScope(change.scope), previousScope: bareScope(change.previousScope) };
}

function bareScope(scope: AgentScope | undefined): AgentScope | undefined {
  return scope && { labels: scope.labels, capabilities: scope.capabilities };
}

function plain(outcome: Outcome<unknown>): unknown {
  const { failure } = outcome;
  if (failure === undefined) return outcome;
  return { reason: failure.reason, message: failure.message, metadata: failure.metadata };
}
