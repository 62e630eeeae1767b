/** A task at its place in the graph. */
export interface Placed {
  readonly taskId: string;
  /** How many tasks there are above it, on the longest way. */
  readonly depth: number;
}

/** What a graph is made of. */
export interface Node {
  readonly taskId: string;
  readonly dependsOn: readonly string[];
}

/**
 * Tasks in an order in which each stands below all that it waits for, and where possible right below the last of them. Among equals
 * those that were given first stand first.
 *
 * @param nodes with ids of their own; a dependency that is not among them is one that is not known
 */
export function graphOrder(nodes: readonly Node[]): readonly Placed[] {
  const dependants = new Map(nodes.map(({ taskId }) => [taskId, [] as string[]]));
  const waitingFor = new Map<string, number>();
  for (const { taskId, dependsOn } of nodes) {
    const known = [...new Set(dependsOn)].filter((id) => dependants.has(id));
    waitingFor.set(taskId, known.length);
    for (const id of known) dependants.get(id)?.push(taskId);
  }
  const depths = new Map<string, number>();
  const placed: Placed[] = [];
  // What may come next, the first of it last.
  const next = nodes.map(({ taskId }) => taskId).filter((taskId) => waitingFor.get(taskId) === 0);
  next.reverse();
  for (let taskId = next.pop(); taskId !== undefined; taskId = next.pop()) {
    const depth = depths.get(taskId) ?? 0;
    placed.push({ taskId, depth });
    const released: string[] = [];
    for (const dependant of dependants.get(taskId) ?? []) {
      const left = (waitingFor.get(dependant) ?? 0) - 1;
      waitingFor.set(dependant, left);
      depths.set(dependant, Math.max(depths.get(dependant) ?? 0, depth + 1));
      if (left === 0) released.push(dependant);
    }
    next.push(...released.reverse());
  }
  // A server refuses circles. Should there be one all the same, what is in it is shown.
  for (const { taskId } of nodes) if ((waitingFor.get(taskId) ?? 0) > 0) placed.push({ taskId, depth: 0 });
  return placed;
}
