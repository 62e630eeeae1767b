/**
 * Every metric that Ops-Core has of its own: the one table, from which `/metrics` is answered and its page is written. Names end in
 * their unit, totals in `_total`, as Prometheus wants it.
 */
import { codeName } from "../../interceptors/index.js";
import { counter, entries, gauge, one, redis, sample, type DurationMetric, type Metric } from "./samples.js";
import { WEBHOOK_METRICS } from "./webhook-metrics.js";

export const DURATIONS: readonly DurationMetric[] = [
  {
    name: "opscore_call_duration_seconds",
    type: "histogram",
    labels: ["rpc"],
    help: "How long unary calls took, from their headers to their answer. Waits and streams last as long as their clients like and are not in it.",
    *read({ calls }) {
      for (const { rpc, isTimed, durations } of calls.all()) if (isTimed) yield { labels: { rpc }, durations };
    },
  },
  {
    name: "opscore_webhook_attempt_duration_seconds",
    type: "histogram",
    labels: [],
    help: "How long this server's requests to webhooks took, to their answer or until they failed.",
    read: ({ webhooks: { stats } }) => [{ labels: {}, durations: stats.durations }],
  },
];

export const METRICS: readonly Metric[] = [
  gauge("opscore_build_info", ["version"], "Always 1; its label is the version that runs.", ({ version }) => [
    sample(1, { version }),
  ]),
  gauge("opscore_ready", [], "1 while this server should get work, 0 while its storage is away or it stops.", (from) =>
    one(Number(from.readiness.isReady)),
  ),
  gauge("opscore_connections", [], "Connections that are open.", (from) => one(from.connections())),
  counter(
    "opscore_calls_total",
    ["rpc", "code"],
    "Calls that ended, by method and status code.",
    function* ({ calls }) {
      for (const { rpc, ended } of calls.all()) {
        for (const [code, count] of ended.entries()) {
          if (count > 0) yield sample(count, { rpc, code: code === 0 ? "OK" : codeName(code) });
        }
      }
    },
  ),
  gauge("opscore_open_calls", ["rpc"], "Calls that have come in and not ended.", function* ({ calls }) {
    for (const { rpc, open } of calls.all()) yield sample(open, { rpc });
  }),
  gauge(
    "opscore_watchers",
    ["condition"],
    "Open watches: `live` ones are pushed what happens, those that are `behind` read a snapshot or the log.",
    ({ watch: { watchers, live } }) => [
      sample(live, { condition: "live" }),
      sample(watchers - live, { condition: "behind" }),
    ],
  ),
  gauge("opscore_waits", [], "Open waits.", ({ watch }) => one(watch.waits)),
  counter("opscore_watch_events_total", [], "Events that watchers took, each once for each watcher.", ({ watch }) =>
    one(watch.events),
  ),
  counter("opscore_watch_resyncs_total", [], "How often a watcher was told RESYNC.", ({ watch }) => one(watch.resyncs)),
  counter(
    "opscore_watch_parked_total",
    [],
    "How often a watcher was parked because its reader was too slow.",
    ({ watch }) => one(watch.parked),
  ),
  counter(
    "opscore_commits_total",
    ["kind"],
    "Commits in the log, as this server has read it: every replica counts all of them.",
    ({ watch }) => [sample(watch.agentCommits, { kind: "agent" }), sample(watch.sessionCommits, { kind: "session" })],
  ),
  counter(
    "opscore_lease_expiries_total",
    ["liveness"],
    "Agents that this server found SUSPECT or LOST: each counts on one replica.",
    ({ sweeper }) => [sample(sweeper.suspected, { liveness: "SUSPECT" }), sample(sweeper.lost, { liveness: "LOST" })],
  ),
  gauge(
    "opscore_mass_expiry_brake",
    [],
    "Agents that are past their time and kept at SUSPECT, because too many ran out at once. 0: the brake is off.",
    ({ sweeper }) => one(sweeper.braked),
  ),
  counter(
    "opscore_attempt_expiries_total",
    [],
    "Attempts at tasks that this server ended because their lease or their time ran out: each counts on one replica.",
    ({ tasks }) => one(tasks.expired),
  ),
  ...WEBHOOK_METRICS,
  gauge("opscore_held_reports", [], "Reports of this server's callers that wait for registrations.", ({ storage }) =>
    one(storage.heldReports),
  ),
  redis(
    gauge("opscore_redis_connected", ["connection"], "1 while the connection is open.", ({ status }) =>
      entries(status?.connections, "connection"),
    ),
  ),
  redis(
    counter("opscore_redis_disconnects_total", ["connection"], "How often the connection was lost.", ({ status }) =>
      entries(status?.disconnects, "connection"),
    ),
  ),
  redis(
    gauge("opscore_redis_following", [], "1 while the log is followed.", ({ status }) =>
      one(Number(status?.isFollowing ?? false)),
    ),
  ),
  redis(
    counter(
      "opscore_redis_failovers_total",
      [],
      "How often a connection was made to another server than before.",
      ({ status }) => one(status?.failovers ?? 0),
    ),
  ),
  redis(
    gauge(
      "opscore_redis_short_of_replicas",
      [],
      "1 while commits fail because fewer replicas confirm them than OPSCORE_REDIS_WAIT_REPLICAS wants.",
      ({ status }) => one(Number(status?.isShortOfReplicas ?? false)),
    ),
  ),
  redis(
    counter(
      "opscore_redis_log_losses_total",
      ["reason"],
      "How often the log could not be followed without a gap, so that watches got RESYNC.",
      ({ status }) => entries(status?.logLosses, "reason"),
    ),
  ),
  redis(
    counter("opscore_redis_corrupt_records_total", [], "Records that could not be read.", ({ status }) =>
      one(status?.corruptRecords ?? 0),
    ),
  ),
];
