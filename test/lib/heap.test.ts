import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Heap, type Heaped } from "../../src/lib/heap.js";

interface Item extends Heaped {
  readonly value: number;
}

describe("Heap", () => {
  it("gives what a sorted list would, whatever was put in and taken out of its middle", () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant("add" as const), value: fc.integer({ min: 0, max: 20 }) }),
      fc.record({ kind: fc.constant("remove" as const), value: fc.nat(30) }),
      fc.record({ kind: fc.constant("take" as const), value: fc.constant(0) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const heap = new Heap<Item>((a, b) => a.value < b.value);
        const all: Item[] = [];
        const held = new Set<Item>();
        for (const { kind, value } of steps) {
          if (kind === "add") {
            const item = { heapIndex: -1, value };
            all.push(item);
            held.add(item);
            heap.add(item);
          } else if (kind === "remove") {
            const item = all[value];
            if (item === undefined) continue;
            held.delete(item);
            heap.remove(item);
            expect(item.heapIndex).toBe(-1);
          } else {
            const item = heap.take();
            expect(item?.value).toBe([...held].map((each) => each.value).sort((a, b) => a - b)[0]);
            if (item !== undefined) held.delete(item);
          }
          expect(heap.size).toBe(held.size);
          expect(heap.first?.value).toBe([...held].map((each) => each.value).sort((a, b) => a - b)[0]);
        }
      }),
    );
  });
});
