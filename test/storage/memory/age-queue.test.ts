import fc from "fast-check";
import { expect, it } from "vitest";
import { AgeQueue } from "../../../src/storage/memory/age-queue.js";

it("is an array from which the oldest is dropped, and others are taken", () => {
  // An item is pushed; the oldest is dropped; the one at a place is taken back.
  const step = fc.oneof(
    { weight: 3, arbitrary: fc.constant("push" as const) },
    { weight: 1, arbitrary: fc.constant("shift" as const) },
    { weight: 2, arbitrary: fc.nat() },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 1_000, size: "max" }), (steps) => {
      const current = new Set<{ readonly number: number }>();
      const queue = new AgeQueue<{ readonly number: number }>((item) => current.has(item));
      const array: { readonly number: number }[] = [];
      for (const [number, each] of steps.entries()) {
        if (each === "push") {
          const item = { number };
          current.add(item);
          array.push(item);
          queue.push(item);
        } else if (each === "shift") {
          queue.shift();
          array.shift();
        } else {
          const [taken] = array.splice(each % Math.max(1, array.length), 1);
          if (taken === undefined) continue;
          current.delete(taken);
          queue.leaveGap();
        }
        expect(queue.size).toBe(array.length);
        expect(queue.oldest).toBe(array[0]);
      }
    }),
  );
});
