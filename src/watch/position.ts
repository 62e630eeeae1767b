import type { Change } from "../storage/records.js";
import type { Position } from "../storage/storage.js";

/** Whether `a` is at or after `b` in every partition. */
export function reaches(a: readonly number[], b: readonly number[]): boolean {
  for (let p = 0; p < b.length; p++) if ((a[p] ?? 0) < (b[p] ?? 0)) return false;
  return true;
}

/**
 * The position after `from` and the given later changes. Changes that are left out because a filter does not want them need no
 * mention: going on from here would read and drop them again.
 */
export function advance(from: Position, changes: readonly Pick<Change, "partition" | "revision">[]): Position {
  if (changes.length === 0) return from;
  const revisions = from.revisions.slice();
  for (const { partition, revision } of changes) {
    if (revision > (revisions[partition] ?? 0)) revisions[partition] = revision;
  }
  return { epoch: from.epoch, revisions };
}
