import { systemClock, type Clock } from "../../lib/clock.js";

/** What a memory storage keeps, and how much of it. Everything it holds beside agents and running sessions is bounded by these. */
export interface MemoryStorageOptions {
  /** Default: the clocks of the process. */
  readonly clock?: Clock;
  /** How many changes the log keeps; a reader further behind has lost its place. Default 100,000. */
  readonly logCapacity?: number;
  /** About how many bytes of records the log keeps alive; it is cut earlier when they are large. Default 256 MiB. */
  readonly logBytes?: number;
  /** How many records of history each agent keeps. Default 1,000. */
  readonly historyLimit?: number;
  /** How long history, deregistered agents and ended sessions are kept, in milliseconds. Default 7 days. */
  readonly historyAgeMs?: number;
  /** How many reports wait for one agent's registration at most. Default 100. */
  readonly maxHeldReportsPerAgent?: number;
  /** How many reports wait for registrations at most, in all. Default 10,000. */
  readonly maxHeldReports?: number;
  /** About how many bytes they may take together. Default 64 MiB. */
  readonly maxHeldBytes?: number;
  /** How many deregistrations are remembered, with the agent's history and its last incarnation. Default 10,000. */
  readonly maxTombstones?: number;
  /** How many ended sessions are kept. Default 100,000. */
  readonly maxEndedSessions?: number;
  /** How many answers are remembered for repeated requests, for each command. Default 100,000. */
  readonly maxRememberedRequests?: number;
  /** About how many bytes of records those answers keep alive, for each command. Default 64 MiB. */
  readonly maxRememberedBytes?: number;
  /** How many claims are remembered; further ones fail. Default 100,000. */
  readonly maxClaims?: number;
}

export type MemoryStorageSettings = Required<MemoryStorageOptions>;

const MIB = 1024 * 1024;

export const MEMORY_STORAGE_DEFAULTS: MemoryStorageSettings = {
  clock: systemClock,
  logCapacity: 100_000,
  logBytes: 256 * MIB,
  historyLimit: 1_000,
  historyAgeMs: 7 * 24 * 60 * 60_000,
  maxHeldReportsPerAgent: 100,
  maxHeldReports: 10_000,
  maxHeldBytes: 64 * MIB,
  maxTombstones: 10_000,
  maxEndedSessions: 100_000,
  maxRememberedRequests: 100_000,
  maxRememberedBytes: 64 * MIB,
  maxClaims: 100_000,
};
