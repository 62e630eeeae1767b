import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { IdTable, type Identified } from "../../../src/storage/memory/id-table.js";

const item = (id: string): Identified => ({ id });
const ids = fc.array(fc.oneof(fc.string(), fc.integer({ min: 0, max: 40 }).map(String)), { maxLength: 300 });

describe.each([
  ["as it hashes", undefined],
  ["when all ids collide", () => 15],
  [
    "when ids have one of a few hashes, of either sign",
    (id: string) => (id.length % 2 === 0 ? -1 : 1) << (id.length % 31),
  ],
])("IdTable, %s", (_, hash) => {
  it("is what a Map would be, whatever is added, replaced and deleted", () => {
    fc.assert(
      fc.property(ids, (ids) => {
        const table = new IdTable<Identified>(hash);
        const model = new Map<string, Identified>();
        for (const [index, id] of ids.entries()) {
          // Of what is there every second one goes, and every other one is replaced.
          if (model.has(id) && index % 2 === 0) {
            model.delete(id);
            table.delete(id);
          } else {
            const added = item(id);
            model.set(id, added);
            table.set(added);
          }
          expect(table.size).toBe(model.size);
          for (const each of ids) expect(table.get(each)).toBe(model.get(each));
        }
      }),
    );
  });

  it("leaves what is there alone when something is deleted that is not", () => {
    const table = new IdTable<Identified>(hash);
    const one = item("one");
    table.set(one);
    table.delete("two");
    expect([table.size, table.get("one")]).toEqual([1, one]);
  });
});

it("grows, and lets go of its room again", () => {
  const table = new IdTable<Identified>();
  const items = Array.from({ length: 100_000 }, (_, index) => item(`agent-${index}`));
  for (const each of items) table.set(each);
  expect(items.every((each) => table.get(each.id) === each)).toBe(true);
  const full = table.slots;
  for (const each of items.slice(10)) table.delete(each.id);
  expect(items.map((each) => table.get(each.id)).filter((found) => found !== undefined)).toEqual(items.slice(0, 10));
  expect([full, table.slots]).toEqual([262_144, 64]);
});
