import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeCursor, encodeCursor } from "../../../src/storage/memory/cursor.js";
import { MAX_PAGE_BYTES } from "../../../src/storage/pages.js";
import { OrderedIndex, type Ordered } from "../../../src/storage/memory/ordered-index.js";

const all = () => true;
const sizeOf = () => 1;

function filled(count: number): { readonly index: OrderedIndex<Ordered>; readonly items: Ordered[] } {
  const index = new OrderedIndex<Ordered>();
  const items = Array.from({ length: count }, (_, each) => ({ ordinal: each + 1 }));
  for (const item of items) index.add(item);
  return { index, items };
}

describe("ordered index", () => {
  it("looks at no more than its budget, and says where to go on", () => {
    const { index } = filled(100);
    const none = index.page(0, 10, 30, { matches: () => false, sizeOf });
    expect(none).toEqual({ items: [], next: 30 });
    expect(index.page(90, 10, 30, { matches: () => false, sizeOf })).toEqual({ items: [], next: undefined });
  });

  it("counts holes against the budget, so that a page costs no more after many removals", () => {
    const { index, items } = filled(100);
    for (const item of items.slice(0, 45)) index.remove(item);
    const page = index.page(0, 10, 30, { matches: all, sizeOf });
    expect(page.items).toEqual([]);
    expect(index.page(page.next ?? 0, 10, 30, { matches: all, sizeOf }).items[0]).toBe(items[45]);
  });

  it("has no next page when the last item was the last that fitted", () => {
    const { index, items } = filled(10);
    expect(index.page(0, 10, 100, { matches: all, sizeOf })).toEqual({ items, next: undefined });
    expect(index.page(0, 9, 100, { matches: all, sizeOf }).next).toBe(9);
  });

  it("ends a page before it is too large, with at least one item on it", () => {
    const { index, items } = filled(10);
    const half = { matches: all, sizeOf: () => MAX_PAGE_BYTES / 2 };
    expect(index.page(0, 10, 100, half)).toEqual({ items: items.slice(0, 2), next: 2 });
    expect(index.page(8, 10, 100, half)).toEqual({ items: items.slice(8), next: undefined });
    const giant = { matches: all, sizeOf: () => 2 * MAX_PAGE_BYTES };
    expect(index.page(3, 10, 100, giant)).toEqual({ items: items.slice(3, 4), next: 4 });
  });

  it("removes an item once", () => {
    const { index, items } = filled(3);
    for (let round = 0; round < 3; round += 1) for (const item of items.slice(0, 1)) index.remove(item);
    expect(index.size).toBe(2);
  });

  it("pages like a sorted list from which things were removed", () => {
    const steps = fc.array(fc.oneof({ weight: 2, arbitrary: fc.constant(-1) }, { weight: 3, arbitrary: fc.nat() }), {
      maxLength: 400,
      size: "max",
    });
    fc.assert(
      fc.property(
        steps,
        fc.integer({ min: 1, max: 20 }),
        fc.integer({ min: 1, max: 40 }),
        (removals, limit, budget) => {
          const { index, items } = filled(150);
          let newest = 150;
          for (const removal of removals) {
            if (removal < 0) {
              newest += 7;
              const item = { ordinal: newest };
              index.add(item);
              items.push(item);
            } else if (items.length > 0) {
              for (const item of items.splice(removal % items.length, 1)) index.remove(item);
            }
          }
          expect(index.size).toBe(items.length);
          expect(index.toArray()).toEqual(items);
          const paged: Ordered[] = [];
          let after: number | undefined = 0;
          while (after !== undefined) {
            const page = index.page(after, limit, budget, { matches: ({ ordinal }) => ordinal % 3 !== 0, sizeOf });
            expect(page.items.length).toBeLessThanOrEqual(limit);
            if (page.next !== undefined) expect(page.next).toBeGreaterThan(after);
            paged.push(...page.items);
            after = page.next;
          }
          expect(paged).toEqual(items.filter(({ ordinal }) => ordinal % 3 !== 0));
        },
      ),
    );
  });
});

describe("cursor", () => {
  it("is read back by its own list only", () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), (ordinal) => {
        expect(decodeCursor("a", encodeCursor("a", ordinal))).toBe(ordinal);
        expect(() => decodeCursor("s", encodeCursor("a", ordinal))).toThrow("page token");
      }),
    );
  });

  it("is read or refused, whatever it is", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        try {
          expect(encodeCursor("a", decodeCursor("a", text))).toBe(text);
        } catch (refusal) {
          expect(refusal).toMatchObject({ reason: "INVALID_PAGE_TOKEN" });
        }
      }),
    );
  });
});
