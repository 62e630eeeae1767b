/**
 * A webhook as it is kept: one document, which holds what it is, how far it has got and which replica sends for it, so that each of
 * these changes only with a view on the others.
 */
import { OpsCoreError } from "../../errors/index.js";
import type { DocumentRecord } from "../../storage/storage.js";
import { count, list, nullable, number, object, text, whole, type Read, type Reader } from "./plain-data.js";

export const WEBHOOKS = "webhook";

/** The kind of what was given up, of one webhook. */
export function deadKind(webhookId: string): string {
  return `webhook-dead:${webhookId}`;
}

const webhookBody = object({
  url: text,
  secret: text,
  filter: object({
    agentIds: list(text),
    labelSelector: text,
    capabilities: list(text),
    states: list(whole),
  }),
  /** Everything up to here was sent, or given up. */
  resumeToken: text,
  /** The number of the last message that was sent, or given up. */
  delivery: count,
  deliveredCount: count,
  deadCount: count,
  /** Of the message that is being sent. */
  failedAttempts: count,
  lastError: text,
  /** Milliseconds since 1970. */
  createTime: number,
  deliveryTime: nullable(number),
  /** Grows when the webhook is to begin anew, from its token and at once. */
  replay: count,
  /** The replica that sends; empty: none does. */
  owner: text,
  /** Grows as long as that replica lives. */
  beat: count,
});

/** Times are in milliseconds since 1970. */
export type WebhookBody = Read<typeof webhookBody>;

export interface WebhookRecord extends WebhookBody {
  readonly namespace: string;
  readonly webhookId: string;
  readonly revision: number;
}

const deadBody = object({
  delivery: count,
  eventCount: count,
  attempts: count,
  error: text,
  deadTime: number,
  resumeToken: text,
});

export type DeadBody = Read<typeof deadBody>;

/** @throws CORRUPT_RECORD */
export function toWebhookRecord(document: DocumentRecord): WebhookRecord {
  const { namespace, id, revision } = document;
  return { ...read(webhookBody, document), namespace, webhookId: id, revision };
}

/** @throws CORRUPT_RECORD */
export function toDeadBody(document: DocumentRecord): DeadBody {
  return read(deadBody, document);
}

function read<T>(reader: Reader<T>, { kind, namespace, id, body }: DocumentRecord): T {
  try {
    return reader(body, kind);
  } catch (cause) {
    const key = `${kind}/${namespace}/${id}`;
    throw new OpsCoreError("CORRUPT_RECORD", `the document ${key} cannot be read`, { key }, { cause });
  }
}

/** The body of a webhook's document. */
export function bodyOf(record: WebhookRecord): WebhookBody {
  return webhookBody(record, WEBHOOKS);
}
