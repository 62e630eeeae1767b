import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Ring } from "../../../src/storage/memory/ring.js";

describe("ring", () => {
  it("is empty at first", () => {
    const ring = new Ring<number>();
    expect([ring.length, ring.at(0), ring.shift()]).toEqual([0, undefined, undefined]);
  });

  it("is an array of which only the oldest is dropped, whatever was pushed and dropped before", () => {
    // A number is pushed; nothing drops the oldest.
    const steps = fc.array(fc.option(fc.integer()), { maxLength: 300, size: "max" });
    fc.assert(
      fc.property(steps, (pushed) => {
        const ring = new Ring<number>();
        const array: number[] = [];
        for (const value of pushed) {
          if (value === null) {
            expect(ring.shift()).toBe(array.shift());
          } else {
            ring.push(value);
            array.push(value);
          }
          expect(ring.length).toBe(array.length);
        }
        for (let index = -1; index <= array.length; index += 1) expect(ring.at(index)).toBe(array[index]);
      }),
    );
  });
});
