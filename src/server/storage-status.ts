/**
 * What the Redis storage tells of itself: kept for readiness and metrics, and written to the log.
 */
import type { Logger } from "pino";
import type { RedisStorageEvent } from "../storage/redis/index.js";
import { describeCause } from "./cause.js";

/** The condition of the connections to Redis, as this replica sees it. */
export class StorageStatus {
  /** Whether each connection is open, by its name. */
  readonly connections = new Map<string, boolean>();
  /** How often each was lost. */
  readonly disconnects = new Map<string, number>();
  /** How often the log could not be followed without a gap, by reason. */
  readonly logLosses = new Map<string, number>();
  /** How often a connection was made to another server than before. */
  failovers = 0;
  /** How many records could not be read. */
  corruptRecords = 0;
  /** Told after each event: what could be served may have changed. */
  onChange: () => void = () => undefined;
  private readonly short = new Set<string>();
  private following = false;
  private refusal: string | undefined;

  constructor(private readonly logger: Logger) {}

  /** Whether the log is followed now. */
  get isFollowing(): boolean {
    return this.following;
  }

  /** Whether commits fail because too few replicas confirm them. */
  get isShortOfReplicas(): boolean {
    return this.short.size > 0;
  }

  /** What is wrong, without addresses and names: whoever can reach the port may read it. Undefined when nothing is known to be. */
  get trouble(): string | undefined {
    if (this.refusal !== undefined) return "the deployment in Redis cannot be used";
    if ([...this.connections.values()].includes(false)) return "Redis cannot be reached";
    return this.following ? undefined : "the log in Redis is not followed";
  }

  readonly onEvent = (event: RedisStorageEvent): void => {
    switch (event.kind) {
      case "connected":
        this.connections.set(event.connection, true);
        this.logger.info({ connection: event.connection, address: event.address }, "connected to Redis");
        break;
      case "disconnected":
        this.connections.set(event.connection, false);
        count(this.disconnects, event.connection);
        this.logger.warn(
          { connection: event.connection, cause: describeCause(event.cause) },
          "the connection to Redis was lost",
        );
        break;
      case "failover":
        this.failovers += 1;
        this.logger.warn({ connection: event.connection, from: event.from, to: event.to }, "Redis failed over");
        break;
      case "following":
        this.following = true;
        this.refusal = undefined;
        this.logger.info("following the log");
        break;
      case "not-following":
        this.following = false;
        this.logger.warn({ cause: describeCause(event.cause) }, "the log is not followed: watches stand still");
        break;
      case "log-lost":
        count(this.logLosses, event.reason);
        this.logger.warn({ reason: event.reason }, "the log could not be followed without a gap: watches get RESYNC");
        break;
      case "replicas-short":
        this.short.add(event.connection);
        this.logger.error(
          { connection: event.connection, wanted: event.wanted, had: event.had },
          "too few replicas confirm commits: they fail",
        );
        break;
      case "replicas-back":
        this.short.delete(event.connection);
        this.logger.info({ connection: event.connection }, "enough replicas confirm commits again");
        break;
      case "refused":
        this.refusal = describeCause(event.cause);
        this.following = false;
        this.logger.error({ cause: this.refusal }, "the deployment in Redis cannot be used");
        break;
      case "corrupt":
        this.corruptRecords += 1;
        this.logger.error({ key: event.key }, "a record in Redis cannot be read");
        break;
    }
    this.onChange();
  };
}

function count(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}
