import { describe, expect, it } from "vitest";
import type { DocumentRecord, Storage } from "../../../src/storage/storage.js";
import { reasonOf, times, useStorage, type StorageFactory } from "./harness.js";
import { CALLERS, race, tally } from "./racing.js";

const KEY = { kind: "thing", namespace: "default", id: "a" };

/** What is kept beside agents and their work. */
export function documentsContract(factory: StorageFactory): void {
  describe("documents", () => {
    const subject = useStorage(factory);
    const write = (body: DocumentRecord["body"], expectedRevision = 0, more = {}) =>
      subject.storage.writeDocument({ ...KEY, body, expectedRevision, ...more });

    it("are kept as they were written, and read on every replica", async () => {
      const body = { text: 'é"\\\n\u2028😀', list: [1, 1.5, null, true, { deep: {} }], big: 2 ** 53, empty: "" };
      const written = await write(body);
      expect(written).toEqual({ ...KEY, revision: written?.revision, body });
      expect(await subject.storage.readDocument(KEY)).toEqual(written);
      expect(await subject.replica.readDocument(KEY)).toEqual(written);
      expect(await subject.events()).toEqual([]);
    });

    it("are known by kind, namespace and id", async () => {
      await write({ n: 1 });
      for (const other of [{ kind: "other" }, { namespace: "other" }, { id: "b" }]) {
        expect(await subject.storage.readDocument({ ...KEY, ...other })).toBeUndefined();
        expect(await write({ n: 2 }, 0, other)).toBeDefined();
      }
      expect((await subject.storage.readDocument(KEY))?.body).toEqual({ n: 1 });
    });

    it("are written by whoever knows their revision", async () => {
      const first = await write({ n: 1 });
      expect(await write({ n: 2 })).toBeUndefined();
      const second = await write({ n: 2 }, first?.revision);
      expect(second?.revision).toBeGreaterThan(first?.revision ?? Infinity);
      expect(await write({ n: 3 }, first?.revision)).toBeUndefined();
      expect(await write({ n: 3 }, 1_000_000)).toBeUndefined();
      expect(await subject.replica.readDocument(KEY)).toEqual(second);
    });

    it("are written by one of those who race", async () => {
      const first = await write({ n: 0 });
      const writes = times(20, async (n) =>
        (n % 2 === 0 ? subject.storage : subject.replica).writeDocument({
          ...KEY,
          body: { n },
          expectedRevision: first?.revision ?? 0,
        }),
      );
      const [winner, ...others] = (await Promise.all(writes)).filter((written) => written !== undefined);
      expect(others).toEqual([]);
      expect(await subject.storage.readDocument(KEY)).toEqual(winner);
    });

    it("are no more of a kind in a namespace than the writer allows, whoever races", async () => {
      await write({}, 0, { id: "a" });
      for (const elsewhere of [{ kind: "other" }, { namespace: "default-2" }, { namespace: "defaul" }]) {
        for (const id of ["x", "y", "z"]) await write({}, 0, { ...elsewhere, id });
      }
      const outcomes = await race(subject, (on, n) =>
        on.writeDocument({ ...KEY, id: `b${n}`, body: {}, expectedRevision: 0, limit: 3 }),
      );
      expect(tally(outcomes)).toEqual({ OK: 2, TOO_MANY: CALLERS - 2 });
      expect(outcomes.find(({ failure }) => failure !== undefined)?.failure?.metadata).toEqual({ limit: "3" });
      const { items } = await subject.replica.listDocuments({ ...KEY, limit: 10, cursor: undefined });
      expect(items).toHaveLength(3);
    });

    it("are changed however many there are, and deleting one makes room", async () => {
      const [first] = [await write({ n: 1 }), await write({}, 0, { id: "b" })];
      const full = { limit: 2 };
      const second = await write({ n: 2 }, first?.revision, full);
      expect(second?.body).toEqual({ n: 2 });
      // That it is there already is said first.
      expect(await write({}, 0, full)).toBeUndefined();
      expect(await reasonOf(() => write({}, 0, { ...full, id: "c" }))).toBe("TOO_MANY");
      await subject.storage.deleteDocument({ ...KEY, expectedRevision: second?.revision ?? 0 });
      expect(await write({}, 0, { ...full, id: "c" })).toBeDefined();
    });

    it("are deleted by whoever knows their revision, and never get an old one again", async () => {
      const first = await write({ n: 1 });
      const key = { ...KEY, expectedRevision: first?.revision ?? 0 };
      expect(await subject.storage.deleteDocument({ ...KEY, expectedRevision: 0 })).toBe(false);
      expect(await subject.storage.deleteDocument({ ...KEY, expectedRevision: key.expectedRevision + 1 })).toBe(false);
      expect(await subject.replica.deleteDocument(key)).toBe(true);
      expect(await subject.storage.deleteDocument(key)).toBe(false);
      expect(await subject.storage.readDocument(KEY)).toBeUndefined();
      expect(await write({ n: 2 }, key.expectedRevision)).toBeUndefined();
      expect((await write({ n: 2 }))?.revision).toBeGreaterThan(key.expectedRevision);
    });
  });

  describe("lists of documents", () => {
    const subject = useStorage(factory);
    /** Names whose order is not that of their parts: a dash comes before the slash, a dot too. */
    const NAMES = ["a/1", "a/10", "a/2", "a-b/1", "a.b/x", "b/A", "b/a", "b/a:b", "b/a_b", "c/z"];
    const fill = (storage: Storage) =>
      Promise.all(
        NAMES.map(async (name) => {
          const [namespace = "", id = ""] = name.split("/");
          return storage.writeDocument({ kind: "thing", namespace, id, body: { name }, expectedRevision: 0 });
        }),
      );
    const list = async (namespace: string | undefined, limit: number): Promise<unknown[][]> => {
      const pages: unknown[][] = [];
      for (let cursor: string | undefined = undefined; ;) {
        const page: Awaited<ReturnType<Storage["listDocuments"]>> = await subject.replica.listDocuments({
          kind: "thing",
          namespace,
          limit,
          cursor,
        });
        pages.push(page.items.map(({ body }) => body["name"]));
        if (page.next === undefined) return pages;
        cursor = page.next;
      }
    };

    it("are in the order of namespace and id, whatever the size of their pages", async () => {
      await fill(subject.storage);
      const inOrder = [...NAMES].sort();
      for (const limit of [1, 3, 9, 10, 11]) {
        const pages = await list(undefined, limit);
        expect(pages.flat()).toEqual(inOrder);
        expect(pages.map(({ length }) => length).every((length) => length <= limit)).toBe(true);
      }
      expect(await list("a", 2)).toEqual([["a/1", "a/10"], ["a/2"]]);
      expect((await list("b", 1)).flat()).toEqual(["b/A", "b/a", "b/a:b", "b/a_b"]);
      expect(await list("nobody", 5)).toEqual([[]]);
    });

    it("go on where they stopped, whatever was deleted", async () => {
      await fill(subject.storage);
      const query = { kind: "thing", namespace: "b", limit: 2 };
      const { items, next } = await subject.storage.listDocuments({ ...query, cursor: undefined });
      for (const { revision, ...key } of items) {
        await subject.storage.deleteDocument({ ...key, expectedRevision: revision });
      }
      const rest = await subject.storage.listDocuments({ ...query, cursor: next });
      expect(rest.items.map(({ body }) => body["name"])).toEqual(["b/a:b", "b/a_b"]);
      expect(rest.next).toBeUndefined();
      expect((await list("b", 10)).flat()).toEqual(["b/a:b", "b/a_b"]);
    });

    it.each(["", "x", "d", "da", "da/", "a/1", "da/b/c", `d${"a".repeat(200)}/b`])(
      "refuse the cursor %j",
      async (cursor) => {
        const query = { kind: "thing", namespace: undefined, limit: 1, cursor };
        expect(await reasonOf(() => subject.storage.listDocuments(query))).toBe("INVALID_PAGE_TOKEN");
      },
    );
  });
}
