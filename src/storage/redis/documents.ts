import { pageLength } from "../pages.js";
import { documentSize } from "../sizes.js";
import { afterDocument, documentCursor } from "../document-cursor.js";
import type {
  DeleteDocument,
  DocumentKey,
  DocumentRecord,
  DocumentStorage,
  ListDocuments,
  WriteDocument,
} from "../documents.js";
import type { JsonObject } from "../../lib/json.js";
import type { Page } from "../storage.js";
import { tooManyDocuments } from "../refusals.js";
import type { Commands } from "./commands.js";
import { CorruptRecordError } from "./failures.js";

/** Spreads kinds over the partitions. */
const KINDS = "kinds";
/** After every name of a namespace: the character after the slash. */
const AFTER_SLASH = "0";
/** What write-document says instead of a revision when there is no room for one more. */
const FULL = -1;

/** Documents: those of one kind in one partition, so that a list of them is one look. */
export class Documents implements DocumentStorage {
  constructor(private readonly commands: Commands) {}

  async writeDocument({ body, expectedRevision, limit, ...key }: WriteDocument): Promise<DocumentRecord | undefined> {
    const { kind, namespace, id } = key;
    const text = JSON.stringify(body);
    const bounds = limit === undefined ? [] : [String(limit), `[${namespace}/`, afterAllOf(namespace)];
    const args = [kind, `${namespace}/${id}`, String(expectedRevision), text, ...bounds];
    const revision = Number(await this.commands.text("write-document", this.partitionOf(kind), args));
    if (revision === FULL && limit !== undefined) throw tooManyDocuments(kind, limit);
    return revision === 0 ? undefined : { ...key, revision, body };
  }

  async deleteDocument({ kind, namespace, id, expectedRevision }: DeleteDocument): Promise<boolean> {
    const args = [kind, `${namespace}/${id}`, String(expectedRevision)];
    return (await this.commands.text("delete-document", this.partitionOf(kind), args)) === "1";
  }

  async readDocument({ kind, namespace, id }: DocumentKey): Promise<DocumentRecord | undefined> {
    const key = this.keyOf(kind, `${namespace}/${id}`);
    const text = await this.commands.read(key, (client) => client.get(key));
    return text === null ? undefined : this.decode(kind, `${namespace}/${id}`, text);
  }

  async listDocuments({
    kind,
    namespace,
    limit,
    cursor,
    bounded = false,
    onCorrupt,
  }: ListDocuments): Promise<Page<DocumentRecord>> {
    const after = afterDocument(cursor);
    const first = namespace === undefined ? "-" : `[${namespace}/`;
    const from = after === "" || (namespace !== undefined && after < `${namespace}/`) ? first : `(${after}`;
    const to = namespace === undefined ? "+" : afterAllOf(namespace);
    // One more than is wanted tells whether there is a next page.
    const reply = await this.commands.call("list-documents", this.partitionOf(kind), [
      kind,
      from,
      to,
      String(limit + 1),
      bounded ? "1" : "0",
    ]);
    const cells = Array.isArray(reply) ? reply.map(String) : [];
    const names = cells.filter((_, index) => index % 2 === 0).slice(0, limit);
    const found = names.flatMap((name, index) => {
      const text = cells[2 * index + 1] ?? "";
      return text === "" ? [] : this.decodeListed(kind, name, text, onCorrupt);
    });
    const items = bounded ? found.slice(0, pageLength(found, limit, documentSize)) : found;
    const cut = items.length < found.length ? items.at(-1) : undefined;
    const last = cut === undefined ? names.at(-1) : `${cut.namespace}/${cut.id}`;
    const isAll = cut === undefined && cells.length / 2 <= limit;
    return { items, next: isAll || last === undefined ? undefined : documentCursor(last) };
  }

  /** @returns one; none, when it cannot be read and somebody was told. @throws CORRUPT_RECORD */
  private decodeListed(kind: string, name: string, text: string, onCorrupt: ListDocuments["onCorrupt"]) {
    try {
      return [this.decode(kind, name, text)];
    } catch (thrown) {
      if (onCorrupt === undefined || !(thrown instanceof CorruptRecordError)) throw thrown;
      onCorrupt(thrown);
      return [];
    }
  }

  /** @throws CORRUPT_RECORD */
  private decode(kind: string, name: string, text: string): DocumentRecord {
    const [namespace = "", id = ""] = name.split("/");
    const space = text.indexOf(" ");
    const revision = Number(text.slice(0, space));
    if (space <= 0 || !Number.isSafeInteger(revision))
      throw new CorruptRecordError(this.keyOf(kind, name), "no document");
    return { kind, namespace, id, revision, body: this.parse(kind, name, text.slice(space + 1)) };
  }

  private parse(kind: string, name: string, text: string): JsonObject {
    try {
      // Whatever JSON.parse makes is a JSON value.
      const value = JSON.parse(text) as JsonObject | null;
      if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
    } catch (cause) {
      throw new CorruptRecordError(this.keyOf(kind, name), "no JSON", cause);
    }
    throw new CorruptRecordError(this.keyOf(kind, name), "no JSON object");
  }

  private partitionOf(kind: string): number {
    return this.commands.keys.partitionOf(KINDS, kind);
  }

  private keyOf(kind: string, name: string): string {
    return this.commands.keys.document(this.partitionOf(kind), kind, name);
  }
}

/** The upper end of the names of a namespace, as ZRANGEBYLEX takes it. */
function afterAllOf(namespace: string): string {
  return `(${namespace}${AFTER_SLASH}`;
}
