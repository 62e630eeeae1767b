import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { arrange, type Step } from "../../../src/services/workflows/graph.js";

function step(taskId: string, ...dependsOn: string[]): Step {
  return { taskId, dependsOn };
}

function ordered(...steps: Step[]): string[] | string {
  const arrangement = arrange(steps);
  const names = (places: readonly number[]) => places.map((place) => steps[place]?.taskId ?? "?");
  return arrangement.kind === "order" ? names(arrangement.order) : `cycle ${names(arrangement.cycle).join(" ")}`;
}

/** Any graph of up to 12 steps, cycles included. */
const graphs = fc.integer({ min: 0, max: 12 }).chain((size) =>
  fc
    .array(fc.uniqueArray(fc.nat({ max: Math.max(0, size - 1) }), { maxLength: 3 }), {
      minLength: size,
      maxLength: size,
    })
    .map((edges) => edges.map((to, i) => step(`t${i}`, ...to.map((k) => `t${k}`)))),
);

/** Takes away what depends on nothing that is left, for as long as there is such a step. */
function hasCycle(steps: readonly Step[]): boolean {
  const left = new Map(steps.map(({ taskId, dependsOn }) => [taskId, dependsOn]));
  for (let size = -1; size !== left.size;) {
    size = left.size;
    for (const [taskId, dependsOn] of left) if (dependsOn.every((id) => !left.has(id))) left.delete(taskId);
  }
  return left.size > 0;
}

describe("arrange", () => {
  test.each<[string, string[] | string, Step[]]>([
    ["nothing", [], []],
    ["keeps the order of the list where it can", ["a", "b", "c"], [step("a"), step("b", "a"), step("c")]],
    ["puts a dependency before", ["b", "a", "c"], [step("a", "b"), step("b"), step("c")]],
    ["joins", ["b", "c", "a"], [step("a", "b", "c"), step("c"), step("b")].slice()],
    ["finds a step that waits for itself", "cycle a", [step("a", "a")]],
    ["finds a cycle, without the way to it", "cycle b c", [step("a", "b"), step("b", "c"), step("c", "b")]],
    ["passes over what is not there", ["a"], [step("a", "nowhere")]],
  ])("%s", (_, expected, steps) => {
    expect(ordered(...steps)).toEqual(expected);
  });

  test("orders every graph without a cycle, and shows one of any other", () => {
    fc.assert(
      fc.property(graphs, (steps) => {
        const arrangement = arrange(steps);
        expect(arrangement.kind).toBe(hasCycle(steps) ? "cycle" : "order");
        if (arrangement.kind === "order") {
          expect([...arrangement.order].sort((a, b) => a - b)).toEqual([...steps.keys()]);
          const seen = new Set<string>();
          for (const place of arrangement.order) {
            const { taskId, dependsOn } = steps[place] ?? step("?");
            expect(dependsOn.every((id) => seen.has(id))).toBe(true);
            seen.add(taskId);
          }
        } else {
          const { cycle } = arrangement;
          expect(new Set(cycle).size).toBe(cycle.length);
          cycle.forEach((place, i) => {
            const next = cycle[(i + 1) % cycle.length] ?? -1;
            expect(steps[place]?.dependsOn).toContain(steps[next]?.taskId);
          });
        }
      }),
      { numRuns: 500 },
    );
  });
});
