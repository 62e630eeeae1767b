import type { Page } from "../storage.js";
import type {
  DeleteDocument,
  DocumentKey,
  DocumentRecord,
  DocumentStorage,
  ListDocuments,
  WriteDocument,
} from "../documents.js";
import { pageLength } from "../pages.js";
import { tooManyDocuments } from "../refusals.js";
import { documentSize } from "../sizes.js";
import { afterDocument, documentCursor } from "../document-cursor.js";

/** Documents of every kind, in plain maps: there are few. */
export class Documents implements DocumentStorage {
  private readonly kinds = new Map<string, Map<string, DocumentRecord>>();
  private revision = 0;

  writeDocument(command: WriteDocument): DocumentRecord | undefined {
    const { kind, namespace, id, body, expectedRevision, limit } = command;
    const name = nameOf({ namespace, id });
    if ((this.kinds.get(kind)?.get(name)?.revision ?? 0) !== expectedRevision) return undefined;
    if (limit !== undefined && expectedRevision === 0 && this.namesOf(kind, namespace).length >= limit) {
      throw tooManyDocuments(kind, limit);
    }
    this.revision += 1;
    const document = { kind, namespace, id, revision: this.revision, body };
    const documents = this.kinds.get(kind) ?? new Map<string, DocumentRecord>();
    this.kinds.set(kind, documents.set(name, document));
    return document;
  }

  deleteDocument({ kind, namespace, id, expectedRevision }: DeleteDocument): boolean {
    const documents = this.kinds.get(kind);
    const name = nameOf({ namespace, id });
    if (documents?.get(name)?.revision !== expectedRevision) return false;
    documents.delete(name);
    if (documents.size === 0) this.kinds.delete(kind);
    return true;
  }

  readDocument({ kind, ...key }: DocumentKey): DocumentRecord | undefined {
    return this.kinds.get(kind)?.get(nameOf(key));
  }

  listDocuments({ kind, namespace, limit, cursor, bounded = false }: ListDocuments): Page<DocumentRecord> {
    const after = afterDocument(cursor);
    const names = this.namesOf(kind, namespace)
      .filter((name) => name > after)
      .sort();
    const found = names
      .slice(0, limit)
      .map((name) => this.kinds.get(kind)?.get(name))
      .filter((document) => document !== undefined);
    const items = bounded ? found.slice(0, pageLength(found, limit, documentSize)) : found;
    const last = names[items.length - 1];
    return { items, next: names.length > items.length && last !== undefined ? documentCursor(last) : undefined };
  }

  /** @param namespace undefined: of all */
  private namesOf(kind: string, namespace: string | undefined): string[] {
    const names = [...(this.kinds.get(kind)?.keys() ?? [])];
    return namespace === undefined ? names : names.filter((name) => name.startsWith(`${namespace}/`));
  }
}

/** Namespaces and ids are ASCII without a slash, so names order as strings do and mean one document each. */
function nameOf({ namespace, id }: Pick<DocumentKey, "namespace" | "id">): string {
  return `${namespace}/${id}`;
}
