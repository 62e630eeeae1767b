import { isCorrupt, OpsCoreError } from "../../errors/index.js";
import type { DocumentStorage } from "../../storage/storage.js";
import {
  bodyOf,
  deadKind,
  toDeadBody,
  toWebhookRecord,
  WEBHOOKS,
  type DeadBody,
  type WebhookRecord,
} from "./record.js";

/** Of one namespace. */
const MAX_WEBHOOKS = 100;
/** How many messages that were given up are kept of one webhook. */
export const MAX_DEAD = 1_000;
const PAGE = 1_000;
/** Numbers are written so that they are in order as text. */
const DIGITS = 16;

export interface WebhookKey {
  readonly namespace: string;
  readonly webhookId: string;
}

/** The webhooks of a storage. */
export class WebhookStore {
  constructor(private readonly storage: DocumentStorage) {}

  async read({ namespace, webhookId }: WebhookKey): Promise<WebhookRecord | undefined> {
    const document = await this.storage.readDocument({ kind: WEBHOOKS, namespace, id: webhookId });
    return document === undefined ? undefined : toWebhookRecord(document);
  }

  /** @returns what was written; undefined when there is another revision than the record's (0: none) by now */
  async write(record: WebhookRecord): Promise<WebhookRecord | undefined> {
    const { namespace, webhookId, revision } = record;
    const key = { kind: WEBHOOKS, namespace, id: webhookId };
    const command = { ...key, body: bodyOf(record), expectedRevision: revision, limit: MAX_WEBHOOKS };
    const written = await this.storage.writeDocument(command);
    return written === undefined ? undefined : { ...record, revision: written.revision };
  }

  /** @returns what was written; undefined when there is one of that id. @throws TOO_MANY */
  async create(record: WebhookRecord): Promise<WebhookRecord | undefined> {
    if ((await this.read(record)) !== undefined) return undefined;
    // Whoever deleted one of the same id may have been cut off before all was gone that that one gave up.
    await this.deleteDead(record);
    return this.write(record);
  }

  /**
   * Changes a webhook, whatever else changes it at the same time.
   *
   * @throws WEBHOOK_NOT_FOUND
   */
  async change(key: WebhookKey, change: (record: WebhookRecord) => WebhookRecord): Promise<WebhookRecord> {
    for (;;) {
      const written = await this.write(change(await this.require(key)));
      // Somebody else made progress.
      if (written !== undefined) return written;
    }
  }

  /** @throws WEBHOOK_NOT_FOUND */
  async delete(key: WebhookKey): Promise<WebhookRecord> {
    const { namespace, webhookId: id } = key;
    for (;;) {
      const record = await this.read(key);
      if (record !== undefined) {
        const { revision: expectedRevision } = record;
        if (!(await this.storage.deleteDocument({ kind: WEBHOOKS, namespace, id, expectedRevision }))) continue;
      }
      // Also of one that is gone: the call may repeat one that was cut off here.
      await this.deleteDead(key);
      if (record === undefined) throw webhookNotFound(id);
      return record;
    }
  }

  /** @throws WEBHOOK_NOT_FOUND */
  async require(key: WebhookKey): Promise<WebhookRecord> {
    const record = await this.read(key);
    if (record === undefined) throw webhookNotFound(key.webhookId);
    return record;
  }

  /** Of one namespace. @throws INVALID_PAGE_TOKEN */
  async list(namespace: string, limit: number, cursor: string | undefined) {
    const { items, next } = await this.storage.listDocuments({
      kind: WEBHOOKS,
      namespace,
      limit,
      cursor,
      bounded: true,
    });
    return { items: items.map(toWebhookRecord), next };
  }

  /** Of all namespaces. @param onCorrupt told of one that cannot be read, which is left out */
  async all(onCorrupt: (failure: OpsCoreError) => void): Promise<readonly WebhookRecord[]> {
    const records: WebhookRecord[] = [];
    const query = { kind: WEBHOOKS, namespace: undefined, limit: PAGE, onCorrupt };
    let cursor: string | undefined;
    do {
      const page = await this.storage.listDocuments({ ...query, cursor });
      for (const document of page.items) {
        try {
          records.push(toWebhookRecord(document));
        } catch (thrown) {
          if (!isCorrupt(thrown)) throw thrown;
          onCorrupt(thrown);
        }
      }
      cursor = page.next;
    } while (cursor !== undefined);
    return records;
  }

  /** Remembers a message that was given up, and forgets the oldest of too many. */
  async addDead(webhook: WebhookRecord, dead: DeadBody): Promise<void> {
    const { namespace, webhookId } = webhook;
    const kind = deadKind(webhookId);
    const key = { kind, namespace, id: deadId(dead.delivery) };
    // A replica that was replaced meanwhile may have given up the same one.
    const written = await this.storage.writeDocument({ ...key, body: dead, expectedRevision: 0 });
    // Whoever deletes a webhook deletes it first and then what it gave up; what comes later must not be another one's.
    const isThere = (await this.read(webhook))?.createTime === webhook.createTime;
    if (!isThere && written !== undefined) {
      await this.storage.deleteDocument({ ...key, expectedRevision: written.revision });
      return;
    }
    for (;;) {
      const { items, next } = await this.storage.listDocuments({ kind, namespace, limit: MAX_DEAD, cursor: undefined });
      const [oldest] = items;
      if (next === undefined || oldest === undefined) return;
      await this.storage.deleteDocument({ kind, namespace, id: oldest.id, expectedRevision: oldest.revision });
    }
  }

  /** @throws INVALID_PAGE_TOKEN */
  async listDead({ namespace, webhookId }: WebhookKey, limit: number, cursor: string | undefined) {
    const query = { kind: deadKind(webhookId), namespace, limit, cursor, bounded: true };
    const { items, next } = await this.storage.listDocuments(query);
    return { items: items.map(toDeadBody), next };
  }

  private async deleteDead({ namespace, webhookId }: WebhookKey): Promise<void> {
    const kind = deadKind(webhookId);
    for (;;) {
      const { items } = await this.storage.listDocuments({ kind, namespace, limit: PAGE, cursor: undefined });
      if (items.length === 0) return;
      for (const { id, revision } of items) {
        await this.storage.deleteDocument({ kind, namespace, id, expectedRevision: revision });
      }
    }
  }
}

function deadId(delivery: number): string {
  return String(delivery).padStart(DIGITS, "0");
}

export function webhookNotFound(webhookId: string): OpsCoreError {
  return new OpsCoreError("WEBHOOK_NOT_FOUND", `webhook ${webhookId} does not exist`, { webhook_id: webhookId });
}
