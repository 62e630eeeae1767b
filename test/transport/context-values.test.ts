import { createContextKey, createContextValues, type ContextValues } from "@connectrpc/connect";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CallValues } from "../../src/transport/context-values.js";

const KEYS = ["a", "b", "c"].map((name) => createContextKey(`no ${name}`, { description: name }));

describe("CallValues", () => {
  it("answer as Connect's own do, whatever is set and deleted", () => {
    const key = fc.nat(KEYS.length - 1);
    const step = fc.record({ key, value: fc.option(fc.string(), { nil: undefined }) });
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const all: readonly ContextValues[] = [new CallValues(), createContextValues()];
        for (const { key, value } of steps) {
          const seen = all.map((values) => {
            const chosen = KEYS[key];
            if (chosen === undefined) throw new Error("there is no such key");
            if (value === undefined) values.delete(chosen);
            else values.set(chosen, value);
            return KEYS.map((each) => values.get(each));
          });
          expect(seen[0]).toEqual(seen[1]);
        }
      }),
    );
  });
});
