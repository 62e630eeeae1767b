/** What the order of tasks depends on. */
export interface Step {
  readonly taskId: string;
  readonly dependsOn: readonly string[];
}

/** Steps by their place in the list that was given. */
export type Arrangement =
  /** Every step after those that it depends on; apart from that in the order of the list. */
  | { readonly kind: "order"; readonly order: readonly number[] }
  /** Each of these depends on the next, and the last on the first. */
  | { readonly kind: "cycle"; readonly cycle: readonly number[] };

/**
 * Puts dependencies first: depth first, so that a step is preceded only by what it needs.
 *
 * @param steps their ids differ; a dependency that is none of them is passed over
 */
export function arrange(steps: readonly Step[]): Arrangement {
  const places = new Map(steps.map(({ taskId }, place) => [taskId, place]));
  const order: number[] = [];
  const done = new Set<number>();
  /** From the step that is looked at up to the one that was begun with: each depends on the next. */
  const path: number[] = [];

  /** @returns the cycle that it ran into */
  function place(index: number): readonly number[] | undefined {
    if (done.has(index)) return undefined;
    if (path.includes(index)) return path.slice(path.indexOf(index));
    path.push(index);
    for (const taskId of steps[index]?.dependsOn ?? []) {
      const dependency = places.get(taskId);
      const cycle = dependency === undefined ? undefined : place(dependency);
      if (cycle !== undefined) return cycle;
    }
    path.pop();
    done.add(index);
    order.push(index);
    return undefined;
  }

  for (const index of steps.keys()) {
    const cycle = place(index);
    if (cycle !== undefined) return { kind: "cycle", cycle };
  }
  return { kind: "order", order };
}
