/** What is sent for webhooks. Every replica counts what it sends itself. */
import type { WebhookProgress } from "../../services/webhooks/deliveries.js";
import { counter, gauge, one, sample, type Metric } from "./samples.js";

/** A webhook is named only when its oldest undelivered event waits longer than this, in milliseconds. */
const NAMED_LAG_MS = 10_000;
/** So many are named at most: webhooks have no bound, and series must have one. */
const MAX_NAMED = 20;

export const WEBHOOK_METRICS: readonly Metric[] = [
  gauge(
    "opscore_webhooks",
    ["condition"],
    "Webhooks that this server sends for: the last attempt of `failing` ones failed, and is tried again.",
    ({ webhooks }) => {
      const all = [...webhooks.progress()];
      const failing = all.filter(({ isFailing }) => isFailing).length;
      return [sample(all.length - failing, { condition: "ok" }), sample(failing, { condition: "failing" })];
    },
  ),
  gauge(
    "opscore_webhooks_unreadable",
    [],
    "Documents of webhooks that cannot be read: those webhooks stand still, and the log names the keys. Every server counts all.",
    ({ webhooks }) => one(webhooks.unreadable),
  ),
  counter(
    "opscore_webhook_attempts_total",
    ["outcome"],
    "Requests that this server sent to webhooks, or tried to: `delivered` ones were answered with 2xx.",
    ({ webhooks: { stats } }) => [
      sample(stats.delivered, { outcome: "delivered" }),
      sample(stats.failed, { outcome: "failed" }),
    ],
  ),
  counter(
    "opscore_webhook_dead_total",
    [],
    "Messages to webhooks that this server gave up: ListDeadDeliveries has them.",
    ({ webhooks: { stats } }) => one(stats.dead),
  ),
  gauge(
    "opscore_webhook_max_lag_seconds",
    [],
    "How long the oldest event waits that this server has to deliver to any webhook. 0: all are delivered.",
    ({ webhooks }) => one(Math.max(0, ...[...webhooks.progress()].map(({ lagMs }) => lagMs)) / 1000),
  ),
  gauge(
    "opscore_webhook_lag_seconds",
    ["namespace", "webhook"],
    `The same of each webhook that is more than ${NAMED_LAG_MS / 1000} seconds behind; of the ${MAX_NAMED} that are furthest behind, if there are more.`,
    ({ webhooks }) =>
      furthestBehind(webhooks.progress()).map(({ namespace, webhookId, lagMs }) =>
        sample(lagMs / 1000, { namespace, webhook: webhookId }),
      ),
  ),
];

function furthestBehind(all: Iterable<WebhookProgress>): readonly WebhookProgress[] {
  return [...all]
    .filter(({ lagMs }) => lagMs > NAMED_LAG_MS)
    .sort((a, b) => b.lagMs - a.lagMs)
    .slice(0, MAX_NAMED);
}
