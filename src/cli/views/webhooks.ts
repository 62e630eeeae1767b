import { State } from "../../../gen/opscore/v1/common_pb.js";
import type { DeadDelivery, Webhook } from "../../../gen/opscore/v1/webhook_service_pb.js";
import { printable } from "../text/printable.js";
import type { Printer } from "../text/printer.js";
import { span, type Rich } from "../text/rich.js";
import type { Column } from "../text/table.js";
import { formatSince } from "../../lib/time-text.js";
import { enumName } from "../../lib/enum-name.js";
import { timeRich } from "./agents.js";

const WEBHOOK_COLUMNS: readonly Column[] = [
  { title: "WEBHOOK" },
  { title: "STATUS" },
  { title: "DELIVERED", align: "right", dispensable: 4 },
  { title: "DEAD", align: "right" },
  { title: "LAST", align: "right", dispensable: 3 },
  { title: "URL", min: 16, dispensable: 2 },
  { title: "ERROR", min: 12, dispensable: 1 },
];

const DEAD_COLUMNS: readonly Column[] = [
  { title: "DELIVERY", align: "right" },
  { title: "EVENTS", align: "right", dispensable: 3 },
  { title: "ATTEMPTS", align: "right", dispensable: 2 },
  { title: "GIVEN UP", align: "right" },
  { title: "ERROR", min: 12, dispensable: 1 },
  { title: "RESUME TOKEN" },
];

/** Webhooks as a table, one a line. */
export function printWebhooks(out: Printer, webhooks: readonly Webhook[], now: number): void {
  out.table(
    WEBHOOK_COLUMNS,
    webhooks.map((webhook) => [
      span(printable(webhook.webhookId)),
      statusRich(webhook),
      span(String(webhook.deliveredCount)),
      deadRich(webhook),
      span(formatSince(webhook.deliveryTime, now)),
      span(printable(webhook.url)),
      errorRich(webhook),
    ]),
  );
}

/**
 * Everything about one webhook.
 *
 * @param secret told as well, unless it is empty
 */
export function printWebhook(out: Printer, webhook: Webhook, now: number, secret = ""): void {
  const { filter } = webhook;
  out.fields([
    ["Webhook", [{ text: printable(webhook.webhookId), look: "bold" }]],
    ["URL", span(printable(webhook.url))],
    ["Secret", span(printable(secret))],
    ["Agents", span(printable(filter?.agentIds.join(" ") ?? ""))],
    ["Selector", span(printable(filter?.labelSelector ?? ""))],
    ["Capabilities", span(printable(filter?.capabilities.join(" ") ?? ""))],
    ["States", span(filter?.states.map((state) => enumName(State, state)).join(" ") ?? "")],
    ["Status", statusRich(webhook)],
    ["Error", errorRich(webhook)],
    ["Delivered", span(String(webhook.deliveredCount))],
    ["Dead", deadRich(webhook)],
    ["Created", timeRich(out, webhook.createTime, now)],
    ["Last sent", timeRich(out, webhook.deliveryTime, now)],
    ["Token", span(printable(webhook.resumeToken))],
  ]);
}

/** Messages that were given up as a table, one a line. */
export function printDeadDeliveries(out: Printer, dead: readonly DeadDelivery[], now: number): void {
  out.table(
    DEAD_COLUMNS,
    dead.map(({ delivery, eventCount, attempts, deadTime, error, resumeToken }) => [
      span(String(delivery)),
      span(String(eventCount)),
      span(String(attempts)),
      span(formatSince(deadTime, now)),
      span(printable(error), "red"),
      span(printable(resumeToken)),
    ]),
  );
}

/** `OK`, or how often the message has failed that is being sent. */
function statusRich({ failedAttempts }: Webhook): Rich {
  return failedAttempts === 0
    ? [{ text: "OK", look: "green" }]
    : [{ text: `FAILED ${failedAttempts}x`, look: ["red", "bold"] }];
}

function deadRich({ deadCount }: Webhook): Rich {
  return span(String(deadCount), deadCount > 0n ? "red" : undefined);
}

function errorRich({ lastError }: Webhook): Rich {
  return span(printable(lastError), "red");
}
