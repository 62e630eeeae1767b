/**
 * What callers may ask for. The defaults are the figures in the comments of the proto files; a deployment may choose others.
 * Bounds that are part of what a field *is* (the characters and length of an id, a name, a label key) are not here: they stand
 * beside their rule in `validation/`.
 */
export interface Limits {
  /** A `message` or an `error`: bytes of UTF-8. */
  readonly messageBytes: number;
  /** `details`, `metadata` and `result`, each: bytes as JSON. */
  readonly dataBytes: number;
  /** How deep `details`, `metadata` and `result` may be nested; `{}` is 1 deep. */
  readonly dataDepth: number;
  /** Labels of one agent. */
  readonly labels: number;
  /** Capabilities of one agent, or of a filter. */
  readonly capabilities: number;
  /** Tasks that one agent works on at the same time. */
  readonly concurrentTasks: number;
  /** Tasks of one workflow. */
  readonly tasks: number;
  /** Names, dependencies and parameters of all tasks of one workflow together: bytes, about. It must fit into one answer. */
  readonly definitionBytes: number;
  /** Initial payload that one trigger hands out, over all tasks that get it: bytes as JSON. */
  readonly handedOutBytes: number;
  /** One attempt at a task, in milliseconds. */
  readonly defaultTaskTimeoutMs: number;
  readonly minTaskTimeoutMs: number;
  readonly maxTaskTimeoutMs: number;
  /** Attempts at one task. */
  readonly defaultAttempts: number;
  readonly maxAttempts: number;
  /** The wait before the second attempt, in milliseconds. */
  readonly defaultInitialBackoffMs: number;
  readonly maxInitialBackoffMs: number;
  /** The longest wait between attempts, in milliseconds. */
  readonly defaultMaxBackoffMs: number;
  readonly maxMaxBackoffMs: number;
  /** By what each wait is longer than the one before. */
  readonly defaultBackoffMultiplier: number;
  readonly maxBackoffMultiplier: number;
  /** Priorities go from minus this to this. */
  readonly maxPriority: number;
  /** How long a task may be put off, in milliseconds. */
  readonly maxStartDelayMs: number;
  /** Entries of a page, when the caller does not say. */
  readonly defaultPageSize: number;
  /** Entries of a page, at most. */
  readonly maxPageSize: number;
  /** A lease, in milliseconds. */
  readonly minLeaseTtlMs: number;
  readonly maxLeaseTtlMs: number;
  /** How long a report waits for its agent's registration, in milliseconds. */
  readonly defaultHoldMs: number;
  readonly maxHoldMs: number;
  /** Reports of one stream that are not answered yet; the server reads no further until the caller took some answers. */
  readonly unansweredReports: number;
  /** The same by size, in bytes. */
  readonly unansweredBytes: number;
  /** Ids that one watch may name. */
  readonly watchedIds: number;
  /** When an idle watch sends PROGRESS, in milliseconds. */
  readonly defaultProgressMs: number;
  readonly minProgressMs: number;
  readonly maxProgressMs: number;
  /** Whether a webhook may lead to an address inside; see `leadsInside`. */
  readonly webhooksInside: boolean;
}

const KIB = 1024;
const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

export const DEFAULT_LIMITS: Limits = {
  messageBytes: KIB,
  dataBytes: 64 * KIB,
  dataDepth: 32,
  labels: 64,
  capabilities: 256,
  concurrentTasks: 1_000,
  tasks: 1_000,
  definitionBytes: 512 * KIB,
  handedOutBytes: 4 * KIB * KIB,
  defaultTaskTimeoutMs: 5 * MINUTE,
  minTaskTimeoutMs: 100,
  maxTaskTimeoutMs: DAY,
  defaultAttempts: 3,
  maxAttempts: 100,
  defaultInitialBackoffMs: SECOND,
  maxInitialBackoffMs: HOUR,
  defaultMaxBackoffMs: MINUTE,
  maxMaxBackoffMs: DAY,
  defaultBackoffMultiplier: 2,
  maxBackoffMultiplier: 10,
  maxPriority: 1_000,
  maxStartDelayMs: 30 * DAY,
  defaultPageSize: 50,
  maxPageSize: 1_000,
  minLeaseTtlMs: 100,
  maxLeaseTtlMs: DAY,
  defaultHoldMs: 5 * SECOND,
  maxHoldMs: 60 * SECOND,
  unansweredReports: 1_024,
  unansweredBytes: 4 * KIB * KIB,
  watchedIds: 10_000,
  defaultProgressMs: 10 * SECOND,
  minProgressMs: 100,
  maxProgressMs: HOUR,
  webhooksInside: false,
};
