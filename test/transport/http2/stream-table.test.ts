import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { StreamTable } from "../../../src/transport/http2/stream-table.js";

describe("StreamTable", () => {
  it("is what a Map would be, whatever is added and deleted", () => {
    const id = fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 2 ** 31 - 1 }));
    fc.assert(
      fc.property(fc.array(id, { maxLength: 300 }), (ids) => {
        const table = new StreamTable<string>();
        const model = new Map<number, string>();
        for (const id of ids) {
          // What is there goes, what is not comes.
          if (model.delete(id)) table.delete(id);
          else {
            model.set(id, `stream ${id}`);
            table.add(id, `stream ${id}`);
          }
          expect(table.size).toBe(model.size);
          for (const each of ids) expect(table.get(each)).toBe(model.get(each));
        }
        expect(table.values().sort()).toEqual([...model.values()].sort());
      }),
    );
  });

  it("leaves what is there alone when something is deleted that is not", () => {
    const table = new StreamTable<string>();
    table.add(1, "one");
    table.delete(3);
    expect(table.values()).toEqual(["one"]);
  });

  it("finds streams that last among those that come and go", () => {
    const table = new StreamTable<number>();
    for (let id = 1; id < 2_000; id += 2) table.add(id, id);
    for (let id = 2_001; id < 200_000; id += 2) {
      table.add(id, id);
      if (id >= 2_101) table.delete(id - 100);
    }
    expect(table.size).toBe(1_050);
    for (let id = 1; id < 2_000; id += 2) expect(table.get(id)).toBe(id);
  });
});
