/** Redis storages for the tests: two replicas on one server, with a clock that a test moves. */
import {
  createRedisStorage,
  DEFAULT_PARTITIONS,
  type RedisStorage,
  type RedisStorageEvent,
  type RedisStorageOptions,
} from "../../src/storage/redis/index.js";
import type { StorageFactory, StorageLimits } from "../contract/storage.js";
import { FakeClock } from "./fake-clock.js";

let deployments = 0;

/** A prefix that no other test has. */
export function freshPrefix(): string {
  deployments += 1;
  return `test-${process.pid}-${deployments}`;
}

/** Makes empty storages on a Redis that the caller has started. */
export function redisStorageFactory(options: () => Pick<RedisStorageOptions, "target">): StorageFactory {
  return async (limits) => {
    const clock = new FakeClock();
    const settings = {
      ...options(),
      ...toOptions(limits),
      prefix: freshPrefix(),
      // What takes long on a busy machine has not failed.
      commandTimeoutMs: 10_000,
      time: () => clock.now(),
    };
    const [storage, replica] = await Promise.all([createRedisStorage(settings), createRedisStorage(settings)]);
    return {
      storage,
      replica,
      advance: (ms) => {
        clock.advance(ms);
        return Promise.resolve();
      },
      close: async () => {
        await Promise.all([storage.close(), replica.close()]);
      },
    };
  };
}

/** The contract limits the log of each partition, the options that of the deployment. */
function toOptions({ logCapacity, ...limits }: StorageLimits): Partial<RedisStorageOptions> {
  return logCapacity === undefined ? limits : { ...limits, logCapacity: logCapacity * DEFAULT_PARTITIONS };
}

/** What a storage has told, and what it will. */
export class StorageEvents {
  private readonly told: RedisStorageEvent[] = [];
  private wake: () => void = () => undefined;

  readonly listener = (event: RedisStorageEvent): void => {
    this.told.push(event);
    this.wake();
  };

  /** Forgets what was told. */
  clear(): void {
    this.told.length = 0;
  }

  /** Waits for one of a kind, told or not, and forgets everything up to it. */
  async next(kind: RedisStorageEvent["kind"]): Promise<RedisStorageEvent> {
    for (;;) {
      const index = this.told.findIndex((event) => event.kind === kind);
      const event = this.told[index];
      if (event !== undefined) {
        this.told.splice(0, index + 1);
        return event;
      }
      await this.more();
    }
  }

  /** Waits until a storage that tells its events here can be used. */
  async ready(storage: RedisStorage): Promise<void> {
    while (!storage.ready()) await this.more();
  }

  private more(): Promise<void> {
    return new Promise<void>((resolve) => {
      this.wake = resolve;
    });
  }
}
