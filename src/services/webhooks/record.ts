/**
 * A webhook as it is kept: one document, which holds what it is, how far it has got and which replica sends for it, so that each of
 * these changes only with a view on the others.
 */
import { z } from "zod";
import { OpsCoreError } from "../../errors/index.js";
import type { DocumentRecord } from "../../storage/storage.js";

export const WEBHOOKS = "webhook";

/** The kind of what was given up, of one webhook. */
export function deadKind(webhookId: string): string {
  return `webhook-dead:${webhookId}`;
}

const count = z.number().int().nonnegative();

const webhookSchema = z.object({
  url: z.string(),
  secret: z.string(),
  filter: z.object({
    agentIds: z.array(z.string()),
    labelSelector: z.string(),
    capabilities: z.array(z.string()),
    states: z.array(z.number().int()),
  }),
  /** Everything up to here was sent, or given up. */
  resumeToken: z.string(),
  /** The number of the last message that was sent, or given up. */
  delivery: count,
  deliveredCount: count,
  deadCount: count,
  /** Of the message that is being sent. */
  failedAttempts: count,
  lastError: z.string(),
  /** Milliseconds since 1970. */
  createTime: z.number(),
  deliveryTime: z.number().nullable(),
  /** Grows when the webhook is to begin anew, from its token and at once. */
  replay: count,
  /** The replica that sends; empty: none does. */
  owner: z.string(),
  /** Grows as long as that replica lives. */
  beat: count,
});

/** Times are in milliseconds since 1970. */
export type WebhookBody = z.infer<typeof webhookSchema>;

export interface WebhookRecord extends WebhookBody {
  readonly namespace: string;
  readonly webhookId: string;
  readonly revision: number;
}

const deadSchema = z.object({
  delivery: count,
  eventCount: count,
  attempts: count,
  error: z.string(),
  deadTime: z.number(),
  resumeToken: z.string(),
});

export type DeadBody = z.infer<typeof deadSchema>;

/** @throws CORRUPT_RECORD */
export function toWebhookRecord(document: DocumentRecord): WebhookRecord {
  const { namespace, id, revision } = document;
  return { ...read(webhookSchema, document), namespace, webhookId: id, revision };
}

/** @throws CORRUPT_RECORD */
export function toDeadBody(document: DocumentRecord): DeadBody {
  return read(deadSchema, document);
}

function read<T>(schema: z.ZodType<T>, { kind, namespace, id, body }: DocumentRecord): T {
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  const key = `${kind}/${namespace}/${id}`;
  throw new OpsCoreError("CORRUPT_RECORD", `the document ${key} cannot be read`, { key }, { cause: parsed.error });
}

/** The body of a webhook's document. */
export function bodyOf(record: WebhookRecord): WebhookBody {
  return webhookSchema.parse(record);
}
