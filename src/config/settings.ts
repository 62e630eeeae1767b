/**
 * Every setting of the server, once. Environment variables, flags, `opscore config` and the configuration page all come from
 * this table.
 */
import { bytes, choice, duration, integer, optionalText, secret, text, toggle, type Setting } from "./kinds.js";
import { REDIS_SETTINGS } from "./redis-settings.js";
import { DISPATCH_SETTINGS } from "./dispatch-settings.js";
import { WEBHOOK_SETTINGS } from "./webhook-settings.js";

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const KIB = 1024;
const MIB = 1024 * KIB;

export const SETTINGS = {
  /** The address to listen on. */
  host: text({
    env: "OPSCORE_HOST",
    flag: "host",
    default: "127.0.0.1",
    description: "The address to listen on. Beyond loopback an API key is wanted, unless OPSCORE_INSECURE is true.",
    pattern: /^[A-Za-z0-9.:_%-]{1,255}$/,
    expects: "a host name or an IP address",
  }),
  /** The TCP port to listen on. */
  port: integer({
    env: "OPSCORE_PORT",
    flag: "port",
    default: 8080,
    min: 0,
    max: 65_535,
    description: "The port for gRPC, Connect, gRPC-Web and plain HTTP. 0 picks a free one.",
  }),
  /** Where the state is kept. */
  storageType: choice({
    env: "OPSCORE_STORAGE_TYPE",
    flag: "storage-type",
    default: "memory",
    words: ["memory", "redis"],
    description: "Where the state is kept: in `memory`, for one process, or in `redis`, for any number of them.",
  }),
  /** The key that callers must send. */
  apiKey: secret({
    env: "OPSCORE_API_KEY",
    flag: "api-key",
    description: "The key that callers must send as `authorization: Bearer KEY`. Not set: nobody is asked.",
    pattern: /^[\x21-\x7e]{1,512}$/,
    expects: "1 to 512 visible ASCII characters without spaces",
  }),
  /** Whether to listen beyond loopback without a key. */
  insecure: toggle({
    env: "OPSCORE_INSECURE",
    flag: "insecure",
    default: false,
    description: "Listen beyond loopback although there is no API key.",
  }),
  /** Whether metrics are for everybody. */
  metricsOpen: toggle({
    env: "OPSCORE_METRICS_OPEN",
    flag: "metrics-open",
    default: false,
    description: "Answer `/metrics` without the API key.",
  }),
  /** Whether browsers get the dashboard. */
  dashboard: toggle({
    env: "OPSCORE_DASHBOARD",
    flag: "dashboard",
    default: true,
    description: "Serve the dashboard for browsers at `/dashboard`. It sees what its user's API key may see.",
  }),
  ...WEBHOOK_SETTINGS,
  ...DISPATCH_SETTINGS,
  /** For how long a stop waits for calls in flight, in milliseconds. */
  drainTimeoutMs: duration({
    env: "OPSCORE_DRAIN_TIMEOUT",
    flag: "drain-timeout",
    default: 10 * SECOND,
    min: 0,
    max: 10 * MINUTE,
    description: "For how long a stop waits for calls in flight before it closes their connections.",
  }),
  /** The least severe log lines to write. */
  logLevel: choice({
    env: "LOG_LEVEL",
    flag: "log-level",
    default: "info",
    words: ["trace", "debug", "info", "warn", "error", "fatal", "silent"],
    aliases: { warning: "warn", critical: "fatal" },
    description:
      "The least severe log lines to write. Operations are `info`; heartbeats, renewals and health checks `debug`.",
  }),
  /** How log lines look. */
  logFormat: choice({
    env: "OPSCORE_LOG_FORMAT",
    flag: "log-format",
    default: "auto",
    words: ["auto", "json", "pretty"],
    description: "How log lines look. `auto`: pretty on a terminal, else JSON.",
  }),
  /** The largest request message, in bytes. */
  maxRequestBytes: bytes({
    env: "OPSCORE_MAX_REQUEST_BYTES",
    flag: "max-request-bytes",
    default: 4 * MIB,
    min: 4 * KIB,
    max: 64 * MIB,
    description: "The largest request message.",
  }),
  /** The largest `details`, `metadata` or `result`, in bytes of JSON. */
  maxDataBytes: bytes({
    env: "OPSCORE_MAX_DATA_BYTES",
    flag: "max-data-bytes",
    default: 64 * KIB,
    min: 256,
    max: 4 * MIB,
    description: "The largest `details`, `metadata` or `result`, as JSON.",
  }),
  /** How many connections may be open. */
  maxConnections: integer({
    env: "OPSCORE_MAX_CONNECTIONS",
    flag: "max-connections",
    default: 16_384,
    min: 1,
    max: 1_000_000,
    description: "How many connections may be open; further ones are closed at once.",
  }),
  /** How many calls may be open on one HTTP/2 connection. */
  maxConnectionCalls: integer({
    env: "OPSCORE_MAX_CONNECTION_CALLS",
    flag: "max-connection-calls",
    default: 4096,
    min: 1,
    max: 1_000_000,
    description: "How many calls may be open on one HTTP/2 connection; clients hold back further ones.",
  }),
  /** Whether plain gRPC has a lane of its own. */
  grpcLane: toggle({
    env: "OPSCORE_GRPC_LANE",
    flag: "grpc-lane",
    default: true,
    description:
      "Serve plain gRPC on the server's own HTTP/2, which is many times faster. Off: on Node's, through Connect's handlers, as the rest.",
  }),
  /** How many streams and waits may be open. */
  maxStreams: integer({
    env: "OPSCORE_MAX_STREAMS",
    flag: "max-streams",
    default: 20_000,
    min: 1,
    max: 1_000_000,
    description: "How many watches, waits and other streams may be open; further ones fail with TOO_MANY.",
  }),
  /** How many reports may be held for agents that are not registered. */
  maxHeldReports: integer({
    env: "OPSCORE_MAX_HELD_REPORTS",
    flag: "max-held-reports",
    default: 10_000,
    min: 0,
    max: 1_000_000,
    description: "How many reports may be held for agents that are not registered; further ones fail with TOO_MANY.",
  }),
  /** For how long a client may take to send a request, in milliseconds. */
  requestTimeoutMs: duration({
    env: "OPSCORE_REQUEST_TIMEOUT",
    flag: "request-timeout",
    default: 30 * SECOND,
    min: 100,
    max: HOUR,
    description: "For how long a client may take to send a request, from its first byte to its last.",
  }),
  /** For how long an idle HTTP/1.1 connection is kept, in milliseconds. */
  idleTimeoutMs: duration({
    env: "OPSCORE_IDLE_TIMEOUT",
    flag: "idle-timeout",
    default: 90 * SECOND,
    min: SECOND,
    max: DAY,
    description:
      "For how long an idle HTTP/1.1 connection is kept. Clients that reuse connections must have a shorter one, or lose a request now and then.",
  }),
  /** How often an HTTP/2 client is asked whether it is still there, in milliseconds. */
  keepaliveIntervalMs: duration({
    env: "OPSCORE_KEEPALIVE_INTERVAL",
    flag: "keepalive-interval",
    default: 30 * SECOND,
    min: 100,
    max: DAY,
    description:
      "How often an HTTP/2 client is asked whether it is still there. One of which nothing has come by the next time is disconnected. One with much to read has longer, and while it reads more slowly than is written to it, it is enough that it goes on reading.",
  }),
  /** How many history entries are kept for one agent. */
  historyMaxEntries: integer({
    env: "OPSCORE_HISTORY_MAX_ENTRIES",
    flag: "history-max-entries",
    default: 1000,
    min: 1,
    max: 1_000_000,
    description: "How many history entries are kept for one agent.",
  }),
  /** For how long history entries are kept, in milliseconds. */
  historyMaxAgeMs: duration({
    env: "OPSCORE_HISTORY_MAX_AGE",
    flag: "history-max-age",
    default: 7 * DAY,
    min: SECOND,
    max: 3650 * DAY,
    description: "For how long history entries are kept.",
  }),
  /** How many commits the log keeps. */
  logMaxEntries: integer({
    env: "OPSCORE_LOG_MAX_ENTRIES",
    flag: "log-max-entries",
    default: 100_000,
    min: 16,
    max: 10_000_000,
    description: "How many commits the log keeps: a watch that is further behind gets RESYNC.",
  }),
  /** How often leases are looked at, in milliseconds. */
  leaseSweepIntervalMs: duration({
    env: "OPSCORE_LEASE_SWEEP_INTERVAL",
    flag: "lease-sweep-interval",
    default: 200,
    min: 10,
    max: 10 * SECOND,
    description:
      "How often leases are looked at: an agent is found SUSPECT or LOST, or an attempt at a task over, at most this much late.",
  }),
  /** Where definitions of work are read from at the start. */
  workflowsDir: optionalText({
    env: "OPSCORE_WORKFLOWS_DIR",
    flag: "workflows-dir",
    description:
      "A directory of workflow definitions, as JSON or YAML, that are stored when the server starts. A file that cannot be used keeps it from starting.",
    pattern: /^[^\0]{1,4096}$/,
    expects: "the path of a directory",
  }),
  ...REDIS_SETTINGS,
} as const satisfies Record<string, Setting<unknown>>;

/** The name of a setting in {@link Config}. */
export type SettingKey = keyof typeof SETTINGS;

/** The effective configuration. Times are in milliseconds, sizes in bytes. */
export type Config = {
  readonly [K in SettingKey]: (typeof SETTINGS)[K] extends Setting<infer T> ? T : never;
};

/** Variables that clients of the server read, which may therefore stand beside its own. */
export const CLIENT_VARIABLES: ReadonlySet<string> = new Set(["OPSCORE_URL", "OPSCORE_NAMESPACE"]);
