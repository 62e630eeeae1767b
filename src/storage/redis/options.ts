import { systemClock, type Clock } from "../../lib/clock.js";
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

/** What an operator may want to know. */
export type RedisStorageEvent =
  | { readonly kind: "connected"; readonly connection: string }
  | { readonly kind: "disconnected"; readonly connection: string; readonly cause: unknown }
  /** The log is followed, from the beginning or again. */
  | { readonly kind: "following" }
  /** The log could not be followed without a gap: watches get RESYNC. */
  | { readonly kind: "log-lost"; readonly reason: string }
  /** The deployment was made anew in a way that this replica cannot follow. */
  | { readonly kind: "refused"; readonly cause: unknown }
  /** A record that is not one of ours, or of a newer version. */
  | { readonly kind: "corrupt"; readonly key: string };

const MIB = 1024 * 1024;
const DAY = 24 * 60 * 60_000;

export const DEFAULT_PARTITIONS = 16;

export const REDIS_STORAGE_DEFAULTS: Omit<RedisStorageSettings, "target" | "partitions"> = {
  prefix: "opscore",
  commandTimeoutMs: 900,
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
