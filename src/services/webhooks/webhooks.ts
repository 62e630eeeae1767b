import type { ServiceImpl } from "@connectrpc/connect";
import { randomBytes } from "node:crypto";
import type {
  CreateWebhookRequest,
  CreateWebhookResponse,
  DeleteWebhookResponse,
  GetWebhookResponse,
  ListDeadDeliveriesResponse,
  ListWebhooksResponse,
  ReplayWebhookResponse,
  Webhook,
  WebhookService,
} from "../../../gen/opscore/v1/webhook_service_pb.js";
import { invalidFields, OpsCoreError } from "../../errors/index.js";
import type { Clock } from "../../lib/clock.js";
import { callerKey } from "../caller.js";
import type { ServiceDependencies } from "../dependencies.js";
import type { Limits } from "../limits.js";
import { leadsInside } from "../outbound/addresses.js";
import { pageToken, readPageToken, type Query } from "../paging.js";
import { httpUrl, id, optionalId, pageSize, Violations } from "../validation/index.js";
import { toTimestamp } from "../wire/index.js";
import type { DeadBody, WebhookRecord } from "./record.js";
import { WebhookStore } from "./store.js";
import { openWatch, type WatchState } from "./watch.js";

const SECRET = /^[\x21-\x7e]{16,256}$/;
const SECRET_BYTES = 32;

export interface WebhookServiceParts extends Pick<ServiceDependencies, "storage" | "limits" | "makeId"> {
  readonly clock: Pick<Clock, "now">;
  readonly watchState: WatchState;
}

/** WebhookService: which webhooks there are. What they send is sent by `deliveries.ts`. */
export function createWebhookService(parts: WebhookServiceParts): ServiceImpl<typeof WebhookService> {
  const { storage, limits } = parts;
  const store = new WebhookStore(storage);
  const keyOf = (webhookId: string, namespace: string) => {
    const bad = new Violations();
    const key = { namespace, webhookId: id(bad, "webhook_id", webhookId) };
    bad.throwIfAny();
    return key;
  };

  return {
    async createWebhook(request, ctx) {
      const { namespace } = ctx.values.get(callerKey);
      const draft = readWebhook(request, namespace, parts);
      const resumeToken = await startOf(draft, parts.watchState, ctx.signal);
      const record = await store.create({ ...draft, resumeToken });
      if (record === undefined) throw webhookExists(draft.webhookId);
      return {
        $typeName: "opscore.v1.CreateWebhookResponse",
        webhook: toWebhook(record),
        secret: record.secret,
      } satisfies CreateWebhookResponse;
    },

    async getWebhook(request, ctx) {
      const record = await store.require(keyOf(request.webhookId, ctx.values.get(callerKey).namespace));
      return { $typeName: "opscore.v1.GetWebhookResponse", webhook: toWebhook(record) } satisfies GetWebhookResponse;
    },

    async listWebhooks(request, ctx) {
      const { namespace } = ctx.values.get(callerKey);
      const bad = new Violations();
      const limit = pageSize(bad, "page_size", request.pageSize, limits);
      bad.throwIfAny();
      const query: Query = ["ListWebhooks", namespace];
      const { items, next } = await store.list(namespace, limit, readPageToken(query, request.pageToken));
      return {
        $typeName: "opscore.v1.ListWebhooksResponse",
        webhooks: items.map(toWebhook),
        nextPageToken: pageToken(query, next),
      } satisfies ListWebhooksResponse;
    },

    async deleteWebhook(request, ctx) {
      const record = await store.delete(keyOf(request.webhookId, ctx.values.get(callerKey).namespace));
      return {
        $typeName: "opscore.v1.DeleteWebhookResponse",
        webhook: toWebhook(record),
      } satisfies DeleteWebhookResponse;
    },

    async replayWebhook(request, ctx) {
      const { namespace } = ctx.values.get(callerKey);
      const key = keyOf(request.webhookId, namespace);
      const { resumeToken } = request;
      if (resumeToken !== "") {
        await startOf({ ...(await store.require(key)), resumeToken }, parts.watchState, ctx.signal);
      }
      const record = await store.change(key, (before) => ({
        ...before,
        resumeToken: resumeToken === "" ? before.resumeToken : resumeToken,
        failedAttempts: 0,
        replay: before.replay + 1,
      }));
      return {
        $typeName: "opscore.v1.ReplayWebhookResponse",
        webhook: toWebhook(record),
      } satisfies ReplayWebhookResponse;
    },

    async listDeadDeliveries(request, ctx) {
      const { namespace } = ctx.values.get(callerKey);
      const bad = new Violations();
      const key = { namespace, webhookId: id(bad, "webhook_id", request.webhookId) };
      const limit = pageSize(bad, "page_size", request.pageSize, limits);
      bad.throwIfAny();
      const query: Query = ["ListDeadDeliveries", namespace, key.webhookId];
      const cursor = readPageToken(query, request.pageToken);
      await store.require(key);
      const { items, next } = await store.listDead(key, limit, cursor);
      return {
        $typeName: "opscore.v1.ListDeadDeliveriesResponse",
        deadDeliveries: items.map(toDeadDelivery),
        nextPageToken: pageToken(query, next),
      } satisfies ListDeadDeliveriesResponse;
    },
  };
}

/** What certainly leads inside is refused here, where somebody sees it; names are looked up, and refused, with each delivery. */
function receiverUrl(bad: Violations, value: string, { webhooksInside }: Limits): string {
  const url = httpUrl(bad, "url", value);
  if (!webhooksInside && URL.canParse(url) && leadsInside(new URL(url))) {
    bad.add("url", "must not lead to an address inside, unless OPSCORE_OUTBOUND_ALLOW_PRIVATE is set");
  }
  return url;
}

/** @throws INVALID_FIELD. The filter is judged by the watch. */
function readWebhook(
  { webhookId, url, filter, secret, resumeToken }: CreateWebhookRequest,
  namespace: string,
  { makeId, clock, limits }: WebhookServiceParts,
): WebhookRecord {
  const bad = new Violations();
  if (url === "") bad.add("url", "must be set");
  if (secret !== "" && !SECRET.test(secret)) bad.add("secret", "must be 16 to 256 visible ASCII characters");
  const record: WebhookRecord = {
    namespace,
    webhookId: optionalId(bad, "webhook_id", webhookId) || makeId("webhook", namespace, ""),
    revision: 0,
    url: receiverUrl(bad, url, limits),
    secret: secret === "" ? randomBytes(SECRET_BYTES).toString("base64url") : secret,
    filter: {
      agentIds: filter?.agentIds ?? [],
      labelSelector: filter?.labelSelector ?? "",
      capabilities: filter?.capabilities ?? [],
      states: filter?.states ?? [],
    },
    resumeToken,
    delivery: 0,
    deliveredCount: 0,
    deadCount: 0,
    failedAttempts: 0,
    lastError: "",
    createTime: clock.now(),
    deliveryTime: null,
    replay: 0,
    owner: "",
    beat: 0,
  };
  bad.throwIfAny();
  return record;
}

/**
 * Where a webhook begins: at its token, if it has one, else now. Its watch is opened for that, so nothing comes between, and the watch
 * says whether filter and token are good.
 *
 * @throws INVALID_FIELD, INVALID_RESUME_TOKEN, SERVER_STOPPING
 */
async function startOf(record: WebhookRecord, watchState: WatchState, signal: AbortSignal): Promise<string> {
  try {
    const watch = openWatch(watchState, record.namespace, record, signal);
    if (record.resumeToken !== "") {
      // One that nobody reads would stay open.
      await watch[Symbol.asyncIterator]().return?.();
      return record.resumeToken;
    }
    for await (const { resumeToken } of watch) if (resumeToken !== "") return resumeToken;
    throw new OpsCoreError("SERVER_STOPPING", "the watch ended before it began");
  } catch (thrown) {
    throw inFilter(thrown);
  }
}

/** Says of a bad field of the watch where it stands in the request. */
function inFilter(thrown: unknown): unknown {
  if (!(thrown instanceof OpsCoreError) || thrown.violations.length === 0) return thrown;
  return invalidFields(thrown.violations.map(({ field, description }) => ({ field: `filter.${field}`, description })));
}

function toWebhook(record: WebhookRecord): Webhook {
  const { agentIds, labelSelector, capabilities, states } = record.filter;
  return {
    $typeName: "opscore.v1.Webhook",
    webhookId: record.webhookId,
    url: record.url,
    filter: { $typeName: "opscore.v1.WebhookFilter", agentIds, labelSelector, capabilities, states },
    resumeToken: record.resumeToken,
    deliveredCount: BigInt(record.deliveredCount),
    deadCount: BigInt(record.deadCount),
    failedAttempts: record.failedAttempts,
    lastError: record.lastError,
    createTime: toTimestamp(record.createTime),
    deliveryTime: record.deliveryTime === null ? undefined : toTimestamp(record.deliveryTime),
  };
}

function toDeadDelivery({ delivery, eventCount, attempts, error, deadTime, resumeToken }: DeadBody) {
  return {
    $typeName: "opscore.v1.DeadDelivery" as const,
    delivery: BigInt(delivery),
    eventCount,
    attempts,
    error,
    deadTime: toTimestamp(deadTime),
    resumeToken,
  };
}

function webhookExists(webhookId: string): OpsCoreError {
  return new OpsCoreError("WEBHOOK_ALREADY_EXISTS", `webhook ${webhookId} exists already`, { webhook_id: webhookId });
}
