import type { StateRecord } from "../records.js";
import { AgeQueue } from "./age-queue.js";
import type { NamespaceTable, Namespaces, Tombstone } from "./entries.js";
import { Ring } from "./ring.js";

/**
 * What is kept of agents that were deregistered: their history, readable, and their last incarnation, so that one that comes back
 * gets the next. Bounded by age and by the number of deregistrations.
 */
export class Tombstones {
  private readonly byAge = new AgeQueue(isGone);

  constructor(
    private readonly namespaces: Namespaces,
    private readonly capacity: number,
    private readonly ageMs: number,
  ) {}

  /** @param last the state that the agent was removed with */
  bury(table: NamespaceTable, last: StateRecord, history: Ring<StateRecord>): void {
    const { agentId, incarnation, commitTime } = last;
    const tombstone = { table, agentId, incarnation, history, removeTime: commitTime };
    table.tombstones.set(agentId, tombstone);
    this.byAge.push(tombstone);
    this.forget(commitTime);
  }

  /** Takes up what is kept of an agent that registers again. */
  exhume(table: NamespaceTable, agentId: string): { incarnation: number; history: Ring<StateRecord> } {
    const tombstone = table.tombstones.get(agentId);
    if (tombstone === undefined) return { incarnation: 0, history: new Ring() };
    table.tombstones.delete(agentId);
    this.byAge.leaveGap();
    return tombstone;
  }

  /** Drops what is too old or too much. */
  forget(now: number): void {
    for (let oldest = this.byAge.oldest; oldest !== undefined; oldest = this.byAge.oldest) {
      if (this.byAge.size <= this.capacity && oldest.removeTime >= now - this.ageMs) return;
      this.byAge.shift();
      const { table, agentId } = oldest;
      table.tombstones.delete(agentId);
      this.namespaces.dropIfEmpty(table);
    }
  }
}

/** The agent may have come back, and even have gone again, since. */
function isGone(tombstone: Tombstone): boolean {
  return tombstone.table.tombstones.get(tombstone.agentId) === tombstone;
}
