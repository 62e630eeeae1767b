/**
 * The part of the storage contract that keeps what is neither an agent nor its work: small JSON documents that few write, such as the
 * webhooks of a namespace and how far each has got. A document is not in the log; whoever must know of a change reads again.
 */
import type { OpsCoreError } from "../errors/index.js";
import type { Awaitable } from "../lib/awaitable.js";
import type { JsonObject } from "../lib/json.js";
import type { Page } from "./storage.js";

export interface DocumentKey {
  /** What kind of thing it is: 1 to 200 characters of `[A-Za-z0-9._:-]`. */
  readonly kind: string;
  readonly namespace: string;
  readonly id: string;
}

export interface DocumentRecord extends DocumentKey {
  /** Grows at every write of the key, also when it was deleted in between. */
  readonly revision: number;
  readonly body: JsonObject;
}

export interface WriteDocument extends DocumentKey {
  readonly body: JsonObject;
  /** Only if the document has this revision; 0: only if there is none. */
  readonly expectedRevision: number;
  /** One that is not there is written only if its namespace has fewer of its kind. Undefined: however many there are. */
  readonly limit?: number;
}

export interface DeleteDocument extends DocumentKey {
  /** Only if the document has this revision. */
  readonly expectedRevision: number;
}

export interface ListDocuments {
  readonly kind: string;
  /** Undefined: of all namespaces. */
  readonly namespace: string | undefined;
  readonly limit: number;
  /** Whether the page is for an answer, which has room for `MAX_PAGE_BYTES`. Default false. */
  readonly bounded?: boolean;
  /** `next` of the page before; undefined: the first page. Opaque, and from outside: one that cannot be read throws INVALID_PAGE_TOKEN. */
  readonly cursor: string | undefined;
  /** Told of each that cannot be read, with CORRUPT_RECORD; it is then left out. Without this such a one fails the list. */
  readonly onCorrupt?: ((failure: OpsCoreError) => void) | undefined;
}

export interface DocumentStorage {
  /**
   * Writes a document, whole.
   *
   * @returns it; undefined when its revision was another one, and nothing was written
   * @throws TOO_MANY when it would be one more than its limit
   */
  writeDocument(command: WriteDocument): Awaitable<DocumentRecord | undefined>;
  /** @returns whether it was deleted: false when it was not there, or its revision was another one */
  deleteDocument(command: DeleteDocument): Awaitable<boolean>;
  readDocument(key: DocumentKey): Awaitable<DocumentRecord | undefined>;
  /** In the order of namespace and id, as strings of UTF-8. @throws CORRUPT_RECORD, unless somebody is told of it */
  listDocuments(query: ListDocuments): Awaitable<Page<DocumentRecord>>;
}
