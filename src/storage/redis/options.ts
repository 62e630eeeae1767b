import { systemClock, type Clock } from "../../lib/clock.js";
import type { LossReason } from "../storage.js";
import type { RedisTarget } from "./target.js";

/** What a Redis storage is connected to, what it keeps, and how much of it. Limits are those of the whole deployment. */
export interface RedisStorageOptions {
  /** Where Redis is. */
  readonly target: RedisTarget;
  /** What all keys begin with: deployments with different prefixes share a Redis. Default `opscore`. */
  readonly prefix?: string;
  /**
   * Over how many partitions the deployment is spread; chosen when it is created and kept in it. Default: what it was created with,
   * or 16.
   */
  readonly partitions?: number;
  /** For how long a command may take before it fails with STORAGE_UNAVAILABLE, in milliseconds. Default 900. */
  readonly commandTimeoutMs?: number;
  /**
   * How many replicas of Redis must have a commit before it is answered; with fewer it fails with STORAGE_UNAVAILABLE, though it may
   * have happened. Default 0: the primary alone.
   */
  readonly waitReplicas?: number;
  /** For how long to try to reach Redis at the start, in milliseconds. Default 10 seconds. */
  readonly connectTimeoutMs?: number;
  /** How many changes the log keeps, in all; a reader further behind has lost its place. Default 100,000. */
  readonly logCapacity?: number;
  /** How many records of history each agent keeps. Default 1,000. */
  readonly historyLimit?: number;
  /** How long history, deregistered agents and ended sessions are kept, in milliseconds. Default 7 days. */
  readonly historyAgeMs?: number;
  /** How many reports wait for one agent's registration at most. Default 100. */
  readonly maxHeldReportsPerAgent?: number;
  /** How many reports of callers of this replica wait for registrations at most. Default 10,000. */
  readonly maxHeldReports?: number;
  /** About how many bytes they may take together. Default 64 MiB. */
  readonly maxHeldBytes?: number;
  /** How many deregistrations are remembered, with the agent's history and its last incarnation. Default 10,000. */
  readonly maxTombstones?: number;
  /** How many ended sessions are kept. Default 100,000. */
  readonly maxEndedSessions?: number;
  /** How many answers are remembered for repeated requests. Default 1,000,000. */
  readonly maxRememberedRequests?: number;
  /** Told when Redis is reached or lost, and of records that cannot be read. */
  readonly onEvent?: (event: RedisStorageEvent) => void;
  /** The monotonic clock of this process. Default: the system's. */
  readonly clock?: Clock;
  /** What the storage's clock shows, in milliseconds since 1970, for tests that move it. Default: what Redis's clock shows. */
  readonly time?: () => number | undefined;
}

export interface RedisStorageSettings extends Required<Omit<RedisStorageOptions, "partitions">> {
  readonly partitions: number | undefined;
}

/** What an operator may want to know. `connection` is the name that CLIENT LIST shows. */
export type RedisStorageEvent =
  /** Commands can be sent, or the log be read. */
  | { readonly kind: "connected"; readonly connection: string; readonly address: string }
  | { readonly kind: "disconnected"; readonly connection: string; readonly cause: unknown }
  /** A connection that was lost was made to another server: the primary is another one now. Comes before `connected`. */
  | { readonly kind: "failover"; readonly connection: string; readonly from: string; readonly to: string }
  /** All of the log is followed, from the beginning or again. */
  | { readonly kind: "following" }
  /** Some of the log is not followed now: watches stand still. */
  | { readonly kind: "not-following"; readonly cause: unknown }
  /** The log could not be followed without a gap: watches get RESYNC. */
  | { readonly kind: "log-lost"; readonly reason: LossReason }
  /** Too few replicas have confirmed in time: commits fail at once until `replicas-back`. */
  | { readonly kind: "replicas-short"; readonly connection: string; readonly wanted: number; readonly had: number }
  | { readonly kind: "replicas-back"; readonly connection: string }
  /** The deployment was made anew in a way that this replica cannot follow. */
  | { readonly kind: "refused"; readonly cause: unknown }
  /** A record that is not one of ours, or of a newer version. */
  | { readonly kind: "corrupt"; readonly key: string };

/** One connection to Redis, as it is now. */
export interface RedisConnectionStatus {
  /** As in events. */
  readonly name: string;
  /** Commands, or the log. */
  readonly role: "commands" | "log";
  readonly isOpen: boolean;
  /** `HOST:PORT` of the server that it was open to last; undefined before it ever was. */
  readonly address: string | undefined;
}

/** How a storage stands with Redis. */
export interface RedisStorageStatus {
  readonly connections: readonly RedisConnectionStatus[];
  /** All of the log is followed. */
  readonly isFollowing: boolean;
  /** Some commits fail because too few replicas confirm them. */
  readonly isShortOfReplicas: boolean;
}

const MIB = 1024 * 1024;
const DAY = 24 * 60 * 60_000;

export const DEFAULT_PARTITIONS = 16;

export const REDIS_STORAGE_DEFAULTS: Omit<RedisStorageSettings, "target" | "partitions"> = {
  prefix: "opscore",
  commandTimeoutMs: 900,
  waitReplicas: 0,
  connectTimeoutMs: 10_000,
  logCapacity: 100_000,
  historyLimit: 1_000,
  historyAgeMs: 7 * DAY,
  maxHeldReportsPerAgent: 100,
  maxHeldReports: 10_000,
  maxHeldBytes: 64 * MIB,
  maxTombstones: 10_000,
  maxEndedSessions: 100_000,
  maxRememberedRequests: 1_000_000,
  onEvent: () => undefined,
  clock: systemClock,
  time: () => undefined,
};
